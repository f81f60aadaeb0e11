"""The noise that sets random pixels to the lowest or to the highest value."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.data.noise.base import Noise, Share
from nnlab.data.spec import DataSpec


class SaltPepper(Noise):
    """Each pixel with probability `amount` becomes `low` or `high`, with equal probability."""

    def __init__(self, spec: DataSpec, *, amount: Share = 0.2) -> None:
        super().__init__(spec)
        self.amount = amount

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        u = self._pixels(x, generator)
        mask = (u < self.amount).expand_as(x)
        extreme = torch.where(u < self.amount / 2, self.low, self.high).to(x.dtype)
        return torch.where(mask, extreme, x), mask
