"""Filling a lost part of an image without learning, as a baseline."""

from __future__ import annotations

import torch
from torch import Tensor


def interpolated(x: Tensor, lost: Tensor) -> Tensor:
    """x (N, C, H, W) with the lost values (N, C, H, W) bool linearly interpolated from the nearest known ones.

    Along its row a lost value is a/(a + b) of the way from the known value at distance a to the known value at distance b
    on the other side; the same along its column. If only one side has a known value, it is that value. The row's and the
    column's values are weighted by the inverse of their variances: ab/(a + b), or a if there is only one known value. These
    are the variances of a random walk through the known values, so the nearer pair has more weight. A value without a known
    value in its row and column does not change.
    """
    known = x.masked_fill(lost, 0)  # the values under the mask have no effect
    row, row_weight = along(known, lost)
    column, column_weight = (part.mT for part in along(known.mT, lost.mT))
    weight = row_weight + column_weight
    filled = (row * row_weight + column * column_weight) / weight.clamp(min=torch.finfo(x.dtype).tiny)
    return torch.where(lost & (weight > 0), filled, x)


def along(x: Tensor, lost: Tensor) -> tuple[Tensor, Tensor]:
    """Estimates (N, C, H, W) of the values along their rows, and the inverse variances of these."""
    before, a = nearest_before(x, lost)
    after, b = (part.flip(-1) for part in nearest_before(x.flip(-1), lost.flip(-1)))
    # 1/a and 1/b, zero where there is no known value: the estimate is their weighted mean, and their sum its inverse variance
    near, far = a.reciprocal(), b.reciprocal()
    weight = near + far
    return (before * near + after * far) / weight.clamp(min=torch.finfo(x.dtype).tiny), weight


def nearest_before(x: Tensor, lost: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest known value to the left of each, and its distance; infinite if there is none."""
    places = torch.arange(x.shape[-1], device=x.device).expand_as(x)
    last = torch.where(lost, -1, places).cummax(-1).values
    distance = torch.where(last < 0, torch.inf, (places - last).to(x.dtype))
    return x.gather(-1, last.clamp(min=0)), distance
