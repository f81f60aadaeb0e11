"""log p(x) by importance sampling, against the closed form of a linear-Gaussian model."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.vae.cvae import CVAE
from nnlab.families.vae.vae import VAE
from nnlab.metrics.likelihood import bits_per_dimension, importance_sampled, likelihood_figures
from nnlab.metrics.posterior import aggregate_figures

DIM, LATENT, SIGMA = 6, 2, 0.5
SPEC = DataSpec("plane", "table", (DIM,), ("a", "b"), low=-3.0, high=3.0, bounded=False)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def linear(off: float = 0.3) -> VAE:
    """x = Wz + b + noise, with the posterior's mean and variance known in closed form, and both somewhat off."""
    model = VAE(SPEC, hidden=[], latent_dim=LATENT, likelihood="gaussian", sigma=SIGMA)
    weight, bias = torch.randn(DIM, LATENT, generator=generator(1)), torch.randn(DIM, generator=generator(2))
    model.decoder[0].weight.copy_(weight)
    model.decoder[0].bias.copy_(bias)
    covariance = torch.linalg.inv(torch.eye(LATENT) + weight.T @ weight / SIGMA**2)
    to_mean = covariance @ weight.T / SIGMA**2
    model.encoder[1].weight.zero_()
    model.encoder[1].weight[:LATENT] = to_mean
    model.encoder[1].bias[:LATENT] = off * covariance.diagonal().sqrt() - to_mean @ bias
    model.encoder[1].bias[LATENT:] = covariance.diagonal().log() + off
    return model.eval()


def exact(model: VAE) -> MultivariateNormal:
    weight, bias = model.decoder[0].weight.detach(), model.decoder[0].bias.detach()
    return MultivariateNormal(bias, weight @ weight.T + SIGMA**2 * torch.eye(DIM))


def data(n: int, model: VAE) -> Tensor:
    torch.manual_seed(3)
    return exact(model).sample((n,))


@pytest.mark.parametrize("samples", [50, 2000])
@torch.no_grad()
def test_it_is_the_closed_form_within_two_standard_errors(samples):
    model = linear()
    x = data(200, model)
    found = importance_sampled(model, Batch(x, x), samples, 300, generator())
    truth = exact(model).log_prob(x).double()
    figures = likelihood_figures(found)
    error = figures["log_likelihood_error"]
    assert abs(figures["log_likelihood"] - truth.mean().item()) < 2 * error
    assert error < 0.1 / math.sqrt(samples)
    z = (found.log_likelihood - truth) / found.standard_error
    assert 0.8 < z.square().mean().sqrt() < 1.25  # each image's own error is as large as it says


@torch.no_grad()
def test_the_exact_posterior_needs_two_samples_and_has_no_error():
    model = linear(off=0.0)
    weight = torch.linalg.qr(torch.randn(DIM, LATENT, generator=generator(4))).Q  # then the posterior's covariance is diagonal
    model.decoder[0].weight.copy_(weight)
    variance = 1 / (1 + 1 / SIGMA**2)
    model.encoder[1].weight[:LATENT] = variance / SIGMA**2 * weight.T
    model.encoder[1].bias[:LATENT] = -variance / SIGMA**2 * weight.T @ model.decoder[0].bias
    model.encoder[1].bias[LATENT:] = math.log(variance)
    x = data(20, model)
    found = importance_sampled(model, Batch(x, x), 2, 1000, generator())
    assert torch.allclose(found.log_likelihood, exact(model).log_prob(x).double(), atol=1e-4)
    assert found.standard_error.max() < 1e-2
    assert torch.allclose(found.effective_samples, torch.full((20,), 2.0).double(), rtol=1e-3)


