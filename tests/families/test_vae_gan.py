"""The VAE with a GAN's measure of error: whom its three terms move, and in which features it measures."""

from __future__ import annotations

import pytest
import torch
from games import agree, gradients_of_answer, hold_still, round_of, train_discriminator, trainer, untouched
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import softplus

from nnlab.families.gan.trainer import gradient_penalty_of
from nnlab.training.trainer import evaluating

SMALL = ["model=vae_gan", "model.channels=[4,8]", "model.latent_dim=5", "model.weight=0.3", "model.gamma=0.2"]


def test_each_player_learns_by_its_own_terms(monkeypatch) -> None:
    trained = trainer(*SMALL, "model.normalization=none")
    model = trained.model
    play, found = gradients_of_answer(trained, monkeypatch)
    x, (both,) = play.real[0], play.fake
    n = len(x)
    features = torch.nn.Sequential(*list(model.discriminator)[:-1])
    likeness = 0.5 * (features(both[:n]) - features(x).detach()).pow(2).sum() / n
    game = softplus(-model.discriminator(both)).mean()
    mean, log_variance = play.kept["mean"], play.kept["log_variance"]
    kl = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum() / n
    assert agree(found, "encoder", model.encoder, kl + 0.3 * likeness)
    assert agree(found, "decoder", model.decoder, 0.2 * likeness + game)
    assert not agree(found, "decoder", model.decoder, 0.2 * likeness)
    assert untouched(found, "discriminator")


def test_the_discriminator_learns_by_the_game_alone(monkeypatch) -> None:
    trained = trainer(*SMALL, "model.normalization=none")
    model, play = trained.model, round_of(trained)
    hold_still(trained, monkeypatch)
    train_discriminator(trained, play)
    found = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    loss = softplus(-model.discriminator(play.real[0])).mean() + softplus(model.discriminator(play.fake[0].detach())).mean()
    assert agree(found, "discriminator", model.discriminator, loss)
    assert untouched(found, "encoder")
    assert untouched(found, "decoder")


def test_samples_are_decoded_codes_and_decoded_draws_of_the_prior() -> None:
    trained = trainer(*SMALL)
    model = trained.model
    batch = trained.feed.batch(trained.rows(0), trained.generator)
    play = model.play(batch, torch.Generator().manual_seed(3))
    rng = torch.Generator().manual_seed(3)
    mean, log_variance = play.kept["mean"], play.kept["log_variance"]
    code = mean + log_variance.exp().sqrt() * torch.randn(mean.shape, generator=rng)
    expected = model.decoder(torch.cat([code, torch.randn(mean.shape, generator=rng)]))
    assert torch.allclose(play.fake[0], expected, atol=1e-5)
    assert len(expected) == 2 * len(batch)


def test_the_penalty_is_between_an_image_and_its_own_reconstruction() -> None:
    trained = trainer(*SMALL, "model.normalization=none")
    play, model = round_of(trained), trained.model
    n, share = len(play.real[0]), torch.rand(len(play.real[0]))
    pairs = tuple(x[:n] for x in play.fake)
    assert gradient_penalty_of(model.discriminate, play.real, play.fake, share) == gradient_penalty_of(
        model.discriminate, play.real, pairs, share
    )


def test_the_features_are_what_the_discriminator_decides_by() -> None:
    model = trainer(*SMALL).model
    x = torch.rand(4, *model.spec.shape)
    with evaluating(model):
        features = model.features(x)
        head = model.discriminator[-1]
        assert torch.allclose(model.discriminate(x), features @ head.weight[0] + head.bias, atol=1e-6)
    assert features.shape == (4, 8 * 2 * 2)


def test_the_latent_space_carries_the_nats_of_its_coordinates() -> None:
    trained = trainer(*SMALL)
    trained.train(0, 20, lambda: False)
    model = trained.model
    with trained.preview() as view:
        latent = model.latent(view.batches)
        moments = [model.averaged["encoder"](batch.input).chunk(2, 1) for batch in view.batches]
    mean, log_variance = (torch.cat(part) for part in zip(*moments, strict=True))
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).mean(0)
    assert torch.allclose(latent.kl, expected, rtol=1e-4)
    assert latent.order()[0] == expected.argmax()
    assert latent.std.tolist() == pytest.approx([1.0] * 5)
