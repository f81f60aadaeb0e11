"""No augmentation."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.data.augmentation.base import Augmentation


class NoAugmentation(Augmentation):
    """x."""

    identity = True
    moves = False

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return x
