"""What a lost part of an image is filled with by those who have learned nothing of images."""

from __future__ import annotations

import torch
from torch import Tensor


def interpolated(x: Tensor, lost: Tensor) -> Tensor:
    """x (N, C, H, W) with the lost values (N, C, H, W) bool linearly interpolated from the nearest known ones.

    Along its row a lost value is a/(a + b) of the way from the known one at a distance a on one side to that at b on the other,
    and along its column likewise; where only one side holds a known value, it is that. The two are weighted by the inverse of
    their variances ab/(a + b), a where there is but one: what a random walk pinned to the known values has, so that the
    nearer pair counts for more. With no known value in its row and column it stays as it is.
    """
    known = x.masked_fill(lost, 0)  # what lies below the mask has no bearing, whatever it is
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
    """The nearest known value to the left of each, and how far away it is: infinitely, where there is none."""
    places = torch.arange(x.shape[-1], device=x.device).expand_as(x)
    last = torch.where(lost, -1, places).cummax(-1).values
    distance = torch.where(last < 0, torch.inf, (places - last).to(x.dtype))
    return x.gather(-1, last.clamp(min=0)), distance
