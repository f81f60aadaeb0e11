"""A circle around a smaller one in the plane, generated."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from nnlab.config.constraints import AtLeast, Between
from nnlab.data.generated import Generated


class Rings(Generated):
    """A circle of radius 1 around a smaller one, from scikit-learn (`make_circles`).

    noise   standard deviation of the noise on each coordinate
    factor  radius of the inner circle
    """

    classes = ("outer", "inner")

    def __init__(
        self,
        *,
        noise: Annotated[float, AtLeast(0)] = 0.05,
        factor: Annotated[float, Between(0, 0.99)] = 0.5,
        **generated,
    ) -> None:
        super().__init__(**generated)
        self.noise, self.factor = noise, factor

    def draw(self) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.datasets import make_circles  # a second to import

        return make_circles(self.points, noise=self.noise, factor=self.factor, random_state=self.draw_seed)
