"""The arrays of a dataset, and its splits on the device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nnlab.data.spec import DataSpec
from nnlab.nn.spaced import evenly_spaced


@dataclass
class Arrays:
    """What a dataset's files hold, on the CPU.

    x        (N, *shape) uint8, or float32 where the values are real; a table as loaded may be float64
    y        (N,) int64 class numbers, or None
    scale    a stored value times `scale` is the value a model sees
    columns  names of a table's columns
    mean, std  (D,) what the columns of a table were standardised by
    dynamic_binarization  whether that value is but the probability of a 1, drawn at each reading
    range    the numbers of the file that are 0 and 1 to a model, where the scale does not say it
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
    """Rows of an array on the device. Training and validation share one array: a split copies no image.

    dynamic_binarization  a value is the probability of a 1: `values` gives the probabilities, and each reading of a batch
                          draws from them
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
        """Whether the values are 0 and 1 alone."""
        return self.x.dtype == torch.uint8 and self.scale == 1

    def spread(self, n: int) -> Tensor:
        """(n,) rows at even distances, fewer if there are no more: files often come sorted by class."""
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
    """A dataset on the device that trains.

    held_out  the test examples of the classes that `data.classes` keeps out; their labels number `held_out_classes`
    remarks how the files were read, where another reading was possible; a sentence each, told when a run begins
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
