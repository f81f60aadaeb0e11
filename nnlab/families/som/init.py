"""The start of the units of a map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from nnlab.data.split import Split
from nnlab.families.som.lattice import Lattice
from nnlab.nn.float64 import to_float64

Init = Literal["plane", "samples", "random"]
MEASURED = 1000  # number of examples for the principal plane


def plane(split: Split, lattice: Lattice) -> Tensor:
    """(U, D) μ + a √λ₁ u₁ + b √λ₂ u₂, with u_i the principal directions, λ_i the variances along them.

    (a, b) are the units' places on the lattice, scaled to mean 0 and variance 1, so that the map is as wide as the data. Its
    longer side is along the first direction, whose largest entry is positive.
    """
    x = to_float64(split.values(split.spread(MEASURED)).flatten(1))
    mean = x.mean(0)
    _, deviation, directions = torch.linalg.svd((x - mean) / len(x) ** 0.5, full_matrices=False)
    places = lattice.positions.to(mean)
    if lattice.rows > lattice.columns:
        places = places.flip(1)
    centred = places - places.mean(0)
    standard = centred / centred.square().mean(0).sqrt().clamp(min=1e-12)
    count = min(2, len(directions))
    directions = directions[:count] * directions[:count].gather(1, directions[:count].abs().argmax(1, keepdim=True)).sign()
    return (mean + (standard[:, :count] * deviation[:count]) @ directions).float()


def samples(split: Split, lattice: Lattice) -> Tensor:
    """(U, D) distinct examples."""
    rows = split.at(torch.randperm(len(split))[: lattice.size])
    return split.values(rows).flatten(1)


def random(split: Split, lattice: Lattice) -> Tensor:
    """(U, D) normal numbers with the data's mean and standard deviation, coordinate by coordinate."""
    x = to_float64(split.values(split.spread(MEASURED)).flatten(1))
    noise = torch.randn(lattice.size, x.shape[1]).to(x)
    return (x.mean(0) + noise * x.std(0, correction=0)).float()


INIT: dict[str, Callable[[Split, Lattice], Tensor]] = {"plane": plane, "samples": samples, "random": random}
