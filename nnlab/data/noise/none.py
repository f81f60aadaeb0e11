"""No noise."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.data.noise.base import Noise


class NoNoise(Noise):
    """The input as it is; the mask is None."""

    identity = True

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, None]:
        return x, None
