"""The KL of a Gaussian posterior against torch's."""

from __future__ import annotations

import torch
from torch.distributions import Normal, kl_divergence

from nnlab.nn.gaussian import gaussian_kl


def test_it_is_torchs_for_each_coordinate():
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = (2 * torch.randn(50, 7, generator=generator) for _ in range(2))
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    assert torch.allclose(gaussian_kl(mean, log_variance), expected, atol=1e-5)


def test_it_is_zero_at_the_prior_and_nowhere_else():
    values = torch.arange(-10, 11) / 5
    mean, log_variance = torch.meshgrid(values, values, indexing="ij")
    kl = gaussian_kl(mean, log_variance)
    assert kl[10, 10] == 0
    assert kl.flatten().sort().values[1] > 0
