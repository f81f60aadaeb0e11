"""Boxes and points of images: the intersection over union of two boxes, the share of the ink inside, and other places.

Ink are the pixels whose brightest channel is `INK` or more of the range from the data's lowest value; darker ones are haze.
So it is meant for images on a black ground.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.data.ink import start_and_length
from nnlab.data.spec import DataSpec

INK = 32 / 255


def ink(x: Tensor, spec: DataSpec) -> Tensor:
    """(N, C, H, W) → (N, H, W): the brightest channel as a share of the range, 0 … 1; 0 where it is below INK."""
    level = ((x.float() - spec.low) / spec.value_range).amax(1).clamp(0, 1)
    return level * (level >= INK)


def painted(level: Tensor) -> Tensor:
    """(N, H, W) ink → (N, 4) float32: left, top, width, height in pixels of its tight bounds; zeros without ink."""
    left, width = start_and_length((level > 0).any(1))
    top, height = start_and_length((level > 0).any(2))
    return torch.stack([left, top, width, height], 1).float()


def intersection_over_union(a: Tensor, b: Tensor) -> Tensor:
    """(N,) of boxes (N, 4) left, top, width, height: |a ∩ b| / |a ∪ b|; 0 if both are empty."""
    sides = torch.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])
    common = sides.clamp(min=0).prod(1)
    union = a[:, 2:].prod(1) + b[:, 2:].prod(1) - common
    return common / union.clamp(min=1e-12)


def share_inside(level: Tensor, box: Tensor) -> Tensor:
    """(N,) of ink (N, H, W): the share of it in the pixels whose centre is in the box (N, 4), in pixels; 0 without ink."""
    left, top, width, height = box[:, :, None].unbind(1)
    across, down = (torch.arange(n, device=level.device) + 0.5 for n in (level.shape[2], level.shape[1]))
    inside = ((down >= top) & (down < top + height))[:, :, None] & ((across >= left) & (across < left + width))[:, None]
    return (level * inside).sum((1, 2)) / level.sum((1, 2)).clamp(min=1e-12)


def bounds_of(places: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 2), (N, 2): the left upper and the right lower corner of boxes (N, 4), or of the points (N, P, 2) that are there."""
    if places.ndim == 2:
        return places[:, :2], places[:, :2] + places[:, 2:]
    missing = (places < 0).any(-1, keepdim=True)
    return places.masked_fill(missing, torch.inf).amin(1), places.masked_fill(missing, 0).amax(1)


def moved_by_half(places: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Boxes (N, 4) or points (N, P, 2), in pixels of images (…, H, W), elsewhere within the image and of the same size.

    They go half of the room that they have, in whole pixels, to the right and down, or back where that leads out of the image.
    Missing points stay missing.
    """
    start, end = bounds_of(places)
    room = torch.tensor(shape[:-3:-1], dtype=places.dtype, device=places.device) - (end - start)
    half = (room / 2).floor()
    way = torch.where(start + half <= room, half, -half)
    if places.ndim == 2:
        return torch.cat([places[:, :2] + way, places[:, 2:]], 1)
    return torch.where(places < 0, places, places + way[:, None])
