"""Figures of what is painted in a box: the intersection over union of two boxes, and the share of the ink inside.

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
