"""Vectors whose directions all vary about as much."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nnlab.nn.float64 import to_float64
from nnlab.nn.products import exact_product

LEAST = 1e-12  # a variance of this share of the mean square is rounding


class Whitening(nn.Module):
    """x ↦ A (x − m),   A = c (Σ + σ² I)^(−1/2),   of a mean m and a covariance Σ that `fit` measures; x itself before it.

    σ² = tr Σ / d is the mean variance: directions that hardly vary are not made as large as the others. c gives the results a
    mean variance of 1. The root is the symmetric one (ZCA; Kessy, Lewin & Strimmer 2018, "Optimal whitening and
    decorrelation"), so that equal data always has the same A.

    d  length of the vectors
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(d))
        self.register_buffer("matrix", torch.eye(d))

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Measure vectors (N, d). If they are all equal, only their mean is measured."""
        x = to_float64(x)
        mean = x.mean(0)
        variances, directions = torch.linalg.eigh((x - mean).mT @ (x - mean) / len(x))
        variances = variances.clamp(min=0)
        self.mean.copy_(mean)
        if variances.sum() <= LEAST * x.square().sum(1).mean():
            self.matrix.copy_(torch.eye(len(mean)))
            return
        shrunk = variances + variances.mean()
        scale = (variances / shrunk).mean().rsqrt()
        self.matrix.copy_(scale * (directions * shrunk.rsqrt()) @ directions.mT)

    def forward(self, x: Tensor) -> Tensor:
        """(N, d) float32 of (N, d)."""
        return exact_product(x - self.mean, self.matrix)
