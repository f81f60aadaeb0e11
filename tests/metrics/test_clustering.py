from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_score

from nnlab.metrics.clustering import criteria, silhouette


def test_the_silhouette_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    x, clusters = rng.normal(size=(80, 3)), rng.integers(0, 4, 80)
    clusters[0] = 9  # alone
    ours = silhouette(torch.from_numpy(x), torch.from_numpy(clusters))["silhouette"]
    assert ours == pytest.approx(silhouette_score(x, clusters), abs=1e-9)


def test_one_cluster_has_no_silhouette() -> None:
    assert silhouette(torch.randn(5, 2), torch.zeros(5)) == {}


def test_the_criteria_by_hand() -> None:
    assert criteria(-100.0, 50, 3) == {"aic": 206.0, "bic": pytest.approx(200 + 3 * np.log(50))}
