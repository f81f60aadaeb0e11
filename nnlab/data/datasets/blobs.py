"""Round Gaussians in the plane, generated."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from nnlab.config.constraints import AtLeast
from nnlab.data.generated import Generated


class Blobs(Generated):
    """Round Gaussians of equal size, from scikit-learn (`make_blobs`).

    centers  number of Gaussians, at random places in the square from −10 to 10
    noise    standard deviation of each Gaussian
    """

    def __init__(
        self, *, centers: Annotated[int, AtLeast(1)] = 4, noise: Annotated[float, AtLeast(0)] = 1.0, **generated
    ) -> None:
        super().__init__(**generated)
        self.centers, self.noise = centers, noise

    @property
    def classes(self) -> tuple[str, ...]:
        """One class per Gaussian, named by its number from 0."""
        return tuple(str(i) for i in range(self.centers))

    def draw(self) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.datasets import make_blobs  # a second to import

        return make_blobs(self.points, centers=self.centers, cluster_std=self.noise, random_state=self.draw_seed)
