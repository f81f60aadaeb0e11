"""Handwritten digits of 8×8 pixels from scikit-learn, without a download."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import torch

from nnlab.data.images import Images
from nnlab.data.parts import with_test
from nnlab.data.split import Arrays

COUNT = 1797


class Digits(Images):
    """Handwritten digits of 8×8 pixels with 17 gray levels, from scikit-learn (Alpaydin & Kaynak 1998).

    Values are k/16, k = 0 … 16. There is no test split: a fifth of each class is used, always the same.
    """

    def size(self) -> int:
        return COUNT * (64 + 8)

    def load(self) -> Arrays:
        """x (N, 1, 8, 8) uint8 from 0 to 16, labels (N,); the test set is a fifth of each class."""
        rows = np.loadtxt(file(), delimiter=",", dtype=np.int64)  # 64 pixels and the class
        x = torch.from_numpy(rows[:, :64]).to(torch.uint8).view(-1, 1, 8, 8)
        y = torch.from_numpy(rows[:, 64].copy())
        return with_test(x, y, 0.2, tuple("0123456789"), scale=1 / 16)


def file() -> Path:
    """The file of scikit-learn. `load_digits` reads the same file, but takes two seconds to import."""
    (package,) = importlib.util.find_spec("sklearn").submodule_search_locations
    return Path(package) / "datasets" / "data" / "digits.csv.gz"
