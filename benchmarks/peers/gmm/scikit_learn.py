from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.mixture import GaussianMixture

from benchmarks.peers.gmm import CASES, COMPONENTS, PASSES, REGULARISATION
from benchmarks.peers.gmm.nnlab import begun


def passes(case: str, number: type) -> Callable[[], float]:
    experiment = begun(case)
    model, train = experiment.model, experiment.data.train
    x = train.values(train.rows).flatten(1).numpy().astype(number)
    covariances = model.covariances.numpy()
    precisions = np.linalg.inv(covariances) if case == "full" else 1 / covariances
    start = {"weights_init": model.weights.numpy(), "precisions_init": precisions}
    means = (model.origin + model.offsets).numpy()
    kind = {"full": "full", "diagonal": "diag"}[case]

    def run() -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ten passes do not converge
            peer = GaussianMixture(
                COMPONENTS, covariance_type=kind, reg_covar=REGULARISATION, tol=0, max_iter=PASSES, means_init=means, **start
            )
            return float(peer.fit(x).lower_bound_)

    return run


def prepare() -> dict[str, Callable[[], float]]:
    numbers = {"float32": np.float32, "float64": np.float64}
    return {f"{name}: scikit-learn, {p}": passes(case, n) for case, name in CASES.items() for p, n in numbers.items()}
