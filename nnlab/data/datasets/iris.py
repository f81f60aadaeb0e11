"""The iris flowers, a table of four measures from scikit-learn."""

from __future__ import annotations

import torch

from nnlab.data.parts import with_test
from nnlab.data.split import Arrays
from nnlab.data.table import Table

COUNT = 150


class Iris(Table):
    """Four measures in cm of 150 flowers of three species, from scikit-learn (Fisher 1936, "The use of multiple …").

    There is no test split: a fifth of each class is used, always the same.
    """

    def size(self) -> int:
        return COUNT * (4 * 4 + 8)

    def load(self) -> Arrays:
        """x (N, 4) in cm, labels (N,); the test set is a fifth of each class."""
        from sklearn.datasets import load_iris  # a second to import

        iris = load_iris()
        x, y = torch.from_numpy(iris.data), torch.from_numpy(iris.target).long()
        classes = tuple(str(name) for name in iris.target_names)
        return with_test(x, y, 0.2, classes, columns=tuple(iris.feature_names))
