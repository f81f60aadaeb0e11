"""The conditional game: what the label does in both networks, and whether what is asked for is what is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import built, small
from games import answer, train_discriminator
from scipy.stats import chisquare

from nnlab.data.spec import Batch, DataSpec
from nnlab.errors import BadInput
from nnlab.families.gan.cgan import CGAN, Projection
from nnlab.families.gan.trainer import gradient_penalty_of

SPEC = DataSpec("own", "image", (1, 8, 8), ("a", "b", "c"))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def model() -> CGAN:
    torch.manual_seed(0)
    return CGAN(SPEC, latent_dim=5, channels=[4, 8]).eval()


@pytest.fixture
def batch() -> Batch:
    x = torch.rand(6, 1, 8, 8, generator=seeded())
    return Batch(x, x, label=torch.tensor([0, 1, 2, 0, 1, 2]))


def test_two_labels_of_an_image_differ_by_the_projections_on_its_features(model: CGAN, batch: Batch) -> None:
    d = model.discriminator
    other = (batch.label + 1) % 3
    with torch.no_grad():
        difference = model.discriminate(batch.target, batch.label) - model.discriminate(batch.target, other)
        phi, w = d.body(batch.target).flatten(1), d.of_class.weight
        expected = torch.stack([(w[y] - w[o]) @ f for f, y, o in zip(phi, batch.label, other, strict=True)])
    assert expected.abs().max() > 0
    assert torch.allclose(difference, expected, atol=1e-6)


def test_the_discriminator_sees_samples_beside_the_labels_that_they_were_asked_for(model: CGAN, batch: Batch) -> None:
    play = model.play(batch, seeded())
    z = model.noise(6, seeded())
    with torch.no_grad():
        assert torch.equal(play.fake[0], model.generator(model.conditioned(z, batch.label)))
        assert not torch.allclose(play.fake[0], model.generator(model.conditioned(z, batch.label.roll(1))))
    assert torch.equal(play.fake[1], batch.label)
    assert torch.equal(play.real[1], batch.label)


def test_the_penalty_on_the_slope_is_by_the_image_alone_each_with_its_label(batch: Batch) -> None:
    torch.manual_seed(0)
    net = CGAN(SPEC, latent_dim=5, channels=[4, 8], normalization="none")
    fake, share = torch.rand(6, 1, 8, 8, generator=seeded(1)), torch.rand(6, generator=seeded(2))
    penalty = gradient_penalty_of(net.discriminate, (batch.target, batch.label), (fake, batch.label), share)
    direct = []
    for x, y, f, e in zip(batch.target, batch.label, fake, share, strict=True):
        between = (e * x + (1 - e) * f)[None].requires_grad_()
        (slope,) = torch.autograd.grad(net.discriminate(between, y[None]).sum(), between)
        direct.append((slope.norm() - 1) ** 2)
    assert torch.allclose(penalty, torch.stack(direct).mean(), rtol=1e-5)


@pytest.mark.parametrize("objective", ["minimax", "least_squares", "hinge", "wasserstein"])
def test_each_player_moves_in_its_turn_alone(objective: str) -> None:
    critic = ["trainer=wgan_gp", "model.normalization=none"] if objective == "wasserstein" else []
    experiment = built(*small("cgan"), *critic, f"trainer.objective={objective}", "trainer.precision=float32")
    experiment.initialize()
    trainer, net = experiment.trainer, experiment.model
    trainer.model.train()

    def weights(part: torch.nn.Module) -> list[torch.Tensor]:
        return [p.detach().clone() for p in part.parameters() if p.ndim > 1]  # hinge leaves D's bias at 0 as it begins

    def moved(part: torch.nn.Module, before: list[torch.Tensor]) -> list[bool]:
        return [not torch.equal(a, b) for a, b in zip(weights(part), before, strict=True)]

    play = trainer.play(trainer.feed.batch(trainer.rows(0), trainer.generator))
    g, d = weights(net.generator), weights(net.discriminator)
    train_discriminator(trainer, play)
    assert not any(moved(net.generator, g))
    assert all(moved(net.discriminator, d)), "the projections of the classes, too"
    d = weights(net.discriminator)
    answer(trainer, play)
    assert not any(moved(net.discriminator, d))
    assert all(moved(net.generator, g))


def test_what_is_drawn_is_of_the_class_that_was_asked_for() -> None:
    """Images of one class are bright at the left, of the other at the right, of the third nowhere."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 600)
    images = rng.normal(40, 15, (600, 8, 8))
    images[label == 0, :, :4] += 150
    images[label == 1, :, 4:] += 150
    np.savez("own.npz", x_train=images.clip(0, 255).astype(np.uint8), y_train=label)
    own = ["data=npz", "data.root=.", "data.file=own.npz", "optimizer.lr=2e-3", "trainer.precision=float32"]
    experiment = built(*small("cgan"), *own)
    experiment.initialize()
    experiment.trainer.train(0, 200, lambda: False)
    asked = torch.arange(3).repeat_interleave(100)
    with torch.inference_mode():
        x = experiment.model.eval().sample_class(asked, seeded())
    left, right = x[..., :4].mean((1, 2, 3)), x[..., 4:].mean((1, 2, 3))
    seen = torch.where((left - right).abs() < 0.25, 2, (right > left).long())
    assert (seen == asked).float().mean() > 0.95


def test_samples_are_of_classes_as_frequent_as_the_datas(monkeypatch: pytest.MonkeyPatch) -> None:
    label = np.repeat([0, 1, 2], [120, 60, 20])
    np.savez("own.npz", x_train=np.zeros((200, 8, 8), np.uint8), y_train=label)
    experiment = built(*small("cgan"), "data=npz", "data.root=.", "data.file=own.npz", "data.validation=0", "data.test=0.2")
    experiment.initialize()
    net, split = experiment.model, experiment.data.train
    counts = torch.bincount(split.labels(split.rows), minlength=3)
    assert torch.allclose(net.shares, counts / len(split))
    drawn = []
    monkeypatch.setattr(net, "sample_class", lambda label, generator: drawn.append(label))
    net.sample(3000, seeded())
    assert chisquare(torch.bincount(drawn[0]), 3000 * net.shares.double() / net.shares.double().sum()).pvalue > 0.01


def test_the_average_draws_and_not_the_weights_of_the_moment(model: CGAN) -> None:
    label = torch.tensor([0, 2])
    with torch.no_grad():
        before = model.sample_class(label, seeded())
        for p in model.generator.parameters():
            p.zero_()
        assert torch.equal(before, model.sample_class(label, seeded()))
        model.update_average(0.0)
        assert not torch.equal(before, model.sample_class(label, seeded()))


@pytest.mark.parametrize(("classes", "has"), [((), "has no labels"), (("a",), "has only the class a")])
def test_data_without_classes_are_refused(classes: tuple[str, ...], has: str) -> None:
    with pytest.raises(BadInput, match=f"model: a conditional GAN needs classes, but own {has}"):
        CGAN(DataSpec("own", "image", (1, 8, 8), classes))


def test_a_bound_on_the_slope_bounds_the_projections_too() -> None:
    net = CGAN(SPEC, latent_dim=5, channels=[4, 8], normalization="none", spectral_norm=True)
    assert isinstance(net.discriminator, Projection)
    for _ in range(30):
        net.train().discriminate(torch.rand(2, 1, 8, 8), torch.tensor([0, 1]))
    assert torch.linalg.svdvals(net.discriminator.of_class.weight.detach())[0] == pytest.approx(1, abs=1e-2)
