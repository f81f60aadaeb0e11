"""Random squares of the training images are removed."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from nnlab.config.constraints import AtMost, MoreThan
from nnlab.data.augmentation.base import Augmentation, need_images
from nnlab.data.spec import DataSpec


class Cutout(Augmentation):
    """In each image a square has the value `low` (DeVries & Taylor 2017, "Improved regularization … with cutout").

    Its centre is any pixel, so that a part of the square may lie outside of the image.

    size  side of the square, as a share of the image's shorter side
    """

    moves = False

    def __init__(self, spec: DataSpec, *, size: Annotated[float, MoreThan(0), AtMost(1)] = 0.3) -> None:
        super().__init__(spec)
        need_images(spec, "squares are")
        self.side = max(1, round(size * min(spec.shape[1:])))

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        u = torch.rand((len(x), 2), device=x.device, generator=generator)
        within = [self.within(u[:, i], side) for i, side in enumerate(x.shape[2:])]
        return x.masked_fill(within[0][:, None, :, None] & within[1][:, None, None, :], self.spec.low)

    def within(self, u: Tensor, side: int) -> Tensor:
        """(N, side) bool: the rows, or columns, of the square whose centre is drawn by u (N,)."""
        start = (u * side).floor() - (self.side - 1) // 2
        place = torch.arange(side, device=u.device)
        return (place >= start[:, None]) & (place < start[:, None] + self.side)
