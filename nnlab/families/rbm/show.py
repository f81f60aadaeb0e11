"""Pictures of machines with hidden units: the weights of the units, and Gibbs chains."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.families.rbm.rbm import RBM
from nnlab.model import Model
from nnlab.plotting.images import directions, grid, sheet, tiled, to_pixels

FILTERS, CHAINS = 100, 100  # tiles in a picture
ROWS = 8  # chains that are shown
STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # Gibbs steps that are shown


def filters_picture(model: Model) -> np.ndarray:
    """The weights of the hidden units with the largest norms; gray is zero, and each picture has its own scale."""
    filters = model.filters
    strongest = filters.flatten(1).norm(dim=1).argsort(descending=True)[:FILTERS]
    return tiled(directions(filters[strongest]))


def chains_picture(rbm: RBM, chains: Tensor) -> np.ndarray:
    """The states of the persistent chains (M, D): samples of the model during training."""
    shown = chains[:CHAINS].unflatten(1, rbm.spec.shape)
    return grid(shown, rbm.spec)


def gibbs_picture(rbm: RBM, generator: torch.Generator) -> np.ndarray:
    """One row per chain, started at the data's means: E[v|h] after more and more Gibbs steps."""
    v, columns = rbm.units.sample(rbm.base_bias.expand(ROWS, -1), generator), []
    for before, now in zip((0, *STEPS), STEPS, strict=False):
        if now > before:
            v = rbm.gibbs(v, now - before - 1, generator)
            h = rbm.hidden(v, generator)
            columns.append(rbm.decode(h))
            v = rbm.units.sample(rbm.visible_field(h), generator)
        else:
            columns.append(rbm.as_data(v))
    tiles = to_pixels(torch.stack(columns, 1), rbm.spec)
    return sheet(tiles, None, [str(step) for step in STEPS], "Gibbs steps")
