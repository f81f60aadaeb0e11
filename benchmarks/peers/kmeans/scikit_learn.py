from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.cluster import KMeans

from benchmarks.peers.fashion import images
from benchmarks.peers.kmeans import CLUSTERS, PASSES, SEED


def start(x: np.ndarray) -> np.ndarray:
    """(64, 784) distinct images."""
    return x[np.random.default_rng(SEED).choice(len(x), CLUSTERS, replace=False)]


def prepare() -> dict[str, Callable[[], float]]:
    x = images()
    begin = start(x)

    def run() -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # twenty passes do not converge
            fitted = KMeans(CLUSTERS, init=begin, n_init=1, max_iter=PASSES, tol=0, algorithm="lloyd").fit(x)
        return float(fitted.inertia_)

    return {"scikit-learn, float32": run}
