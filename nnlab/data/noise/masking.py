"""The noise that sets random pixels to the lowest value."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.data.noise.base import Noise, Share
from nnlab.data.spec import DataSpec


class Masking(Noise):
    """Each pixel with probability `amount` becomes `low` (Vincent et al. 2010, "Stacked denoising autoencoders")."""

    erases = True

    def __init__(self, spec: DataSpec, *, amount: Share = 0.5) -> None:
        super().__init__(spec)
        self.amount = amount

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        mask = (self._pixels(x, generator) < self.amount).expand_as(x)
        return x.masked_fill(mask, self.low), mask
