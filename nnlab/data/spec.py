"""What a model is told of its data, and what it is fed."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from math import prod
from typing import Literal

import torch
from torch import Tensor

from nnlab.config.stored import restored
from nnlab.errors import shortened

MOST = 2**28  # values of an example: a gigabyte as float32


@dataclass(frozen=True)
class DataSpec:
    """The data as a model sees them, so that a model is built without its dataset.

    shape    (C, H, W) of an image, (D,) of a row of a table
    classes  names of the classes; empty without labels
    low, high  the values that occur: of an image that is stored as bytes 0 and 1
    bounded  whether low and high are limits (images) or merely the extremes seen in training (tables)
    columns  names of a table's columns, where it has any
    range    the whole numbers of an image's file that are 0 and 1 to a model; empty where they are as they are
    digest   of the values and labels as they were loaded, so that a set is told from another of the same name
    splits   of which examples are in which split
    mean, std  (D,) what a standardised table was shifted and divided by, in the file's units; empty if it was not
    """

    name: str
    kind: Literal["image", "table"]
    shape: tuple[int, ...]
    classes: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    bounded: bool = True
    columns: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    digest: str = ""
    splits: str = ""
    range: tuple[float, ...] = ()

    @property
    def features(self) -> int:
        """How many values an example has: the product of `shape`."""
        return prod(self.shape)

    @property
    def value_range(self) -> float:
        """high − low, or 1 where all values are the same: what errors and noises are measured in."""
        return (self.high - self.low) or 1.0

    @property
    def in_unit_interval(self) -> bool:
        """Whether all values lie within [0, 1] by their nature, and not merely in training."""
        return self.bounded and self.low >= 0 and self.high <= 1

    @property
    def beyond_unit_interval(self) -> str:
        """What to say to whoever needs values within [0, 1] and has none that are sure to be."""
        if not self.bounded and self.low >= 0 and self.high <= 1:
            return f"values that cannot leave [0, 1], and those of {self.name} only happen to lie there"
        return f"values within [0, 1], {self.name} has {self.low:g} … {self.high:g}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """(D,) of a table: its columns' names, or their numbers where they have none."""
        return self.columns or tuple(f"column {i}" for i in range(self.features))

    def original(self, x: Tensor) -> Tensor:
        """(N, *shape) what a model sees or makes → the same in the file's units: mean + std · x.

        In float64 where the device has it; data that were not standardised come back as they are.
        """
        if not self.mean:
            return x
        wide = torch.float32 if x.device.type == "mps" else torch.float64
        mean, std = (torch.tensor(values, dtype=wide, device=x.device) for values in (self.mean, self.std))
        return x.to(wide) * std + mean

    def state(self) -> dict:
        """As plain values, for a checkpoint."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_state(cls, state: dict) -> DataSpec:
        """The inverse of `state`; what an older checkpoint does not say keeps its default. Raises ValueError."""
        spec = restored(cls, state)
        if not spec.shape or not 0 < spec.features <= MOST or not all(map(math.isfinite, (spec.low, spec.high))):
            raise ValueError(f"its data have the shape {shortened(spec.shape)} and values {spec.low} … {spec.high}")
        return spec


@dataclass
class Batch:
    """A batch on the device.

    input   (N, *shape) what the model sees: the clean data, corrupted by the noise
    target  (N, *shape) the clean data; the same tensor as `input` without noise
    mask    (N, *shape) bool, true where the noise touched the input; None without noise
    label   (N,) int64; None without labels
    erased  whether the input holds nothing more of a value where the mask is true, as in a hole
    scale   what a stored value is multiplied by: 1, but where a model asked for images as the bytes that are stored
    """

    input: Tensor
    target: Tensor
    mask: Tensor | None = None
    label: Tensor | None = None
    erased: bool = False
    scale: float = 1.0

    def __len__(self) -> int:
        return len(self.target)
