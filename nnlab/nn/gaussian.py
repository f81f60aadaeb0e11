"""The normal distribution."""

from __future__ import annotations

from torch import Tensor


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, 1)) = ½ (μ² + σ² − 1 − log σ²), elementwise, nats."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
