"""The kernel distance of two sets of features."""

from __future__ import annotations

from torch import Tensor

from nnlab.metrics.checks import feature_sets, row_blocks


def kernel_distance(a: Tensor, b: Tensor) -> float:
    """Unbiased squared maximum mean discrepancy of features a (N, d) and b (M, d) under the cubic kernel; no unit.

    Σ_{i≠j} k(a_i, a_j) / N(N−1)  +  Σ_{i≠j} k(b_i, b_j) / M(M−1)  −  2 Σ_{i,j} k(a_i, b_j) / NM,   k(x, y) = (x·y/d + 1)³

    With Inception features it is the KID (Bińkowski et al. 2018, "Demystifying MMD GANs"); here over all pairs,
    while others average over random subsets: same expectation, smaller variance. Its expectation does not depend on N
    and M, and is 0 for equal distributions; the estimate may be negative. Float64, in blocks of bounded memory.
    Raises ValueError unless both have at least 2 examples and one width.
    """
    a, b = feature_sets({"a": a, "b": b}, least=2)
    n, m = len(a), len(b)
    return within(a) / (n * (n - 1)) + within(b) / (m * (m - 1)) - 2 * between(a, b) / (n * m)


def cubic(x: Tensor, y: Tensor) -> Tensor:
    """(N, M) k(x_i, y_j)."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def within(x: Tensor) -> float:
    """Σ_{i≠j} k(x_i, x_j)."""
    total = x.new_zeros(())
    for rows in row_blocks(x, len(x)):
        values = cubic(x[rows], x)
        values.diagonal(rows.start).zero_()
        total += values.sum()
    return total.item()


def between(x: Tensor, y: Tensor) -> float:
    """Σ_{i,j} k(x_i, y_j)."""
    return sum(cubic(x[rows], y).sum() for rows in row_blocks(x, len(y))).item()
