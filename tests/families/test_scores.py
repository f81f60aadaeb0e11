"""What each family calls unusual, against the same by other means."""

from __future__ import annotations

import pytest
import torch
from conftest import built, small
from torch.distributions import Bernoulli, Normal, kl_divergence

from nnlab.config import search
from nnlab.data.spec import Batch
from nnlab.model import Model, Scores, can


def fitted(model: str, *overrides: str) -> tuple[Model, torch.Tensor]:
    """A model that has learned for a pass, and test examples."""
    experiment = built(*small(model, *overrides), *overrides)
    experiment.initialize()
    trainer = experiment.trainer
    trainer.train(0, trainer.steps_per_epoch, lambda: False)
    split = experiment.data.test
    return experiment.model.eval().requires_grad_(False), split.values(split.rows)


@pytest.mark.parametrize("name", list(search.options("model")))
def test_a_score_is_a_number_an_example_that_neither_chance_nor_company_changes(name: str) -> None:
    model, x = fitted(name)
    if not can(model, Scores):
        pytest.skip("it tells nothing unusual")
    score = model.score(x)
    assert (score.shape, score.dtype) == ((len(x),), torch.float32)
    assert torch.equal(score, model.score(x))
    assert torch.allclose(model.score(x[:3]), score[:3], rtol=1e-4, atol=1e-5)
    assert score.std() > 0


@pytest.mark.parametrize("name", ["ae", "conv_ae", "linear_ae", "pca"])
def test_an_autoencoders_score_is_its_squared_error_over_the_image(name: str) -> None:
    model, x = fitted(name)
    assert torch.allclose(model.score(x), ((model.reconstruct(x) - x) ** 2).mean((1, 2, 3)) * 64, rtol=1e-5)
    assert torch.allclose(model.score(x), model.loss(Batch(x, x), torch.Generator())["loss"])


def test_all_of_a_pcas_components_leave_nothing_unusual() -> None:
    model, x = fitted("pca", "model.latent_dim=64")
    assert model.score(x).max() < 1e-6


@pytest.mark.parametrize("data", ["digits", "moons"])
def test_a_vaes_score_is_the_negative_elbo_at_the_posteriors_mean(data: str) -> None:
    model, x = fitted("vae", f"data={data}")
    mean, log_variance = model.posterior(x)
    kl = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(1)
    output = model.decoder(mean)
    if data == "digits":
        surprise = -Bernoulli(logits=output, validate_args=False).log_prob(x)
    else:
        likelihood = model.likelihood
        surprise = -Normal(output, likelihood.log_sigma.exp() + likelihood.floor).log_prob(x)
    assert torch.allclose(model.score(x), surprise.flatten(1).sum(1) + kl, rtol=1e-4)


def test_k_means_scores_by_the_squared_distance_to_the_nearest_centre() -> None:
    model, x = fitted("kmeans")
    assert torch.allclose(model.score(x), torch.cdist(x.flatten(1), model.centres).square().amin(1), rtol=1e-3)
    assert model.score(model.centres.unflatten(1, (1, 8, 8))).max() < 1e-4
