"""How well a map keeps neighbours together, from distances d (N, U) of examples to units, by the map's metric."""

from __future__ import annotations

import torch
from torch import Tensor


def topographic_error(d: Tensor, around: Tensor) -> Tensor:
    """(N,) 1 if an example's two nearest units are not neighbours; `around` is (U, U) bool (Kiviluoto 1996).

    On a rectangular lattice a unit has eight neighbours, as in MiniSom.
    """
    first, second = d.topk(2, dim=1, largest=False).indices.unbind(1)
    return (~around[first, second]).to(d)


def distortion(d: Tensor, h: Tensor, squared: bool) -> Tensor:
    """(N,) Σ_j h_{j,l} d_j² with the winner l and the neighbourhood h (U, U); d_j itself unless `squared`."""
    cost = d.square() if squared else d
    return (torch.index_select(h, 0, d.argmin(1)) * cost).sum(1)
