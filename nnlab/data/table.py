"""Tables, and their standardisation."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from nnlab.data.dataset import Dataset
from nnlab.data.source import FileArray
from nnlab.data.split import Arrays
from nnlab.errors import BadInput


class Table(Dataset):
    """Base of the tables (N, D).

    standardize  a model gets (x − mean)/std of each column, with the mean and the population std of the training split;
                 `DataSpec.original` undoes it
    """

    def __init__(self, *, standardize: bool = True, **common) -> None:
        super().__init__(**common)
        self.standardize = standardize

    def prepare(self, arrays: Arrays, train: Tensor) -> Arrays:
        """The table as float32. Raises BadInput for images."""
        x, x_test = arrays.x_train, arrays.x_test
        if x.ndim == 4:
            if self.standardize:
                raise BadInput(f"data.standardize: {self.name} holds images, but only tables can be standardised")
            return super().prepare(arrays, train)
        if not self.standardize:
            x, x_test = (part if isinstance(part, FileArray) else part.float() for part in (x, x_test))
            return super().prepare(replace(arrays, x_train=x, x_test=x_test), train)
        mean, std = statistics(x[train])
        if not isinstance(x, FileArray):  # a file's rows are standardised when they are read
            x, x_test = (((part.double() - mean) / std).float() for part in (x, x_test))
        standard = replace(arrays, x_train=x, x_test=x_test, mean=tuple(mean.tolist()), std=tuple(std.tolist()))
        return super().prepare(standard, train)


def statistics(x: Tensor | FileArray) -> tuple[Tensor, Tensor]:
    """Mean and population standard deviation of each column, (D,) float64 each; deviation 1 for a constant column."""
    if isinstance(x, FileArray):
        mean = sum(part.sum(0) for part in x.chunks()) / len(x)
        std = (sum((part - mean).square().sum(0) for part in x.chunks()) / len(x)).sqrt()
        first = next(x.chunks())[0]
        constant = torch.stack([(part == first).all(0) for part in x.chunks()]).all(0) | (std == 0)
    else:
        x = x.double()
        mean, std, first = x.mean(0), x.std(0, correction=0), x[0]
        constant = (x == first).all(0) | (std == 0)  # rounding may give a constant column a tiny deviation
    return torch.where(constant, first, mean), std.masked_fill(constant, 1.0)
