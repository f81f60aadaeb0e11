"""Shared by the datasets of a user's own files: classes from labels, and a test split from a share of the rows."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.dataset import set_aside
from nnlab.data.split import Arrays
from nnlab.errors import BadInput


def classes_of(labels: np.ndarray) -> tuple[Tensor, tuple[str, ...]]:
    """(N,) labels of any kind → (N,) int64 class numbers, and the classes' names in sorted order."""
    names, y = np.unique(labels, return_inverse=True)
    return torch.from_numpy(y.reshape(-1)).long(), tuple(str(name) for name in names)


def to_dict(labels: np.ndarray) -> np.ndarray:
    """(N,) or (N, 1) labels as (N,): integers stored as floats give the same classes as integers."""
    labels = labels.reshape(-1)
    return labels.astype(np.int64) if labels.dtype.kind == "f" and (labels == np.floor(labels)).all() else labels


def with_test(
    x: Tensor, y: Tensor | None, share: float, classes: tuple[str, ...] = (), scale: float = 1.0, columns: tuple[str, ...] = ()
) -> Arrays:
    """Split an array in two: a share of each class is the test split. Raises BadInput if a part is empty."""
    train, test = set_aside(y, len(x), share)
    if not len(test):
        alone = (
            f"; the labels are {len(classes)} classes: is that column a date, a name, a number?"
            if len(classes) > len(x) / 2
            else ""
        )
        raise BadInput(f"data.test: {share:g} of {len(x)} examples leaves none to test on{alone}")
    y_train, y_test = (None, None) if y is None else (y[train], y[test])
    return Arrays(x[train], y_train, x[test], y_test, classes, scale, columns)
