"""How well a map keeps what is near near, by distances d (N, U) of examples to units under the metric that trained it."""

from __future__ import annotations

import torch
from torch import Tensor


def topographic_error(d: Tensor, next_to: Tensor) -> Tensor:
    """(N,) 1 where an example's two nearest units are no neighbours on the lattice, (U, U) bool (Kiviluoto 1996)."""
    first, second = d.topk(2, dim=1, largest=False).indices.unbind(1)
    return (~next_to[first, second]).to(d)


def distortion(d: Tensor, h: Tensor, squared: bool) -> Tensor:
    """(N,) Σ_j h_{j,l} d_j² with the winner l and the neighbourhood h (U, U); d_j itself unless `squared`."""
    cost = d.square() if squared else d
    return (torch.index_select(h, 0, d.argmin(1)) * cost).sum(1)
