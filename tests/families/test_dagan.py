"""The game of pairs: two examples of a class, never the same one, and variations of an image."""

from __future__ import annotations

from itertools import combinations
from types import SimpleNamespace

import pytest
import torch
from conftest import QUIET, built
from torch import Tensor

from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput
from nnlab.families.gan.dagan import DAGAN
from nnlab.families.gan.trainer import gradient_penalty_of
from nnlab.metrics.variety import variety

SMALL = ["model=dagan", "data=digits", "data.limit=250", "model.channels=[4,8]", "model.latent_dim=5", *QUIET, "device=cpu"]


def trained(*overrides: str):
    experiment = built(*SMALL, "trainer.batch_size=24", *overrides)
    experiment.initialize()
    return experiment.trainer


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_pair_is_of_two_examples_of_one_class() -> None:
    trainer = trained()
    seen = []
    for step in range(2 * trainer.steps_per_epoch):
        rows = trainer.rows(step)
        label = trainer.data.train.labels(rows)
        assert torch.equal(label[0::2], label[1::2])
        assert (rows[0::2] != rows[1::2]).all(), "an example that is its own partner teaches copying"
        seen.append(label)
    assert torch.cat(seen).unique().numel() == 10


def test_the_discriminator_sees_the_other_example_or_the_variation_each_beside_the_image() -> None:
    trainer = trained()
    model, looks = trainer.model, []
    critic = trainer.critic
    trainer.critic = lambda d, real, fake: (looks.append((real, fake)), critic(d, real, fake))[1]
    batch = trainer.feed.batch(trainer.rows(0), trainer.generator)
    state = trainer.generator.get_state()
    list(trainer.turns(batch))
    (((y, x), (made, beside)),) = looks
    assert torch.equal(x, batch.target[0::2])
    assert torch.equal(y, batch.target[1::2])
    assert torch.equal(beside, x)
    trainer.generator.set_state(state)
    model.train()
    assert torch.allclose(made, model.generator(x, model.noise(len(x), trainer.generator)), atol=1e-5)


def test_several_updates_of_the_discriminator_have_whole_pairs() -> None:
    trainer = trained("trainer.discriminator.n_critic=3")
    parts = trainer.parts(trainer.feed.batch(trainer.rows(0), trainer.generator))
    assert [len(part) for part in parts] == [24, 24, 24]
    assert all(torch.equal(part.label[0::2], part.label[1::2]) for part in parts)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_no_pair_is_cut_between_two_updates(n: int) -> None:
    trainer = trained("trainer.batch_size=14", f"trainer.discriminator.n_critic={n}")
    parts = trainer.parts(trainer.feed.batch(trainer.rows(0)[:22], trainer.generator))
    assert len(parts) == n
    assert sum(map(len, parts)) == 22
    assert all(torch.equal(part.label[0::2], part.label[1::2]) for part in parts)
    trainer.train(0, 2, lambda: False)


def test_copies_of_an_example_are_no_pair() -> None:
    with pytest.raises(BadInput, match=r"data\.oversample: repeats examples, which this model would compare with themselves"):
        trained("data.oversample=true")


def test_a_judge_says_nothing_of_classes_that_it_has_not_learned() -> None:
    """Letters that are in the test alone."""
    experiment = built("model=dagan", "data=glyphs", "data.limit=1000", "model.channels=[4,8]", "device=cpu")
    experiment.initialize()
    trainer, told = experiment.trainer, {"variation_frechet": 1.0, "variation_class_agreement": 0.5, "judge_accuracy": 0.5}
    trainer.judge = SimpleNamespace(figures=lambda *_: told)
    assert told.keys() & trainer.evaluate("validation").keys() == told.keys()
    assert told.keys() & trainer.evaluate("test").keys() == {"variation_frechet"}


def test_the_penalty_of_a_linear_critic_of_norm_one_is_zero_per_image() -> None:
    """Not per row or column, as in a public implementation."""
    weight = torch.randn(2 * 64, generator=seeded())
    weight /= weight[:64].norm()  # the slope in y; x is a condition
    x, y, fake = (torch.rand(6, 1, 8, 8, generator=seeded(i)) for i in range(3))

    def critic(a: Tensor, b: Tensor) -> Tensor:
        return torch.cat([a, b], 1).flatten(1) @ weight

    assert gradient_penalty_of(critic, (y, x), (fake, x), torch.rand(6, generator=seeded(3))) < 1e-10


def test_variations_follow_the_noise_and_the_image_and_nothing_else() -> None:
    torch.manual_seed(0)
    model = DAGAN(DataSpec("own", "image", (3, 9, 11), ("a", "b")), channels=[4, 8], latent_dim=5).eval()
    x, z = torch.rand(4, 3, 9, 11, generator=seeded()), torch.randn(4, 5, generator=seeded())
    with torch.no_grad():
        made = model.vary(x, z)
        assert made.shape == x.shape
        assert torch.allclose(model.vary(x[2:3], z[2:3])[0], made[2], atol=1e-5)
        assert not torch.allclose(model.vary(x, z.roll(1, 0)), made)
        assert not torch.allclose(model.vary(x.roll(1, 0), z), made)


def test_variety_is_in_units_of_the_distance_of_two_examples_of_a_class() -> None:
    x, a, b = (torch.rand(9, 2, 3, generator=seeded(i)) for i in range(3))
    label = torch.tensor([0, 1, 2, 0, 1, 0, 7, 7, 7])
    apart = [((x[i] - x[j]) ** 2).sum() for i, j in combinations(range(9), 2) if label[i] == label[j]]
    unit = torch.stack(apart).mean()
    expected = {"variation_variety": ((a - b) ** 2).sum((1, 2)).mean() / unit}
    expected["variation_distance"] = ((a - x) ** 2).sum((1, 2)).mean() / unit
    found = variety(x, a, b, label)
    assert found == pytest.approx({name: value.item() for name, value in expected.items()}, rel=1e-5)
    assert variety(x, x, x, label) == {"variation_variety": 0.0, "variation_distance": 0.0}
    assert variety(x[:2], a[:2], b[:2], torch.arange(2)) == {}, "without two examples of a class there is no unit"


def test_what_it_cannot_use_is_refused() -> None:
    with pytest.raises(BadInput, match="instance_noise: has no effect, the discriminator of DAGAN does not use it"):
        trained("trainer.discriminator.instance_noise=0.1")
    with pytest.raises(BadInput, match=r"trainer\.batch_size: a step has 25 examples, no multiple of 2"):
        trained("trainer.batch_size=25")
    with pytest.raises(BadInput, match="a pair of examples is of one class"):
        built("model=dagan", "data=colours", "device=cpu")
