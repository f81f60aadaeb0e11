"""The bound of an importance-weighted autoencoder and the weights of a beta-VAE are those of their equations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from conftest import built, small
from small_vaes import batch, generator, of_seed
from torch.distributions import Normal

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.vae.beta_vae import BetaVAE
from nnlab.families.vae.iwae import IWAE
from nnlab.families.vae.vae import VAE
from nnlab.nn.schedules import StageLength


@torch.no_grad()
def mean_loss(model, draws: int = 300) -> float:
    b = batch()
    many = Batch(*(part.repeat(draws, *[1] * (part.ndim - 1)) for part in (b.input, b.target)), label=b.label.repeat(draws))
    return model.loss(many, generator(2))["loss"].double().mean().item()


def test_an_iwae_of_one_code_has_the_elbo_for_its_bound():
    assert mean_loss(of_seed(IWAE, k=1)) == pytest.approx(mean_loss(of_seed(VAE)), abs=0.05)


def test_the_bound_of_more_codes_is_tighter():
    first, fifth, twentieth = (mean_loss(of_seed(IWAE, k=k)) for k in (1, 5, 20))
    assert first > fifth > twentieth


@torch.no_grad()
def test_the_bound_is_the_log_of_the_mean_weight():
    model, b = of_seed(IWAE, k=4), batch(6)
    noise = torch.randn(6, 4, 3, generator=generator(5))
    mean, log_variance = model.posterior(b.input)
    std = (0.5 * log_variance).exp()[:, None]
    z = mean[:, None] + std * noise
    log_joint = model.likelihood.log_prob(model.decoder(z.flatten(0, 1)), b.target.repeat_interleave(4, 0)).view(6, 4)
    log_joint = log_joint + Normal(0.0, 1.0).log_prob(z).sum(2) - Normal(mean[:, None], std).log_prob(z).sum(2)
    expected = -log_joint.exp().mean(1).log()
    assert torch.allclose(model.loss(b, generator(5))["loss"], expected, atol=1e-4)


def terms(model, **values: float) -> dict[str, torch.Tensor]:
    for name, value in values.items():
        getattr(model, name).set(value)
    with torch.no_grad():
        return model.loss(batch(), generator(3))


@pytest.mark.parametrize("beta", [0.0, 1.0, 7.5])
def test_beta_weighs_the_kl_and_nothing_else(beta):
    own, plain = terms(of_seed(BetaVAE, beta=beta)), terms(of_seed(VAE))
    assert torch.equal(own["reconstruction"], plain["reconstruction"])
    assert torch.equal(own["kl"], plain["kl"])
    assert torch.allclose(
        terms(of_seed(BetaVAE, beta=beta, capacity=0), capacity=0.0)["loss"], own["reconstruction"] + beta * own["kl"]
    )


def test_a_capacity_is_what_the_kl_is_held_near():
    own = terms(of_seed(BetaVAE, beta=10, capacity=2), capacity=2.0)
    assert torch.allclose(own["loss"], own["reconstruction"] + 10 * (own["kl"] - 2).abs())


def test_beta_warms_up_and_the_capacity_rises_to_the_end_of_the_run():
    model, clock = of_seed(BetaVAE, beta=4, warmup=2, capacity=25), StageLength(total=100, per_epoch=10)
    betas, capacities = ([number.at(step, clock) for step in range(100)] for number in (model.beta, model.capacity))
    assert 0 < betas[0] < 0.3
    assert betas[19] < 4
    assert betas[20:] == [4.0] * 80
    assert np.allclose(np.diff(betas[:20]), betas[1] - betas[0])
    assert capacities[0] == pytest.approx(0.25)
    assert capacities[-1] == 25
    assert np.allclose(np.diff(capacities), 0.25)


def test_figures_have_the_weights_that_the_run_ends_with_and_training_those_of_the_step():
    e = built(*small("beta_vae"), "model.beta=4", "model.warmup=2", "trainer.epochs=4", "trainer.batch_size=100")
    e.initialize()
    trainer = e.trainer
    trainer.train(0, 3, lambda: False)
    early = trainer.meter.look()
    assert early is None
    found = trainer.evaluate("validation")
    assert found["loss"] == pytest.approx(found["reconstruction"] + 4 * found["kl"], rel=1e-5)
    rates = trainer.rates(3)
    assert 0 < rates["beta"] < 4
    assert trainer.model.beta.value.item() == pytest.approx(trainer.rates(2)["beta"])


def test_a_heavier_beta_leaves_less_kl_and_more_error():
    def run(beta: float) -> dict[str, float]:
        e = built(
            *small("beta_vae"), f"model.beta={beta}", "trainer.epochs=12", "trainer.batch_size=100", "trainer.precision=float32"
        )
        e.initialize()
        e.trainer.train(0, e.trainer.total_steps, lambda: False)
        return e.trainer.evaluate("validation")

    light, heavy = run(0.2), run(5)
    assert light["kl"] > heavy["kl"]
    assert light["reconstruction"] < heavy["reconstruction"]
    assert light["active_units"] >= heavy["active_units"]


@pytest.mark.parametrize("k", [1, 3, 10])
def test_the_encoders_gradient_of_the_iwae_is_on_average_its_bounds_own(k):
    torch.manual_seed(0)
    model = IWAE(DataSpec("own", "table", (3,), low=-2, high=2, bounded=False), k=k, hidden=[4], latent_dim=2)
    x = torch.randn((4, 3), generator=generator()).repeat(30, 1)  # thirty draws at once
    batch, draws = Batch(x, x), 50
    found: dict[str, list[torch.Tensor]] = {"plain": [], "own": []}
    for draw in range(draws):
        terms = model.loss(batch, generator(draw))
        noise = torch.randn((len(x), k, 2), generator=generator(draw))
        reconstruction, divergence = model.draw(batch, model.posterior(x), noise)
        plain = math.log(k) - (-reconstruction - divergence).logsumexp(1)
        assert torch.allclose(terms["loss"], plain, atol=1e-5)
        for name, loss in (("plain", plain), ("own", terms["loss"])):
            slopes = torch.autograd.grad(loss.mean(), list(model.encoder.parameters()))
            found[name].append(torch.cat([slope.flatten() for slope in slopes]))
    plain, own = (torch.stack(slopes).double() for slopes in found.values())
    error = ((plain.var(0) + own.var(0)) / draws).sqrt()
    assert ((plain.mean(0) - own.mean(0)).abs() < 4.5 * error + 1e-7).all()


def test_the_decoders_gradient_of_the_iwae_is_the_bounds_own():
    torch.manual_seed(0)
    model = IWAE(DataSpec("own", "table", (3,), low=-2, high=2, bounded=False), k=4, hidden=[4], latent_dim=2)
    x = torch.randn((5, 3), generator=generator())
    noise = torch.randn((5, 4, 2), generator=generator(1))
    reconstruction, divergence = model.draw(Batch(x, x), model.posterior(x), noise)
    losses = [math.log(4) - (-reconstruction - divergence).logsumexp(1), model.loss(Batch(x, x), generator(1))["loss"]]
    slopes = [torch.autograd.grad(loss.mean(), list(model.decoder.parameters())) for loss in losses]
    for a, b in zip(*slopes, strict=True):
        assert torch.allclose(a, b, atol=1e-6)
