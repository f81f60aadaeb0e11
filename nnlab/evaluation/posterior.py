"""What a recognition network makes of a whole split: how many coordinates it uses, and how near all codes come to the prior."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.nn.precise import doubled

ACTIVE = 0.01  # variance of a coordinate's posterior mean over the data, above which it counts as used


def aggregate_figures(mean: Tensor, log_variance: Tensor) -> dict[str, float]:
    """Of q(z|x) = N(μ(x), diag σ²(x)) of N images, μ and log σ² each (N, d).

    active_units    coordinates with Var_x μ > 0.01 (Burda et al. 2016)
    aggregate_mean  the root mean square, over coordinates, of the mean m of q(z) = E_x q(z|x); the prior has 0
    aggregate_std   the root of the coordinates' mean variance under q(z); the prior has 1
    aggregate_kl    KL(N(m, S) ‖ N(0, I)) = ½ (tr S + m′m − d − log det S), nats, where S is the covariance of q(z): how far
                    from the prior its first two moments are
    """
    mean, variance = doubled(mean), doubled(log_variance).exp()
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
