"""The adversarial autoencoder: whom its terms move, and how its codes are compared with their prior."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from games import agree, gradients_of_answer, round_of, trainer, untouched
from torch.nn.functional import softplus

from nnlab.families.gan.aae import against_prior
from nnlab.families.gan.latent import sample_prior
from nnlab.training.trainer import evaluating


def test_the_discriminator_tells_draws_of_the_prior_from_codes() -> None:
    trained = trainer("model=aae", "model.latent_dim=3")
    batch = trained.feed.batch(trained.rows(0), trained.generator)
    play = trained.model.play(batch, torch.Generator().manual_seed(5))
    (z,), (code,) = play.real, play.fake
    assert torch.equal(z, sample_prior("gaussian", 48, 3, z.device, torch.Generator().manual_seed(5)))
    assert torch.equal(code, trained.model.encoder(batch.target))
    assert not z.requires_grad


def test_the_encoder_learns_by_both_terms_and_the_decoder_by_the_error_alone(monkeypatch) -> None:
    trained = trainer("model=aae", "model.weight=7")
    model = trained.model
    _, found = gradients_of_answer(trained, monkeypatch)
    x = trained.feed.batch(trained.rows(0), trained.generator).target
    code = model.encoder(x)
    error = (model.decoder(code) - x).pow(2).sum() / len(x)
    game = softplus(-model.discriminator(code)).mean()
    assert agree(found, "encoder", model.encoder, error + 7 * game)
    assert not agree(found, "encoder", model.encoder, error)
    assert agree(found, "decoder", model.decoder, error)
    assert untouched(found, "discriminator")


@pytest.mark.parametrize("prior", ["gaussian", "uniform"])
def test_the_figures_of_codes_are_numpys(prior: str) -> None:
    codes = sample_prior(prior, 5000, 4, torch.device("cpu"), torch.Generator().manual_seed(0)) @ torch.randn(4, 4) + 1000
    exact = codes.double().numpy()
    sigma = 1.0 if prior == "gaussian" else 1 / np.sqrt(3)
    correlation = np.corrcoef(exact, rowvar=False) - np.eye(4)
    assert against_prior(codes, prior) == pytest.approx(
        {
            "code_mean": np.abs(exact.mean(0)).max(),
            "code_deviation": np.abs(exact.std(0) / sigma - 1).max(),
            "code_correlation": np.abs(correlation).max(),
        },
        rel=1e-9,
    )


@pytest.mark.parametrize("prior", ["gaussian", "uniform"])
def test_draws_of_the_prior_itself_have_small_figures(prior: str) -> None:
    codes = sample_prior(prior, 100_000, 8, torch.device("cpu"), torch.Generator().manual_seed(0))
    assert max(against_prior(codes, prior).values()) < 0.02


def test_one_coordinate_has_no_correlation_and_a_dead_one_none_with_others() -> None:
    assert set(against_prior(torch.randn(9, 1), "gaussian")) == {"code_mean", "code_deviation"}
    dead = torch.stack([torch.randn(100), torch.zeros(100)], 1)
    assert against_prior(dead, "gaussian")["code_correlation"] == 0


def test_the_figures_are_of_the_whole_split() -> None:
    trained = trainer("model=aae")
    split = trained.data.train
    with evaluating(trained.model):
        codes = trained.model.encode(split.values(split.rows))
    figures = trained.evaluate("train")
    for name, figure in against_prior(codes, "gaussian").items():
        assert figures[name] == pytest.approx(figure, rel=1e-4)


def test_the_game_brings_the_codes_to_the_prior() -> None:
    def learned(weight: int) -> dict[str, float]:
        trained = trainer(
            "model=aae", "model.latent_dim=4", f"model.weight={weight}", "optimizer.lr=2e-3", "trainer.ema_decay=0.98"
        )
        trained.train(0, 250, lambda: False)
        return trained.evaluate("train")

    without, by_game = learned(0), learned(10)
    assert max(by_game[name] for name in ("code_mean", "code_deviation", "code_correlation")) < 0.25
    assert without["code_deviation"] > 0.5
    assert by_game["mse"] < 2 * without["mse"], "and keeps what the codes are for"


def test_codes_of_a_uniform_prior_stay_where_its_draws_are() -> None:
    trained = trainer("model=aae", "model.prior=uniform", "optimizer.lr=1e-2")
    trained.train(0, 30, lambda: False)
    with evaluating(trained.model):
        codes = trained.model.encode(100 * trained.data.train.values(trained.data.train.rows[:50]))
    assert codes.abs().max() <= 1


def test_noise_on_codes_is_in_units_of_their_prior_not_of_the_images() -> None:
    trained = trainer("model=aae", "trainer.discriminator.instance_noise=0.5")
    play = round_of(trained)
    trained.generator.manual_seed(1)
    trained.set_rates(trained.rates(0).values())
    noisy = trained.add_instance_noise((torch.zeros(20_000, 8),))[0]
    assert noisy.std().item() == pytest.approx(0.5 * 2.0, rel=0.02)
    assert not torch.equal(play.fake[0], trained.model.encoder(play.kept["target"]))
