"""The Fréchet distance of two sets of features, from their means and covariances."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.metrics.checks import feature_matrix


class Moments:
    """Count, mean and covariance of features, summed batch by batch in float64; memory d² for any count.

    n, mean μ (d,), scatter S = Σ (x − μ)(x − μ)ᵀ (d, d). A batch B is added to the earlier sums A by

    δ = μ_B − μ_A,   n = n_A + n_B,   μ = μ_A + δ n_B/n,   S = S_A + S_B + δδᵀ n_A n_B/n   (Chan, Golub & LeVeque 1982),

    which is exact for a small variance and a large mean; Σ xxᵀ − n μμᵀ is not.
    """

    def __init__(self, *batches: Tensor) -> None:
        self.n = 0
        for features in batches:
            self.add(features)

    def add(self, features: Tensor) -> None:
        """Join a batch (N, d), N ≥ 1. Raises ValueError if it is not finite, or has another width than earlier batches."""
        x = feature_matrix(features, "features")
        if self.n == 0:
            self.mean, self.scatter = x.new_zeros(x.shape[1]), x.new_zeros(x.shape[1], x.shape[1])
        if x.shape[1] != len(self.mean):
            raise ValueError(f"features: expected a width of {len(self.mean)} as before, got {x.shape[1]}")
        mean = x.mean(0)
        centred, difference = x - mean, mean - self.mean
        total = self.n + len(x)
        self.scatter += centred.T @ centred + difference.outer(difference) * (self.n * len(x) / total)
        self.mean += difference * (len(x) / total)
        self.n = total

    @property
    def covariance(self) -> Tensor:
        """(d, d) S / (n − 1), the unbiased estimate that published Fréchet distances use. Raises ValueError if n < 2."""
        if self.n < 2:
            raise ValueError(f"expected at least 2 examples for a covariance, got {self.n}")
        return self.scatter / (self.n - 1)


def frechet_distance(a: Moments, b: Moments) -> float:
    """Squared Fréchet (2-Wasserstein) distance of the Gaussians with the moments a and b (Dowson & Landau 1982).

    ‖μ_a − μ_b‖² + tr(C_a + C_b − 2 (C_a C_b)^½),  in the features' unit squared

    With Inception features it is the FID (Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule …"). The
    estimate is too high, and more so with few examples: compare only values of equal n. Raises ValueError unless
    both have at least 2 examples and one width.
    """
    covariance_a, covariance_b = a.covariance, b.covariance
    if len(a.mean) != len(b.mean):
        raise ValueError(f"expected features of one width, got {len(a.mean)} and {len(b.mean)}")
    # The eigenvalues of C_a^½ C_b C_a^½ are those of C_a C_b, and the squares of the singular values of C_b^½ C_a^½. The
    # singular values are used, since roots of eigenvalues near 0 would lose half of their digits.
    root = torch.linalg.svdvals(square_root(covariance_b) @ square_root(covariance_a)).sum()
    squared = (a.mean - b.mean).square().sum() + covariance_a.trace() + covariance_b.trace() - 2 * root
    return max(squared.item(), 0.0)  # rounding may give −1e-12 for two equal sets


def square_root(covariance: Tensor) -> Tensor:
    """C^½ of a symmetric positive semi-definite C (d, d). An eigenvalue within rounding of 0 counts as 0."""
    values, vectors = torch.linalg.eigh(covariance)  # in ascending order
    # with n ≤ d most eigenvalues are 0 up to ±1e-16 of the largest; the sum of their roots, 1e-8 each, would not be small
    rounding = len(values) * torch.finfo(values.dtype).eps * values[-1]
    return (vectors * values.where(values > rounding, 0).sqrt()) @ vectors.T
