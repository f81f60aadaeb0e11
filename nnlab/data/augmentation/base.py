"""Random changes of training images that keep the class. On the device, for a whole batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from nnlab.data.spec import DataSpec


class Augmentation(ABC):
    """Base of the augmentations; built from the data's spec and the keys of its YAML.

    identity  whether it leaves every value as it is
    """

    identity: ClassVar[bool] = False

    def __init__(self, spec: DataSpec) -> None:
        self.spec = spec

    @abstractmethod
    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """(N, *shape) → the same shape, each example changed in its own way."""
