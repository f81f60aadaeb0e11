"""The kernel distance against its definition, scikit-learn's kernel, and its expectation."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics.pairwise import polynomial_kernel

from nnlab.metrics import checks
from nnlab.metrics.mmd import kernel_distance


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_definition(a: torch.Tensor, b: torch.Tensor) -> float:
    def mean(x, y, same=False):
        values = [
            ((x[i] * y[j]).sum().item() / x.shape[1] + 1) ** 3
            for i in range(len(x))
            for j in range(len(y))
            if not same or i != j
        ]
        return sum(values) / len(values)

    return mean(a, a, same=True) + mean(b, b, same=True) - 2 * mean(a, b)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (7, 12), (12, 7)])
def test_it_is_its_definition(n, m):
    a, b = normal(n, 5), 2 * normal(m, 5, seed=1) + 1
    assert kernel_distance(a, b) == pytest.approx(by_definition(a, b), rel=1e-10)


def test_it_is_sklearns_kernel():
    a, b = normal(60, 9), normal(80, 9, seed=1) + 0.3
    aa, bb, ab = (polynomial_kernel(x.numpy(), y.numpy(), degree=3) for x, y in ((a, a), (b, b), (a, b)))
    expected = (aa.sum() - aa.trace()) / (60 * 59) + (bb.sum() - bb.trace()) / (80 * 79) - 2 * ab.mean()
    assert kernel_distance(a, b) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("block", [1, 100, 2**20])
def test_blocks_change_nothing(block, monkeypatch):
    a, b = normal(50, 6), normal(33, 6, seed=1) + 1
    whole = kernel_distance(a, b)
    monkeypatch.setattr(checks, "BLOCK", block)
    assert kernel_distance(a, b) == pytest.approx(whole, rel=1e-12)


def test_its_mean_over_draws_of_one_distribution_is_zero():
    draws = torch.tensor([kernel_distance(normal(10, 4, seed=2 * s), normal(30, 4, seed=2 * s + 1)) for s in range(1000)])
    assert draws.min() < 0 < draws.max()
    assert abs(draws.mean()) < 3 * draws.std() / 1000**0.5


def test_its_mean_over_draws_of_two_distributions_is_known():
    # of N(0, 1) and N(μ, 1) in one dimension: E k(x, y) = Σ_p binom(3, p) E xᵖ E yᵖ, with the moments of a Gaussian
    mu = 0.5
    moments = [1, mu, mu**2 + 1, mu**3 + 3 * mu]
    expected = sum(c * (m - m0) ** 2 for c, m, m0 in zip([1, 3, 3, 1], moments, [1, 0, 1, 0], strict=True))
    draws = torch.tensor([kernel_distance(normal(40, 1, seed=2 * s), normal(20, 1, seed=2 * s + 1) + mu) for s in range(1000)])
    assert abs(draws.mean() - expected) < 3 * draws.std() / 1000**0.5


def test_it_grows_as_a_distribution_moves_away():
    a, b = normal(200, 8), normal(200, 8, seed=1)
    distances = [kernel_distance(a, b + shift) for shift in (0.0, 0.5, 1.0, 2.0)]
    assert distances == sorted(distances)


def test_single_precision_is_taken_in_double():
    a, b = (30 * normal(40, 8)).float(), (30 * normal(40, 8, seed=1)).float()
    assert kernel_distance(a, b) == kernel_distance(a.double(), b.double())


def test_what_has_no_estimate_is_refused():
    with pytest.raises(ValueError, match="b: expected 2 or more examples, got 1"):
        kernel_distance(normal(5, 3), normal(1, 3))
    with pytest.raises(ValueError, match="a and b: expected features of one width, got 4 and 3"):
        kernel_distance(normal(5, 4), normal(5, 3))
    with pytest.raises(ValueError, match="a: expected finite features"):
        kernel_distance(normal(5, 4) / 0, normal(5, 4))
