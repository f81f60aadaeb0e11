"""Pictures of a code that is a grid of symbols."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.families.vae.vq_vae import VQVAE
from nnlab.nn.float64 import to_float64
from nnlab.plotting.images import sheet, titled, to_pixels
from nnlab.plotting.latent import PER_ROW

SHOWN = 48  # number of codes, the most used ones
PALEST, DARKEST = 0.15, 0.95  # of red, green and blue, so that no code is almost black or white


def colours(vectors: Tensor) -> Tensor:
    """(K, 3) within (0, 1): red, green and blue by rank along three principal components: near codes have similar colours."""
    centred = to_float64(vectors - vectors.mean(0))
    parts = min(3, centred.shape[1])
    _, directions = torch.linalg.eigh(centred.T @ centred)
    ranks = (centred @ directions[:, -parts:].flip(1)).argsort(0).argsort(0) / max(1, len(vectors) - 1)
    ranks = torch.cat([ranks, torch.full((len(vectors), 3 - parts), 0.5).to(ranks)], dim=1)
    return PALEST + (DARKEST - PALEST) * ranks.float()


def enlarged(grid: Tensor, side: tuple[int, int]) -> Tensor:
    """(N, h, w, …) → (N, H, W, …): each place becomes a rectangle."""
    rows, columns = (torch.arange(n, device=grid.device) * m // n for n, m in zip(side, grid.shape[1:3], strict=True))
    return grid[:, rows][:, :, columns]


def code_picture(model: VQVAE, x: Tensor) -> np.ndarray:
    """Inputs (N, *shape), the symbols of their grids as colours, and the decoded grids."""
    x = x[:PER_ROW]
    symbols = model.encode_indices(x)
    painted = colours(model.codebook.vectors)[symbols.unflatten(1, model.grid)]
    painted = enlarged(painted, model.spec.shape[1:]).mul(255).round().byte().cpu().numpy()
    rows = [to_pixels(x, model.spec), painted, to_pixels(model.reconstruct(x), model.spec)]
    return sheet(np.stack(rows), ["input", "codes", "output"])


def codebook_picture(model: VQVAE, share: Tensor) -> np.ndarray:
    """Decoded grids that have the same code everywhere, the most used codes first, each with its share (K,) of the places."""
    order = share.argsort(descending=True)[: min(SHOWN, int((share > 0).sum()))]
    vectors = model.codebook(order)[:, None].expand(-1, model.places, -1)
    images = to_pixels(model.decode(vectors.flatten(1)), model.spec)
    return titled(images, [f"{part:.1%}" for part in share[order].tolist()], PER_ROW)
