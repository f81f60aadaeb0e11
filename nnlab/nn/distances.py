"""Distances of points to units: (N, D) and (U, D) → (N, U), in the type of the points.

euclidean  (Σ_j (x_j − w_j)²)^½                cosine     1 − ⟨x, w⟩/(‖x‖ ‖w‖); 1 if one of them is zero
manhattan  Σ_j |x_j − w_j|                     dot        1 − ⟨x, w⟩, the raw product
supremum   max_j |x_j − w_j|                   minkowski  (Σ_j v_j |x_j − w_j|^p)^(1/p), weights v ≥ 0
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Name = Literal["euclidean", "dot", "cosine", "manhattan", "supremum", "minkowski"]


def squared_euclidean(x: Tensor, w: Tensor) -> Tensor:
    """Σ_j (x_j − w_j)² by one matrix product, ‖x‖² − 2⟨x, w⟩ + ‖w‖².

    Its error is relative to ‖x‖² and ‖w‖²: subtract a point near the mean from both before.
    """
    products = torch.addmm(w.square().sum(1), x, w.T, alpha=-2)
    return products.add_(x.square().sum(1, keepdim=True)).clamp_(min=0)


def euclidean(x: Tensor, w: Tensor) -> Tensor:
    """The mean of the units is subtracted first, so that the product above is exact."""
    middle = w.mean(0)
    return squared_euclidean(x - middle, w - middle).sqrt_()


def dot(x: Tensor, w: Tensor) -> Tensor:
    """1 − ⟨x, w⟩, (N, U), which may be negative."""
    return 1 - x @ w.T


def cosine(x: Tensor, w: Tensor) -> Tensor:
    """1 − ⟨x, w⟩/(‖x‖ ‖w‖), (N, U), between 0 and 2."""
    return dot(torch.nn.functional.normalize(x), torch.nn.functional.normalize(w))


def manhattan(x: Tensor, w: Tensor) -> Tensor:
    """Σ_j |x_j − w_j|, (N, U)."""
    return torch.cdist(x, w, p=1)


def supremum(x: Tensor, w: Tensor) -> Tensor:
    """max_j |x_j − w_j|, (N, U)."""
    return torch.cdist(x, w, p=torch.inf)


def minkowski(x: Tensor, w: Tensor, p: float = 2.0, weights: Tensor | None = None) -> Tensor:
    """p ≥ 1; weights (D,), all 1 unless given: each coordinate is stretched by v^(1/p) beforehand."""
    if weights is not None:
        stretch = weights ** (1 / p)
        x, w = x * stretch, w * stretch
    return euclidean(x, w) if p == 2 else torch.cdist(x, w, p=p)


DISTANCES: dict[str, Callable[..., Tensor]] = {
    "euclidean": euclidean,
    "dot": dot,
    "cosine": cosine,
    "manhattan": manhattan,
    "supremum": supremum,
    "minkowski": minkowski,
}
