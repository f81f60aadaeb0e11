"""The Fréchet distance against scipy's matrix root, closed forms, and what must not change it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import linalg

from nnlab.metrics.frechet import Moments, frechet_distance, square_root


def features(n: int, d: int, scale: float = 1.0, shift: float = 0.0, seed: int = 0) -> torch.Tensor:
    """Correlated normal features, the more unlike the more their seeds."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=generator, dtype=torch.float64) / d**0.5
    return scale * torch.randn(n, d, generator=generator, dtype=torch.float64) @ mixing + shift


def by_scipy(a: torch.Tensor, b: torch.Tensor) -> float:
    a, b = a.numpy(), b.numpy()
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = linalg.sqrtm(cov_a @ cov_b).real
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(cov_a + cov_b - 2 * root))


def by_examples(a: torch.Tensor, b: torch.Tensor) -> float:
    """tr (C_a C_b)^½ is the nuclear norm of XYᵀ/√((N−1)(M−1)) for centred examples X and Y: no covariance, no root."""
    x, y = (a - a.mean(0)) / (len(a) - 1) ** 0.5, (b - b.mean(0)) / (len(b) - 1) ** 0.5
    root = torch.linalg.matrix_norm(x @ y.T, "nuc")
    return ((a.mean(0) - b.mean(0)).square().sum() + x.square().sum() + y.square().sum() - 2 * root).item()


CASES = {
    "more examples than features": (600, 24, 1.0, 0.0),
    "fewer examples than features": (20, 64, 10.0, 0.0),
    "a small spread about a large mean": (300, 16, 1e-2, 1e4),
    "few examples about a large mean": (15, 32, 1.0, 1e5),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_is_scipys(case):
    n, d, scale, shift = case
    a, b = features(n, d, scale, shift), features(n + 5, d, scale, shift + 0.1 * scale, seed=1)
    found = frechet_distance(Moments(a), Moments(b))
    assert found == pytest.approx(by_scipy(a, b), rel=1e-6)
    assert found == pytest.approx(by_examples(a, b), rel=1e-9)


def test_closed_form_of_axis_aligned_gaussians():
    # ±σ_i e_i + μ: a set whose n − 1 covariance is diag(2σ²/(n − 1)), exactly
    sigma, other = torch.tensor([1.0, 2.0, 5.0]), torch.tensor([3.0, 2.0, 0.5])
    a, b = torch.cat([sigma.diag(), -sigma.diag()]), torch.cat([other.diag(), -other.diag()]) + 4
    expected = 3 * 4**2 + (2 / 5) * (sigma - other).square().sum().item()
    assert frechet_distance(Moments(a), Moments(b)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n", [100, 1000], ids=["rank-deficient", "of full rank"])
def test_a_set_is_at_no_distance_from_itself(n):
    x = features(n, 128, scale=10, shift=30).float()
    assert 0 <= frechet_distance(Moments(x), Moments(x)) < 1e-9
    assert 0 <= frechet_distance(Moments(x), Moments(x.flip(0))) < 1e-6


def test_it_is_symmetric_and_blind_to_rotation():
    a, b = features(50, 20), features(70, 20, seed=1) + 1
    rotation = torch.linalg.qr(features(20, 20, seed=2)).Q
    distance = frechet_distance(Moments(a), Moments(b))
    assert frechet_distance(Moments(b), Moments(a)) == pytest.approx(distance, rel=1e-10)
    assert frechet_distance(Moments(a @ rotation), Moments(b @ rotation)) == pytest.approx(distance, rel=1e-10)


def test_a_shift_adds_its_square():
    a = features(60, 10)
    shift = torch.arange(10.0, dtype=torch.float64)
    assert frechet_distance(Moments(a), Moments(a + shift)) == pytest.approx(shift.square().sum().item(), rel=1e-10)


@pytest.mark.parametrize("sizes", [[1] * 40, [7, 1, 32], [39, 1], [40]], ids=str)
@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_moments_in_parts_are_those_of_the_whole(sizes, shift):
    x = features(40, 6, shift=shift)
    moments = Moments(*x.split(sizes))
    assert moments.n == 40
    assert torch.allclose(moments.mean, x.mean(0), rtol=1e-14)
    assert torch.allclose(moments.covariance, torch.from_numpy(np.cov((x - shift).T.numpy())), rtol=1e-8, atol=1e-9)


def test_moments_of_single_precision_are_taken_in_double():
    x = features(4000, 4, shift=1000).float()
    assert torch.allclose(Moments(x).covariance, torch.from_numpy(np.cov(x.double().T.numpy())), rtol=1e-10, atol=0)


def test_the_square_of_the_root_is_the_covariance():
    covariance = Moments(features(10, 30)).covariance  # of rank 9
    root = square_root(covariance)
    assert torch.allclose(root @ root, covariance, atol=1e-12)
    assert torch.linalg.matrix_rank(root) == 9


def test_what_is_no_set_of_features_is_refused():
    with pytest.raises(ValueError, match=r"expected features \(N, d\), got \(2, 3, 4\)"):
        Moments(torch.zeros(2, 3, 4))
    with pytest.raises(ValueError, match="expected 1 or more examples, got 0"):
        Moments(torch.zeros(0, 4))
    with pytest.raises(ValueError, match="expected finite features"):
        Moments(torch.tensor([[1.0, torch.nan]]))
    with pytest.raises(ValueError, match="expected a width of 3 as before, got 4"):
        Moments(torch.zeros(2, 3), torch.zeros(2, 4))


@pytest.mark.parametrize("n", [0, 1])
def test_a_covariance_takes_two_examples(n):
    few = Moments(*torch.zeros(n, 1, 3))
    with pytest.raises(ValueError, match=f"at least 2 examples for a covariance, got {n}"):
        frechet_distance(few, Moments(torch.zeros(5, 3)))


def test_features_of_two_widths_have_no_distance():
    with pytest.raises(ValueError, match="one width, got 3 and 4"):
        frechet_distance(Moments(torch.zeros(5, 3)), Moments(torch.zeros(5, 4)))
