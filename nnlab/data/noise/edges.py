"""The corruption that leaves only the edges of an image."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from nnlab.config.constraints import Between
from nnlab.data.noise.base import Noise
from nnlab.data.noise.grayscale import luma
from nnlab.data.spec import DataSpec, Part
from nnlab.errors import BadInput

KERNEL = ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))  # of the slope along x, times 8; its transpose is that along y


class Edges(Noise):
    """The strength of the edges, one channel: m = 2 √(g_x² + g_y²) / range, at most 1; the model has to fill the image.

    g_x and g_y are the Sobel slopes per pixel, averaged over three rows or columns (Gonzalez & Woods 2018, "Digital image
    processing", section 10.2). A step over the whole range has m = 1. A coloured image has the edges of its brightness. Beyond
    its border an image goes on as it ends, so the border is no edge.

    threshold  from which m on a pixel is an edge, 1, and else 0; None: m itself
    """

    replaces = True

    def __init__(self, spec: DataSpec, *, threshold: Annotated[float, Between(0, 1)] | None = None) -> None:
        super().__init__(spec)
        if self.part.kind != "image":
            raise BadInput(f"noise: edges needs images, but {spec.name} is a table of {spec.features} columns")
        self.threshold = threshold

    @property
    def output(self) -> Part:
        return replace(self.part, shape=(1, *self.part.shape[1:]), low=0.0, high=1.0, bounded=True)

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, None]:
        kernel = x.new_tensor(KERNEL) / 8
        slopes = functional.conv2d(
            functional.pad(luma(x), (1, 1, 1, 1), mode="replicate"), torch.stack([kernel, kernel.T])[:, None]
        )
        m = (slopes.square().sum(1, keepdim=True).sqrt() * (2 / self.part.value_range)).clamp_(max=1)
        return m if self.threshold is None else (m >= self.threshold).to(x.dtype), None
