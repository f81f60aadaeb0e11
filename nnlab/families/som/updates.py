"""The three updates of a map: online, by mini-batches, and by whole passes. h (U, U) is the neighbourhood."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from nnlab.families.som.som import SOM
from nnlab.model import Statistics
from nnlab.nn.float64 import to_float64

NEAR_ONE = 1 - 1e-7  # a step of 1 leaves the share 0, which has no logarithm


def online(model: SOM, x: Tensor, h: Tensor, rate: float) -> Tensor:
    """w_j ← w_j + α h_{j,l(x)} (x − w_j), one example of (N, D) after another. Returns their distances to the winner, (N,)."""
    distances = torch.empty(len(x), device=x.device)
    shares = rate * h
    for i, example in enumerate(x.split(1)):
        distances[i], winner = (part[0] for part in model.evaluate_split(example).min(1))
        model.place(torch.lerp(model.units, example, shares.index_select(0, winner[None]).T))
    return distances


def mini_batch(model: SOM, x: Tensor, h: Tensor, rate: float) -> Tensor:
    """The online rule if the winners l of N examples are computed together and the order does not matter.

    w_j ← k_j w_j + (1 − k_j) Σ_x h_{j,l(x)} x / Σ_x h_{j,l(x)},   k_j = Π_x (1 − α h_{j,l(x)})

    k_j is exactly the share of a unit that is left after N online steps; N = 1 is the online rule. Only the number n_l and the
    sum S_l of each unit's examples are needed. Returns the distances to the winner, (N,).
    """
    least, winner = model.evaluate_split(x).min(1)
    count, total = own(winner, x, len(h))
    kept = ((-rate * h).clamp(min=-NEAR_ONE).log1p() @ count).exp()
    weight = h @ count
    reached = weight > torch.finfo(weight.dtype).tiny
    mean = (h @ total) / torch.where(reached, weight, 1.0)[:, None]
    model.place(torch.lerp(model.units, mean, torch.where(reached, 1 - kept, 0.0)[:, None]))
    return least


def own(winner: Tensor, x: Tensor, units: int) -> tuple[Tensor, Tensor]:
    """How many of the examples (N, D) each unit wins, (U,), and their sum, (U, D)."""
    count = torch.zeros(units, dtype=x.dtype, device=x.device).index_add_(0, winner, x.new_ones(len(x)))
    return count, torch.zeros(units, x.shape[1], dtype=x.dtype, device=x.device).index_add_(0, winner, x)


def gather(model: SOM, x: Tensor, sums: Statistics | None) -> tuple[Statistics, Tensor]:
    """The statistics of a pass plus those of a batch (N, D), float64, and the distances to the winner, (N,).

    With cosine the sums are over directions and over lengths.
    """
    least, winner = model.evaluate_split(x).min(1)
    count, total = own(winner, to_float64(normalize(x) if model.distance == "cosine" else x), len(model.units))
    length = torch.zeros_like(count).index_add_(0, winner.to(count.device), to_float64(x.norm(dim=1)))
    batch = {"n": count, "x": total, "length": length}
    return {name: sums[name] + value if sums else value for name, value in batch.items()}, least


def batch(model: SOM, sums: Statistics, h: Tensor) -> None:
    """w_j ← Σ_x h_{j,l(x)} x / Σ_x h_{j,l(x)}: the unit that minimises Σ_x h d². A unit far from all winners stays.

    With cosine it is the mean direction with the mean length; with dot its length is 1.
    """
    h = h.to(sums["x"])
    weight = h @ sums["n"]
    reached = weight > torch.finfo(torch.float32).tiny
    mean = (h @ sums["x"]) / torch.where(reached, weight, 1.0)[:, None]
    if model.distance == "cosine":
        mean = normalize(mean) * (h @ sums["length"] / torch.where(reached, weight, 1.0))[:, None]
    model.place(torch.where(reached[:, None], mean, model.units.to(mean)).to(model.units))
