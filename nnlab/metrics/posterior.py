"""What a recognition network makes of a whole split: how many coordinates it uses, and how near all codes come to the prior."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.nn.float64 import to_float64

ACTIVE = 0.01  # variance of a coordinate's posterior mean over the data, above which it counts as used


def aggregate_figures(mean: Tensor, log_variance: Tensor) -> dict[str, float]:
    """Of q(z|x) = N(μ(x), diag σ²(x)) of N images, μ and log σ² each (N, d).

    Figures:
    active_units    how many coordinates the code uses: those with Var_x μ > 0.01 (Burda et al. 2016)
    aggregate_mean  how far the codes of all images together, q(z) = E_x q(z|x), lie from 0: the root mean square over the
                    coordinates of its mean m; the prior has 0
    aggregate_std   how wide they lie: the root of the coordinates' mean variance; the prior has 1
    aggregate_kl    how far their first two moments are from the prior: KL(N(m, S) ‖ N(0, I)), nats, with the mean m and the
                    covariance S of q(z), ½ (tr S + m′m − d − log det S)
    """
    mean, variance = to_float64(mean), to_float64(log_variance).exp()
    m = mean.mean(0)
    spread = mean - m
    covariance = spread.T @ spread / len(mean) + torch.diag(variance.mean(0))
    trace, square, dim = covariance.trace(), m.square().sum(), len(m)
    return {
        "active_units": float((spread.square().mean(0) > ACTIVE).sum()),
        "aggregate_mean": (square / dim).sqrt().item(),
        "aggregate_std": (trace / dim).sqrt().item(),
        "aggregate_kl": 0.5 * (trace + square - dim - torch.logdet(covariance)).item(),
    }
