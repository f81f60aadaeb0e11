"""Two half circles in the plane, generated."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from nnlab.config.constraints import AtLeast
from nnlab.data.generated import Generated


class Moons(Generated):
    """Two interleaved half circles of radius 1, from scikit-learn (`make_moons`).

    noise  standard deviation of the noise on each coordinate
    """

    classes = ("upper", "lower")

    def __init__(self, *, noise: Annotated[float, AtLeast(0)] = 0.1, **generated) -> None:
        super().__init__(**generated)
        self.noise = noise

    def draw(self) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.datasets import make_moons  # a second to import

        return make_moons(self.points, noise=self.noise, random_state=self.draw_seed)
