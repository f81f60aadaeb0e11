from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from nnlab.nn.distances import DISTANCES, minkowski

RNG = np.random.default_rng(0)
X, W = RNG.normal(0.3, 1, (50, 7)), RNG.normal(-0.2, 2, (9, 7))
SCIPY = {"euclidean": "euclidean", "manhattan": "cityblock", "supremum": "chebyshev", "cosine": "cosine"}


def tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(array).float() for array in arrays]


@pytest.mark.parametrize(("name", "theirs"), SCIPY.items(), ids=list(SCIPY))
def test_each_distance_is_scipys(name: str, theirs: str) -> None:
    np.testing.assert_allclose(DISTANCES[name](*tensors(X, W)), cdist(X, W, theirs), atol=1e-5)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3])
def test_the_weighted_minkowski_distance_is_scipys(p: float) -> None:
    weights = RNG.uniform(0.1, 3, 7)
    ours = minkowski(*tensors(X, W), p=p, weights=torch.from_numpy(weights).float())
    np.testing.assert_allclose(ours, cdist(X, W, "minkowski", p=p, w=weights), atol=1e-5)
    np.testing.assert_allclose(minkowski(*tensors(X, W), p=p), cdist(X, W, "minkowski", p=p), atol=1e-5)


def test_dot_is_the_raw_product() -> None:
    np.testing.assert_allclose(DISTANCES["dot"](*tensors(X, W)), 1 - X @ W.T, atol=1e-5)


def test_a_zero_vector_has_no_direction() -> None:
    assert DISTANCES["cosine"](torch.zeros(1, 7), tensors(W)[0]).tolist() == [[1.0] * 9]


def test_points_far_from_the_origin_keep_their_euclidean_distances() -> None:
    np.testing.assert_allclose(DISTANCES["euclidean"](*tensors(X + 1000, W + 1000)), cdist(X, W), atol=1e-3)
