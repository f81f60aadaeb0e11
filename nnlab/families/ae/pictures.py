"""Pictures of a sparse code: its dictionary, and images as sums of its atoms."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch, DataSpec
from nnlab.nn.spaced import evenly_spaced
from nnlab.plotting.images import directions, tiled, titled, to_pixels

SHOWN = 144  # atoms in a picture
ROWS, TERMS = 8, 8  # images, and atoms of each


class Dictionary(Protocol):
    """A model whose code holds the weights of atoms."""

    spec: DataSpec
    latent_dim: int
    atoms: Tensor
    """(latent_dim, *shape)"""

    def encode(self, x: Tensor) -> Tensor:
        """(N, latent_dim) of inputs (N, *shape)."""

    def decode(self, z: Tensor) -> Tensor:
        """(N, *shape) of codes (N, latent_dim)."""


def dictionary_picture(model: Dictionary, codes: Tensor) -> np.ndarray:
    """The atoms that contribute most to the images of codes (N, latent_dim), the largest first; gray is zero."""
    strongest = codes.mean(0).argsort(descending=True)[:SHOWN]
    return tiled(directions(model.atoms[strongest]))


def decomposition_picture(model: Dictionary, batch: Batch) -> np.ndarray:
    """One row per image: the bias c of the decoder, the strongest atoms, their sum, and the sum of all atoms."""
    spec = model.spec
    order = torch.arange(len(batch)) if batch.label is None else batch.label.argsort(stable=True)  # so that classes differ
    images = batch.input[order[evenly_spaced(len(batch), ROWS)]]
    codes = model.encode(images)
    strength, places = codes.topk(min(TERMS, model.latent_dim), dim=1)
    few = torch.zeros_like(codes).scatter(1, places, strength)
    constant, partial, whole = (model.decode(z) for z in (torch.zeros_like(codes), few, codes))
    tiles, titles = [], []
    for i in range(len(images)):
        seen = [to_pixels(part[i : i + 1], spec) for part in (images, constant, partial, whole)]
        tiles += [*seen[:2], directions(model.atoms[places[i]]), *seen[2:]]
        titles += ["image", "bias c", *(f"{h:.2f}" for h in strength[i].tolist())]
        titles += [f"{strength.shape[1]} atoms", "all atoms"]
    return titled(np.concatenate(tiles), titles, strength.shape[1] + 4)
