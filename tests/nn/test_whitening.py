"""Whitening: against a computation by numpy, and what it leaves as it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnlab.nn.whitening import Whitening


def vectors(n: int = 500) -> torch.Tensor:
    """Of directions that vary by 10, 3, 1, 0.1 and not at all, turned and moved."""
    draw = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(5, 5, generator=draw)).Q
    return torch.randn(n, 5, generator=draw) * torch.tensor([10.0, 3.0, 1.0, 0.1, 0.0]) @ turn.mT + 7


def fitted(x: torch.Tensor) -> Whitening:
    whitening = Whitening(x.shape[1])
    whitening.fit(x)
    return whitening


def test_it_is_the_inverse_root_of_the_covariance_with_the_mean_variance_added() -> None:
    x = vectors()
    found = fitted(x)(x).numpy()
    y = x.double().numpy() - x.double().numpy().mean(0)
    _, s, v = np.linalg.svd(y / np.sqrt(len(y)), full_matrices=False)
    expected = y @ v.T @ np.diag((s**2 + (s**2).mean()) ** -0.5) @ v
    expected /= np.sqrt((expected**2).mean())
    assert np.allclose(found, expected, atol=1e-4)
    assert np.abs(found.mean(0)).max() < 1e-5
    assert (found**2).mean() == pytest.approx(1, rel=1e-5)
    before, after = (np.linalg.eigvalsh(np.cov(each.T))[-3:] for each in (x.numpy(), found))
    assert after[-1] / after[0] < 0.2 * before[-1] / before[0]


def test_it_is_the_identity_before_it_has_measured() -> None:
    x = vectors(4)
    assert torch.equal(Whitening(5)(x), x)


def test_turned_vectors_are_whitened_the_same_but_turned() -> None:
    x, turn = vectors(), torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(1))).Q
    assert torch.allclose(fitted(x @ turn)(x @ turn), fitted(x)(x) @ turn, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e4])
def test_equal_vectors_become_zero_and_others_keep_their_differences(value: float) -> None:
    whitening = fitted(torch.full((100, 3), value))
    assert whitening(torch.full((1, 3), value)).abs().max() <= 1e-3 * max(value, 1e-6)
    assert torch.equal(whitening.matrix, torch.eye(3))
