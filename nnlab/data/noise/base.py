"""Corruptions of the input of a denoising model; its target stays clean.

Each is called with a batch of clean values and a generator, on the device. It returns the corrupted values and a mask
that is true where it changed them, both of the batch's shape. A pixel means all channels of a place; in a table, one column.
One that makes another image, such as edges (`replaces`), returns no mask, and `output` describes its values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from nnlab.config.constraints import Between
from nnlab.data.spec import DataSpec, Part

Share = Annotated[float, Between(0, 1)]


class Noise(ABC):
    """Base of the corruptions; built from the data's spec. They change what a model sees: the part `input`.

    erases    whether the values under the mask are lost completely
    identity  whether it leaves every value as it is
    replaces  whether its output is another kind of image, such as edges or a smaller one: input and target are then a pair
    part      of the values that it changes; `low` and `high` are the values that occur
    """

    erases: ClassVar[bool] = False
    identity: ClassVar[bool] = False
    replaces: ClassVar[bool] = False

    def __init__(self, spec: DataSpec) -> None:
        self.spec = spec
        self.part = spec.given
        self.low, self.high = self.part.low, self.part.high

    @property
    def output(self) -> Part:
        """The description of the corrupted values; by default that of the clean ones."""
        return self.part

    @abstractmethod
    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]: ...

    def _pixels(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """(N, 1, H, W) or (N, D): a number from [0, 1) for each pixel."""
        shape = (len(x), 1, *x.shape[2:]) if x.ndim == 4 else x.shape
        return torch.rand(shape, device=x.device, generator=generator)
