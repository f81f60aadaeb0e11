"""The balancing game: codes of each class, a start from the autoencoder, and classes that are equally frequent."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import QUIET, built
from sklearn.covariance import LedoitWolf
from torch import Tensor
from torch.nn.functional import cross_entropy

from nnlab.data.feed import BatchBuilder
from nnlab.errors import BadInput
from nnlab.families.gan.trainer import StagedGameTrainer

SMALL = ["model=bagan", "data=digits", "data.limit=250", "model.channels=[4,8]", "model.latent_dim=5", *QUIET, "device=cpu"]
SMALL += ["trainer.batch_size=32", "trainer.epochs=1", "trainer.pretraining.epochs=1"]


def game(*overrides: str) -> StagedGameTrainer:
    experiment = built(*SMALL, *overrides)
    experiment.initialize()
    return experiment.trainer


def pretrained(*overrides: str) -> StagedGameTrainer:
    """At the start of the game, which has not made a step."""
    trainer = game(*overrides)
    trainer.train(0, 6, lambda: False)
    trainer.start_stage(1)
    trainer.begin_stage()
    return trainer


def state(*modules) -> list[Tensor]:
    return [value.clone() for module in modules for value in module.state_dict().values()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_codes_of_a_class_have_the_mean_and_the_shrunk_covariance_of_its_training_examples() -> None:
    trainer = pretrained()
    model, split = trainer.model.eval(), trainer.data.train
    batch = next(BatchBuilder(split).sequential(torch.Generator()))
    with torch.no_grad():
        codes = model.encoder(batch.target).double().numpy()
    for c in range(10):
        own = LedoitWolf().fit(codes[batch.label.numpy() == c])
        assert np.allclose(model.means[c], own.location_, atol=1e-4)
        assert np.allclose(model.factors[c] @ model.factors[c].T, own.covariance_, atol=1e-4)


def test_drawn_codes_are_of_their_class() -> None:
    model = pretrained().model
    z = model.codes_of(torch.full((20_000,), 3), torch.Generator().manual_seed(0))
    wanted = model.factors[3] @ model.factors[3].T
    assert torch.allclose(z.mean(0), model.means[3], atol=5 * (wanted.diag().max() / 20_000) ** 0.5)
    assert torch.allclose(z.T.cov(), wanted, atol=0.05 * wanted.abs().max())


def test_the_game_starts_from_the_autoencoder_unless_it_is_told_not_to() -> None:
    trainer = pretrained()
    assert same(state(*trainer.model.discriminator[:-1]), state(*trainer.model.encoder[:-1]))
    fresh = game("model.init=random")
    before = state(fresh.model.generator, fresh.model.discriminator)
    encoder = state(fresh.model.encoder)
    fresh.train(0, 6, lambda: False)
    fresh.start_stage(1)
    fresh.begin_stage()
    assert same(before, state(fresh.model.generator, fresh.model.discriminator))
    assert not same(encoder, state(fresh.model.encoder))
    assert not torch.equal(fresh.model.means, torch.zeros_like(fresh.model.means))


def test_both_starts_learn_codes_of_one_scale() -> None:
    """So that a comparison is of the start alone: as good an autoencoder, from a decoder of its own."""
    one, other = (pretrained(f"model.init={init}").model.means for init in ("autoencoder", "random"))
    assert one.shape == other.shape
    assert 0.2 < (one.norm() / other.norm()).item() < 5


def test_a_step_of_the_game_leaves_encoder_and_codes_as_they_are() -> None:
    trainer = pretrained()
    before = state(trainer.model.encoder), trainer.model.means.clone()
    trainer.train(1, 3, lambda: False)
    assert same(before[0], state(trainer.model.encoder))
    assert torch.equal(before[1], trainer.model.means)


def test_the_losses_are_cross_entropies_of_the_classes_and_one_of_samples() -> None:
    trainer = pretrained()
    batch = trainer.feed.batch(trainer.rows(0)[:6], trainer.generator)
    for player in trainer.players.values():
        player.step = lambda clip=None: None
    known = trainer.generator.get_state()
    terms = {}
    for turn in trainer.turns(batch):
        terms |= turn.terms
    trainer.generator.set_state(known)
    label, z = trainer.model.codes(6, trainer.generator)
    model = trainer.model
    fake = model.generator(z)
    eleven = torch.full((6,), 10)
    expected = cross_entropy(model.discriminator(batch.target), batch.label) + cross_entropy(model.discriminator(fake), eleven)
    assert terms["discriminator_loss"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert terms["generator_loss"].item() == pytest.approx(cross_entropy(model.discriminator(fake), label).item(), rel=1e-4)


def test_samples_are_of_all_classes_however_rare_one_is_in_the_data() -> None:
    trainer = pretrained("data.imbalance={3:0.2}")
    label, _ = trainer.model.codes(5000, torch.Generator().manual_seed(0))
    assert (label.bincount(minlength=10) / 5000 - 0.1).abs().max() < 0.02


def test_a_class_without_two_examples_is_named() -> None:
    """Before the first stage, which may take an hour."""
    for chosen, n in (("data.imbalance={3:0.01}", "1 training example;"), ("data.imbalance={3:0}", "0 training examples;")):
        with pytest.raises(BadInput, match=f"the class '3' has {n} a covariance"):
            built(*SMALL, "data.limit=none", "data.validation=0", chosen).initialize()


def test_repeated_examples_count_once_and_two_are_enough() -> None:
    """In five dimensions two examples have a covariance of rank one before it is shrunk."""
    with pytest.raises(BadInput, match=r"the class '3' has 1 training example;"):
        pretrained("data.limit=none", "data.imbalance={3:0.01}", "data.validation=0", "data.oversample=true")
    model = pretrained("data.limit=none", "data.imbalance={3:0.014}", "data.validation=0", "data.oversample=true").model
    assert model.factors.isfinite().all()
    assert (model.factors.diagonal(dim1=1, dim2=2) > 0).all()


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("trainer.objective=hinge", "trainer.objective: BAGAN can have non_saturating, not hinge"),
        (
            "trainer.discriminator.gradient_penalty=10",
            "gradient_penalty: has no effect, the discriminator of BAGAN does not use",
        ),
        ("trainer.discriminator.instance_noise=0.1", "instance_noise: has no effect, the discriminator of BAGAN does not use"),
        (
            "trainer.discriminator.label_smoothing=0.1",
            "label_smoothing: has no effect, the discriminator of BAGAN does not use",
        ),
    ],
)
def test_options_that_its_loss_does_not_have_are_refused(override: str, expected: str) -> None:
    with pytest.raises(BadInput, match=expected):
        game(override)
