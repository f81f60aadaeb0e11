"""Points in the plane, made by scikit-learn."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar

import numpy as np
import torch

from nnlab.config.constraints import SEED, AtLeast
from nnlab.data.dataset import Share
from nnlab.data.parts import with_test
from nnlab.data.split import Arrays
from nnlab.data.table import Table


class Generated(Table):
    """Base of the generated datasets: `points` points (x1, x2), each with a class.

    draw_seed  seed of the points; `seed` is the seed of the splits
    test       share of each class in the test split, always the same
    """

    classes: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        *,
        points: Annotated[int, AtLeast(10)] = 2000,
        draw_seed: Annotated[int, SEED] = 0,
        test: Share = 0.2,
        **common,
    ) -> None:
        super().__init__(**common)
        self.points, self.draw_seed, self.test = points, draw_seed, test

    @abstractmethod
    def draw(self) -> tuple[np.ndarray, np.ndarray]:
        """The points (N, 2) float64 and the numbers of their classes (N,)."""

    def size(self) -> int:
        return self.points * (2 * 4 + 8)

    def load(self) -> Arrays:
        """x (N, 2), labels (N,), drawn with `draw_seed`; a share `test` of each class is the test split."""
        x, y = self.draw()
        return with_test(torch.from_numpy(x), torch.from_numpy(y).long(), self.test, self.classes, columns=("x1", "x2"))
