"""What a model is told of its data, and what it is fed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import prod
from typing import Literal

from torch import Tensor


@dataclass(frozen=True)
class DataSpec:
    """The data as a model sees them, so that a model is built without its dataset.

    shape    (C, H, W) of an image, (D,) of a row of a table
    classes  names of the classes; empty without labels
    low, high  the values that occur: of an image that is stored as bytes 0 and 1
    bounded  whether low and high are limits (images) or merely the extremes seen in training (tables)
    """

    name: str
    kind: Literal["image", "table"]
    shape: tuple[int, ...]
    classes: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    bounded: bool = True

    @property
    def features(self) -> int:
        return prod(self.shape)

    @property
    def in_unit_interval(self) -> bool:
        return self.bounded and self.low >= 0 and self.high <= 1

    def state(self) -> dict:
        """As plain values, for a checkpoint."""
        return {**asdict(self), "shape": list(self.shape), "classes": list(self.classes)}

    @classmethod
    def from_state(cls, state: dict) -> DataSpec:
        return cls(**{**state, "shape": tuple(state["shape"]), "classes": tuple(state["classes"])})


@dataclass
class Batch:
    """A batch on the device.

    input   (N, *shape) what the model sees: the clean data, corrupted by the noise
    target  (N, *shape) the clean data; the same tensor as `input` without noise
    mask    (N, *shape) bool, true where the noise touched the input; None without noise
    label   (N,) int64; None without labels
    """

    input: Tensor
    target: Tensor
    mask: Tensor | None = None
    label: Tensor | None = None

    def __len__(self) -> int:
        return len(self.target)
