"""The description of data for a model, and a batch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from math import prod
from typing import Literal

import torch
from torch import Tensor

from nnlab.config.stored import restored
from nnlab.errors import shortened

MOST = 2**28  # largest number of values per example: a gigabyte as float32


@dataclass(frozen=True)
class DataSpec:
    """The data as a model sees them, so that a model is built without its dataset.

    shape    (C, H, W) of an image, (D,) of a row of a table
    classes  names of the classes; empty without labels
    low, high  smallest and largest value; 0 and 1 for an image that is stored as bytes
    bounded  whether low and high are limits (images), or only the extremes of the training data (tables)
    columns  names of a table's columns, if it has any
    range    the integers of an image's file that become 0 and 1; empty if they are not scaled
    digest   of the values and labels as they were loaded, to recognize another dataset of the same name
    splits   digest of the splits
    mean, std  (D,) of a standardised table, in the file's units; else empty
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
        """The number of values per example: the product of `shape`."""
        return prod(self.shape)

    @property
    def value_range(self) -> float:
        """high − low, or 1 if all values are equal: the unit of errors and noises."""
        return (self.high - self.low) or 1.0

    @property
    def in_unit_interval(self) -> bool:
        """Whether all values must lie within [0, 1], and not only those of the training data."""
        return self.bounded and self.low >= 0 and self.high <= 1

    @property
    def beyond_unit_interval(self) -> str:
        """The end of a message for a model that needs values within [0, 1]."""
        if not self.bounded and self.low >= 0 and self.high <= 1:
            return f"values that cannot leave [0, 1], and those of {self.name} only happen to lie there"
        return f"values within [0, 1], {self.name} has {self.low:g} … {self.high:g}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """(D,) of a table: its columns' names, or their numbers without names."""
        return self.columns or tuple(f"column {i}" for i in range(self.features))

    def original(self, x: Tensor) -> Tensor:
        """(N, *shape) values of a model → the file's units: mean + std · x.

        In float64 if the device has it; data that were not standardised do not change.
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
        """The inverse of `state`; fields that an older checkpoint lacks get their defaults. Raises ValueError."""
        spec = restored(cls, state)
        if not spec.shape or not 0 < spec.features <= MOST or not all(map(math.isfinite, (spec.low, spec.high))):
            raise ValueError(f"its data have the shape {shortened(spec.shape)} and values {spec.low} … {spec.high}")
        return spec


@dataclass
class Batch:
    """A batch on the device.

    input   (N, *shape) what the model sees: the clean data, corrupted by the noise
    target  (N, *shape) the clean data; the same tensor as `input` without noise
    mask    (N, *shape) bool, true where the noise changed the input; None without noise
    label   (N,) int64; None without labels
    erased  whether the values under the mask are lost completely, as in a hole
    scale   factor of the stored values: 1, except if a model reads images as stored bytes
    """

    input: Tensor
    target: Tensor
    mask: Tensor | None = None
    label: Tensor | None = None
    erased: bool = False
    scale: float = 1.0

    def __len__(self) -> int:
        return len(self.target)
