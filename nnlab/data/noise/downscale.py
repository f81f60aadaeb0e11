"""The corruption that makes an image smaller."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from nnlab.data.noise.base import Noise
from nnlab.data.spec import DataSpec, Part
from nnlab.errors import BadInput


class Downscale(Noise):
    """The image at 1/factor of its height and width, by antialiased bicubic interpolation; the model has to enlarge it.

    This is how super-resolution is tested (Ledig et al. 2017, "Photo-realistic single image super-resolution …").
    """

    replaces = True

    def __init__(self, spec: DataSpec, *, factor: Literal[2, 4, 8] = 2) -> None:
        super().__init__(spec)
        if self.part.kind != "image":
            raise BadInput(f"noise: downscale needs images, but {spec.name} is a table of {spec.features} columns")
        _, height, width = self.part.shape
        if height % factor or width % factor:
            able = [str(f) for f in (2, 4, 8) if not (height % f or width % f)]
            remedy = f"use {' or '.join(able)}" if able else "use images of an even height and width"
            raise BadInput(f"noise.factor: images of {height}×{width} have no whole part of {factor}; {remedy}")
        self.factor = factor

    @property
    def output(self) -> Part:
        channels, height, width = self.part.shape
        return replace(self.part, shape=(channels, height // self.factor, width // self.factor))

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, None]:
        smaller = functional.interpolate(x, self.output.shape[1:], mode="bicubic", antialias=True)
        return smaller.clamp_(self.low, self.high), None  # a cubic goes a little beyond the values at an edge