@pytest.mark.parametrize(("samples", "chunk"), [(7, 3), (7, 7), (7, 1000), (10, 1), (64, 65), (501, 100)])
@torch.no_grad()
def test_so_many_codes_as_asked_for_are_decoded_and_no_more_than_a_chunk_at_once(samples, chunk):
    model, x = linear(), torch.randn(9, DIM, generator=generator())
    rows = []
    model.decoder.register_forward_hook(lambda _, inputs, __: rows.append(len(inputs[0])))
    encoded = []
    model.encoder.register_forward_hook(lambda _, inputs, __: encoded.append(len(inputs[0])))
    found = importance_sampled(model, Batch(x, x), samples, chunk, generator())
    assert sum(rows) == samples * 9
    assert max(rows) <= chunk
    assert encoded == [9]
    assert found.log_likelihood.shape == found.standard_error.shape == (9,)


@torch.no_grad()
def test_the_weights_are_those_of_torchs_distributions():
    model, x = linear(), torch.randn(4, DIM, generator=generator())
    mean, log_variance = model.posterior(x)
    noise = torch.randn(4, 3, LATENT, generator=generator(1))
    std = (0.5 * log_variance).exp()[:, None]
    z = mean[:, None] + std * noise
    reconstruction, divergence = model.draw(Batch(x, x), (mean, log_variance), noise)
    assert torch.allclose(
        -reconstruction, Normal(model.decoder(z.flatten(0, 1)).unflatten(0, (4, 3)), SIGMA).log_prob(x[:, None]).sum(2)
    )
    expected = Normal(mean[:, None], std).log_prob(z).sum(2) - Normal(0.0, 1.0).log_prob(z).sum(2)
    assert torch.allclose(divergence, expected, atol=1e-5)


@torch.no_grad()
def test_a_conditional_model_is_weighed_given_the_label():
    torch.manual_seed(0)
    model = CVAE(SPEC, hidden=[], latent_dim=LATENT, likelihood="gaussian", sigma=SIGMA).eval()
    model.encoder[0].weight.mul_(0.1)  # a proposal near the prior covers what it is to find
    x, label = torch.randn(30, DIM, generator=generator()), torch.arange(30) % 2
    found = importance_sampled(model, Batch(x, x, label=label), 3000, 1000, generator())
    weight = model.decoder[0].weight
    mean = model.decoder[0].bias + 2 * weight[:, LATENT:].T[label]  # there are two classes
    covariance = weight[:, :LATENT] @ weight[:, :LATENT].T + SIGMA**2 * torch.eye(DIM)
    truth = MultivariateNormal(mean, covariance).log_prob(x).double()
    z = (found.log_likelihood - truth) / found.standard_error
    assert z.square().mean().sqrt() < 1.5


def test_bits_per_dimension_of_fair_coins_are_one():
    assert bits_per_dimension(784 * math.log(0.5), 784) == pytest.approx(1)


def test_what_is_said_of_the_aggregate_posterior_is_what_draws_from_it_show():
    mean = torch.randn(4000, 3, generator=generator()) * torch.tensor([1.0, 0.5, 0.01]) + torch.tensor([0.5, 0.0, 0.0])
    log_variance = torch.tensor([[-2.0, -0.3, 0.0]]).expand(4000, 3)
    found = aggregate_figures(mean, log_variance)
    z = mean + (0.5 * log_variance).exp() * torch.randn(4000, 3, generator=generator(1))
    assert found["active_units"] == 2
    assert found["aggregate_mean"] == pytest.approx(z.mean(0).square().mean().sqrt().item(), abs=0.02)
    assert found["aggregate_std"] == pytest.approx(z.var(0).mean().sqrt().item(), rel=0.02)
    moments = MultivariateNormal(z.mean(0), torch.cov(z.T))
    prior = MultivariateNormal(torch.zeros(3), torch.eye(3))
    assert found["aggregate_kl"] == pytest.approx(torch.distributions.kl_divergence(moments, prior).item(), abs=0.02)


def test_the_prior_as_aggregate_posterior_is_no_way_from_itself():
    same = aggregate_figures(torch.zeros(50, 4), torch.zeros(50, 4))
    assert same == pytest.approx({"active_units": 0, "aggregate_mean": 0, "aggregate_std": 1, "aggregate_kl": 0}, abs=1e-9)
