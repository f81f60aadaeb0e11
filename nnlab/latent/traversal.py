"""Motion in a latent space: one coordinate at a time, and over the plane of a latent space of two."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.model import Decodes, Latent


def traverse(model: Decodes, base: Tensor, latent: Latent, coordinates: list[int], values: Tensor) -> Tensor:
    """Outputs (len(coordinates), len(values), *shape) as coordinate i of a code moves and the others stay.

    base    (d,) the code that moves
    values  (k,) where coordinate i goes: to mean_i + value · std_i, so 3 means three standard deviations
    """
    axes = torch.as_tensor(coordinates, device=base.device)
    codes = base.repeat(len(coordinates), len(values), 1)
    moved = latent.mean[axes, None] + values[None, :] * latent.std[axes, None]
    codes[torch.arange(len(coordinates)), :, axes] = moved
    return model.decode(codes.flatten(0, 1)).unflatten(0, codes.shape[:2])


def axes(latent: Latent, side: int) -> tuple[Tensor, Tensor]:
    """(side,) the values of coordinate 0, growing, and of coordinate 1, falling: quantiles of a Gaussian.

    Each stands for the same share of the prior (Kingma & Welling 2014, figure 4).
    """
    quantiles = torch.special.ndtri((torch.arange(side) + 0.5) / side).to(latent.mean.device)
    return latent.mean[0] + quantiles * latent.std[0], (latent.mean[1] + quantiles * latent.std[1]).flip(0)


def manifold(model: Decodes, latent: Latent, side: int = 20) -> Tensor:
    """Outputs (side, side, *shape) over a latent space of two coordinates.

    Coordinate 0 grows to the right, coordinate 1 upwards, by the values of `axes`.
    """
    across, up = axes(latent, side)
    codes = torch.stack([across.expand(side, side), up[:, None].expand(side, side)], dim=-1)
    return model.decode(codes.flatten(0, 1)).unflatten(0, (side, side))
