"""The noise that cuts off one side of each image."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from nnlab.data.noise.base import Share
from nnlab.data.noise.rectangles import Rectangles
from nnlab.data.spec import DataSpec


class Cut(Rectangles):
    """One side of the image is set to `low`; an associative memory can complete it.

    amount  the share of the image that is removed
    """

    erases = True

    def __init__(
        self, spec: DataSpec, *, amount: Share = 0.5, side: Literal["bottom", "top", "left", "right"] = "bottom"
    ) -> None:
        super().__init__(spec)
        self.amount, self.side = amount, side
        _, h, w = spec.shape
        self.lines = self._pixels_of(amount, h if side in ("top", "bottom") else w, "noise.amount")

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        lost = torch.zeros(self.spec.shape[1:], dtype=torch.bool, device=x.device)
        along = lost if self.side in ("top", "bottom") else lost.T
        along[: self.lines] = True
        mask = (lost if self.side in ("top", "left") else lost.flip(0, 1)).expand_as(x)
        return x.masked_fill(mask, self.low), mask
