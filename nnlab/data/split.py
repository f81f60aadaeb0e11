"""The arrays of a dataset, and its splits on the device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nnlab.data.spec import DataSpec
from nnlab.nn.spaced import evenly_spaced


@dataclass
class Arrays:
    """The contents of a dataset's files, on the CPU.

    x        (N, *shape) uint8, or float32 for real values; a table as loaded may be float64
    y        (N,) int64 class numbers, or None
    scale    the value for a model is the stored value times `scale`
    columns  names of a table's columns
    mean, std  (D,) of the columns of a standardised table
    dynamic_binarization  whether the value is the probability of a 1, which is drawn at each reading
    range    the numbers of the file that become 0 and 1, if the scale does not say it
    """

    x_train: Tensor
    y_train: Tensor | None
    x_test: Tensor
    y_test: Tensor | None
    classes: tuple[str, ...] = ()
    scale: float = 1 / 255
    columns: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    dynamic_binarization: bool = False
    range: tuple[float, float] | tuple[()] = ()


@dataclass
class Split:
    """Rows of an array on the device. Training and validation share one array: a split does not copy images.

    dynamic_binarization  a value is the probability of a 1: `values` returns the probabilities, and each reading of a batch
                          draws bits from them
    """

    x: Tensor
    y: Tensor | None
    rows: Tensor  # (n,) int64, into x and y
    scale: float
    dynamic_binarization: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_binary(self) -> bool:
        """Whether all values are 0 or 1."""
        return self.x.dtype == torch.uint8 and self.scale == 1

    def spread(self, n: int) -> Tensor:
        """(n,) evenly spaced rows (all if there are fewer), since files are often sorted by class."""
        return self.rows[evenly_spaced(len(self), n).to(self.rows.device)]

    def values(self, rows: Tensor) -> Tensor:
        """(n, *shape) float32: the rows of `x`, gathered and cast."""
        values = self.x.index_select(0, rows)
        return values.to(torch.float32) if self.scale == 1 else values * self.scale  # a byte times a number is a float32

    def labels(self, rows: Tensor) -> Tensor | None:
        """The labels (n,) int64 of rows (n,) of the array; None where there are none."""
        return None if self.y is None else self.y.index_select(0, rows)


@dataclass
class Data:
    """A dataset on the device.

    held_out  the test examples of the classes that `data.classes` excludes; their labels index `held_out_classes`
    remarks messages about how the files were read, shown at the start of a run
    """

    spec: DataSpec
    train: Split
    validation: Split
    test: Split
    held_out: Split
    held_out_classes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def split(self, name: str) -> Split:
        """The split of this name: train, validation, test or held_out."""
        return getattr(self, name)
