"""Statistics of the codes of a whole split: the number of used coordinates, and the difference from the prior."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.nn.float64 import to_float64

ACTIVE = 0.01  # variance of a coordinate's posterior mean over the data, above which it counts as used


def aggregate_figures(mean: Tensor, log_variance: Tensor) -> dict[str, float]:
    """Metrics of q(z|x) = N(μ(x), diag σ²(x)) for N images, μ and log σ² each (N, d).

    Figures:
    active_units    how many coordinates the code uses: those with Var_x μ > 0.01 (Burda et al. 2016)
    aggregate_mean  distance of the codes of all images, q(z) = E_x q(z|x), from 0: the root mean square over the
                    coordinates of its mean m; the prior has 0
    aggregate_std   their spread: the root of the coordinates' mean variance; the prior has 1
    aggregate_kl    distance of their first two moments from the prior: KL(N(m, S) ‖ N(0, I)), nats, with the mean m and the
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
