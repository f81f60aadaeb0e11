"""The corruption that takes the colours away."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from nnlab.data.noise.base import Noise
from nnlab.data.spec import DataSpec, Part
from nnlab.errors import BadInput

LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue (ITU-R BT.601)


class Grayscale(Noise):
    """y = 0.299 r + 0.587 g + 0.114 b: one channel instead of three; the model has to find the colours."""

    replaces = True

    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)
        if self.part.kind != "image" or self.part.shape[0] != 3:
            what = f"{self.part.shape[0]} channel" if self.part.kind == "image" else "no image"
            raise BadInput(f"noise: grayscale needs images of 3 channels, but {spec.name} has {what}; use coloured images")

    @property
    def output(self) -> Part:
        return replace(self.part, shape=(1, *self.part.shape[1:]))

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, None]:
        return luma(x), None


def luma(x: Tensor) -> Tensor:
    """(N, 1, H, W) the brightness of images (N, C, H, W): of three channels their weighted sum, else their mean."""
    if x.shape[1] != 3:
        return x.mean(1, keepdim=True)
    red, green, blue = x.split(1, dim=1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
