"""The noise that adds Gaussian values."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from nnlab.config.constraints import AtLeast
from nnlab.data.noise.base import Noise
from nnlab.data.spec import DataSpec


class Gaussian(Noise):
    """x + ε, ε ~ N(0, σ²) with σ = std · (high − low); not clipped, so that the variance is exactly σ²."""

    def __init__(self, spec: DataSpec, *, std: Annotated[float, AtLeast(0)] = 0.3) -> None:
        super().__init__(spec)
        self.std = std

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        noise = torch.randn(x.shape, device=x.device, generator=generator)
        sigma = self.std * (self.high - self.low)
        return x.add(noise, alpha=sigma), torch.full_like(x, self.std > 0, dtype=torch.bool)
