"""The angle between two planes, against SciPy's and against one that is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles

from nnlab.metrics.subspace import largest_principal_angle


@pytest.mark.parametrize(("k", "m"), [(3, 3), (2, 5), (6, 1)])
def test_it_is_scipys(k, m):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(9, k)), rng.normal(size=(9, m))
    expected = math.degrees(subspace_angles(a, b)[0])
    assert largest_principal_angle(torch.from_numpy(a), torch.from_numpy(b)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("degrees", [0.0, 1e-6, 0.01, 30.0, 90.0])
def test_it_is_the_angle_by_which_a_plane_was_turned_however_small(degrees):
    turned = torch.eye(4, dtype=torch.float64)[:, :2]
    angle = math.radians(degrees)
    turned[1, 1], turned[2, 1] = math.cos(angle), math.sin(angle)
    basis = torch.tensor([[3.0, -1.0], [1.0, 2.0]], dtype=torch.float64)  # any other basis of the same plane
    assert largest_principal_angle(torch.eye(4)[:, :2], turned @ basis) == pytest.approx(degrees, rel=1e-6, abs=1e-12)
