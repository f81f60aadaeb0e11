"""Handwritten digits of 8×8 pixels from scikit-learn, without a download."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nnlab.config.constraints import AtLeast
from nnlab.data.images import Images
from nnlab.data.parts import with_test
from nnlab.data.split import Arrays
from nnlab.errors import ArgumentError

COUNT, SIDE, TOP = 1797, 8, 16


class Digits(Images):
    """Handwritten digits of 8×8 pixels with 17 gray levels, from scikit-learn (Alpaydin & Kaynak 1998).

    Values are k/16, k = 0 … 16. There is no test split: a fifth of each class is used, always the same.

    size    enlarges the images to (size, size), bicubic, with 256 gray levels; 8 or None: as they are
    margin  empty pixels at each border of an enlarged image, within its size
    """

    def __init__(
        self, *, size: Annotated[int, AtLeast(SIDE)] | None = None, margin: Annotated[int, AtLeast(0)] = 0, **common
    ) -> None:
        super().__init__(**common)
        self.side, self.margin = size or SIDE, margin
        if self.side - 2 * margin < SIDE:
            least = SIDE + 2 * margin
            raise ArgumentError(
                "margin",
                f"of {self.side} pixels {margin} at each border leave fewer than {SIDE}; give data.size={least} or more",
            )

    def size(self) -> int:
        return COUNT * (self.side**2 + 8)

    def load(self) -> Arrays:
        """x (N, 1, 8, 8) uint8 from 0 to 16, or enlarged from 0 to 255; labels (N,); the test set is a fifth of each class."""
        rows = np.loadtxt(file(), delimiter=",", dtype=np.int64)  # 64 pixels and the class
        x = torch.from_numpy(rows[:, :64]).to(torch.uint8).view(-1, 1, 8, 8)
        y = torch.from_numpy(rows[:, 64].copy())
        x, scale = (x, 1 / TOP) if self.side == SIDE else (enlarged(x, self.side, self.margin), 1 / 255)
        return with_test(x, y, 0.2, tuple("0123456789"), scale=scale)


def enlarged(x: Tensor, side: int, margin: int) -> Tensor:
    """(N, 1, 8, 8) of 0 … 16 → (N, 1, side, side) uint8 of 0 … 255, bicubic, with margins of 0; what overshoots is cut off."""
    inner = side - 2 * margin
    smooth = functional.interpolate(x.float() / TOP, size=(inner, inner), mode="bicubic", align_corners=False)
    return functional.pad((smooth.clamp(0, 1) * 255).round().to(torch.uint8), [margin] * 4)


def file() -> Path:
    """The file of scikit-learn. `load_digits` reads the same file, but takes two seconds to import."""
    (package,) = importlib.util.find_spec("sklearn").submodule_search_locations
    return Path(package) / "datasets" / "data" / "digits.csv.gz"
