"""The noise that cuts one rectangle out of each image."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from nnlab.data.noise.base import Share
from nnlab.data.noise.rectangles import Rectangles
from nnlab.data.spec import DataSpec


class Hole(Rectangles):
    """One rectangle, with sides of `size` of the image's, is set to `low`; the model has to fill it."""

    erases = True

    def __init__(self, spec: DataSpec, *, size: Share = 0.4, position: Literal["random", "center"] = "random") -> None:
        super().__init__(spec)
        self.size, self.position = size, position
        self.sides = [self._pixels_of(size, side, "noise.size") for side in spec.shape[1:]]

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        n, (_, h, w) = len(x), self.spec.shape
        height, width = (torch.full((n,), side, device=x.device) for side in self.sides)
        if self.position == "center":
            u = torch.full((2, n), 0.5, device=x.device)
        else:
            u = torch.rand((2, n), device=x.device, generator=generator)
        top, left = (u[0] * (h - height + 1)).floor(), (u[1] * (w - width + 1)).floor()
        mask = self._inside(top, left, height, width).expand_as(x)
        return x.masked_fill(mask, self.low), mask
