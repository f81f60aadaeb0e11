"""The noise that darkens random rectangles of each image."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from nnlab.config.constraints import AtLeast
from nnlab.data.noise.base import Share
from nnlab.data.noise.rectangles import Rectangles
from nnlab.data.spec import DataSpec


class Darkening(Rectangles):
    """`rectangles` random rectangles per image, with sides up to `size` of the image's; in them x ← low + factor·(x − low)."""

    def __init__(
        self,
        spec: DataSpec,
        *,
        rectangles: Annotated[int, AtLeast(1)] = 2,
        size: Share = 0.4,
        factor: Share = 0.3,
    ) -> None:
        super().__init__(spec)
        self.rectangles, self.size, self.factor = rectangles, size, factor

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        _, h, w = self.spec.shape
        mask = torch.zeros((len(x), 1, h, w), dtype=torch.bool, device=x.device)
        for _ in range(self.rectangles):
            u = torch.rand((4, len(x)), device=x.device, generator=generator)
            height = (u[0] * max(1, round(self.size * h))).floor() + 1
            width = (u[1] * max(1, round(self.size * w))).floor() + 1
            mask |= self._inside((u[2] * (h - height + 1)).floor(), (u[3] * (w - width + 1)).floor(), height, width)
        mask = mask.expand_as(x)
        return torch.where(mask, self.low + self.factor * (x - self.low), x), mask
