"""The bidirectional GAN: whom its terms move, and what its game is won by."""

from __future__ import annotations

from math import log

import pytest
import torch
from games import agree, gradients_of_answer, round_of, train_discriminator, trainer, untouched
from torch import nn
from torch.nn.functional import softplus

from nnlab.families.gan.base import Play
from nnlab.metrics.reconstruction import mse
from nnlab.training.trainer import evaluating


def test_generator_and_encoder_learn_by_a_side_each(monkeypatch) -> None:
    trained = trainer("model=bigan", "model.hidden=[32]", "model.latent_dim=5")
    model = trained.model
    play, found = gradients_of_answer(trained, monkeypatch)
    (x, code), (image, z) = play.real, play.fake

    def tell(x, z):
        return model.discriminator(torch.cat([2 * x.flatten(1) - 1, z], 1))  # of values within [0, 1]

    assert agree(found, "generator", model.generator, softplus(-tell(image, z)).mean())
    assert agree(found, "encoder", model.encoder, softplus(tell(x, code)).mean())
    assert untouched(found, "discriminator")


def test_the_discriminator_learns_by_pairs_without_moving_who_made_them() -> None:
    trained = trainer("model=bigan", "model.hidden=[32]")
    before = {name: p.clone() for name, p in trained.model.named_parameters()}
    train_discriminator(trained, round_of(trained))
    moved = {name.split(".")[0] for name, p in trained.model.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {"discriminator"}


@pytest.mark.parametrize(("encoder", "least", "most"), [(1.0, 2 * log(2) - 0.05, 2 * log(2) + 0.05), (-1.0, 0.0, 0.5)])
def test_the_game_is_won_by_the_inverse_alone(encoder: float, least: float, most: float) -> None:
    """Donahue et al., theorem 2: D cannot tell (x, G⁻¹(x)) from (G(z), z). −G⁻¹ gives codes of the same distribution and
    leaves the images what they are, but D sees pairs, and tells these."""
    trained = trainer("model=bigan", "model.hidden=[64,64]", "model.latent_dim=64", "optimizer.lr=1e-3")
    model, rng = trained.model, torch.Generator().manual_seed(0)
    shape = model.spec.shape
    losses = []
    for _ in range(300):
        x, z = torch.randn((200, *shape), generator=rng), torch.randn((200, 64), generator=rng)
        play = Play(real=(x, encoder * x.flatten(1)), fake=(z.unflatten(1, shape), z))
        losses.append(train_discriminator(trained, play)["discriminator_loss"].item())
    assert least < sum(losses[-20:]) / 20 < most


def test_both_of_a_pair_are_seen() -> None:
    model = trainer("model=bigan", "model.hidden=[32]").model
    x, z = torch.rand(6, *model.spec.shape), torch.randn(6, model.latent_dim)
    said = model.discriminate(x, z)
    assert not torch.allclose(said, model.discriminate(x.flip(0), z))
    assert not torch.allclose(said, model.discriminate(x, z.flip(0)))
    assert torch.allclose(said.flip(0), model.discriminate(x.flip(0), z.flip(0)), atol=1e-6)


def test_an_encoder_learned_by_the_game_alone_reconstructs() -> None:
    trained = trainer(
        "model=bigan", "model.hidden=[128,128]", "model.latent_dim=8", "optimizer.lr=3e-3", "trainer.ema_decay=0.98"
    )
    split = trained.data.train
    x = split.values(split.rows[:500])

    def against_others() -> float:
        """The error against one's own image, as a share of that against another."""
        with evaluating(trained.model):
            output = trained.model.reconstruct(x)
        return (mse(output, x).mean() / mse(output, x.roll(1, 0)).mean()).item()

    first = against_others()
    trained.train(0, 300, lambda: False)
    assert first > 0.95
    assert against_others() < 0.75


def test_a_uniform_prior_has_codes_within_it() -> None:
    model = trainer("model=bigan", "model.prior=uniform", "model.hidden=[32]").model
    assert isinstance(model.encoder[-1], nn.Tanh)
    assert model.noise(1000, torch.Generator().manual_seed(0)).abs().max() <= 1
