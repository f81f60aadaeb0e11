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


class Edges(Noise):
    """The strength of the edges, one channel: m = 2 √(g_x² + g_y²) / range, at most 1; the model has to fill the image.

    g_x and g_y are the Sobel slopes per pixel, averaged over three rows or columns (Gonzalez & Woods 2018, "Digital image
    processing", section 10.2). A step over the whole range has m = 1. A coloured image has the edges of its brightness. Beyond
    its border an image goes on as it ends, so the border is no edge.

    threshold  a pixel with m ≥ threshold becomes 1, any other 0; None: m itself
    """

    replaces = True

    def __init__(self, spec: DataSpec, *, threshold: Annotated[float, Between(0.001, 1)] | None = None) -> None:
        super().__init__(spec)
        if self.part.kind != "image":
            raise BadInput(f"noise: edges needs images, but {spec.name} is a table of {spec.features} columns")
        self.threshold = threshold

    @property
    def output(self) -> Part:
        return replace(self.part, shape=(1, *self.part.shape[1:]), low=0.0, high=1.0, bounded=True)

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, None]:
        padded = functional.pad(luma(x), (1, 1, 1, 1), mode="replicate")
        across, down = slope(padded), slope(padded.mT).mT
        m = ((across.square() + down.square()).sqrt() * (2 / self.part.value_range)).clamp_(max=1)
        return m if self.threshold is None else (m >= self.threshold).to(x.dtype), None


def slope(x: Tensor) -> Tensor:
    """(N, 1, H, W) the slope per pixel along the width of (N, 1, H + 2, W + 2), averaged over three rows by 1, 2, 1."""
    rows = x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]
    return (rows[..., 2:] - rows[..., :-2]) / 8
