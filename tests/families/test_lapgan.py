"""The pyramid of games: levels that learn alone, on images of data, and are sampled one upon the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import QUIET, built, train
from torch import Tensor, nn

import nnlab as package
from nnlab.data.spec import Batch, DataSpec
from nnlab.errors import BadInput
from nnlab.families.gan.lapgan import LAPGAN
from nnlab.families.gan.trainer import StagedGameTrainer
from nnlab.nn import pyramid

SMALL = ["model=lapgan", "model.levels=3", "model.hidden=[16]", "model.channels=[8]", "model.latent_dim=4"]
SMALL += ["trainer.batch_size=16", "data.limit=250", "trainer.epochs=1", "trainer.pretraining.epochs=1", *QUIET, "device=cpu"]


def game(*overrides: str) -> StagedGameTrainer:
    experiment = built(*SMALL, *overrides)
    experiment.initialize()
    return experiment.trainer


def first_batch(trainer: StagedGameTrainer) -> Batch:
    return trainer.feed.batch(trainer.rows(0), trainer.generator)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def a_model(shape: tuple[int, int, int] = (1, 12, 12), **keys) -> LAPGAN:
    torch.manual_seed(0)
    sizes = {"hidden": [16], "channels": [8], "latent_dim": 4}
    model = LAPGAN(DataSpec("own", "image", shape), **{**sizes, **keys}).eval()
    for generator in model.averaged["generators"][1:]:
        generator.up[-1].weight.data.normal_(0, 0.3, generator=seeded())  # so that there are details to see
    return model


# -- levels -------------------------------------------------------------------------------------------------------


def test_a_level_that_learns_changes_nothing_of_the_others() -> None:
    """Neither weights nor the statistics of batch normalisation, in training, evaluation and pictures."""
    trainer = game()
    for stage in range(3):
        trainer.start_stage(stage)
        before = {name: value.clone() for name, value in trainer.model.state_dict().items() if isinstance(value, Tensor)}
        trainer.train(0, 3, lambda: False)
        trainer.evaluate("validation")
        trainer.images()
        moved = {name for name, value in trainer.model.state_dict().items() if not torch.equal(value, before[name])}
        owners = {name.replace("averaged.", "").split(".")[1] for name in moved - {"averaged.updates", "_extra_state"}}
        assert owners == {str(stage)}
        statistics = {name for name in before if "running_mean" in name and f"generators.{stage}" in name}
        assert statistics <= moved, "its own do"


def test_what_is_judged_is_the_image_of_the_level_beside_the_enlarged_one() -> None:
    trainer = game()
    for stage in range(3):
        trainer.start_stage(stage)
        batch = first_batch(trainer)
        levels = pyramid.images(batch.target, trainer.model.sizes)
        play = trainer.model.play(batch, trainer.generator)
        assert torch.allclose(play.real[0], levels[stage])
        assert play.fake[0].shape == play.real[0].shape
        assert trainer.model.discriminate(*play.fake).shape == (len(batch),)
        if stage:
            enlarged = pyramid.up(levels[stage - 1], levels[stage].shape[2:])
            assert torch.allclose(play.real[1], enlarged), "the condition is the coarser image, not the target"
            assert torch.equal(play.real[1], play.fake[1])
        else:
            assert len(play.real) == len(play.fake) == 1


def test_the_discriminator_sees_image_and_condition() -> None:
    model = a_model()
    x, below = torch.rand(2, 1, 12, 12), torch.rand(2, 1, 12, 12)
    said = model.discriminate(x, below)
    assert not torch.allclose(said, model.discriminate(below, x))
    for other in ((x.flip(3), below), (x, below.flip(3))):
        assert not torch.allclose(said, model.discriminate(*other))


def test_details_are_made_once_for_both_players() -> None:
    trainer = game()
    trainer.start_stage(1)
    calls = []
    trainer.model.generator.register_forward_hook(lambda *_: calls.append("generator"))
    trainer.model.discriminator.register_forward_hook(lambda *_: calls.append("discriminator"))
    trainer.train(0, 2, lambda: False)
    assert calls == 2 * ["generator", "discriminator", "discriminator", "discriminator"]


def test_a_finer_level_learns_details_as_strong_as_those_of_data() -> None:
    fast = ["optimizer.lr=2e-3", "trainer.ema_decay=0.9", "model.levels=2", "model.channels=[16]", "trainer.batch_size=32"]
    trainer = game("data.limit=none", *fast)
    trainer.start_stage(1)
    model, x = trainer.model, first_batch(trainer).target

    def strength() -> float:
        with torch.no_grad():
            made, true = (images - model.without_details(x) for images in (model.eval().reconstruct(x), x))
        return (made.square().mean() / true.square().mean()).item()

    assert strength() < 0.01
    trainer.train(0, 200, lambda: False)
    assert 0.5 < strength() < 2


# -- samples ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_sample_is_each_level_upon_the_coarser_one(stage: int) -> None:
    """As far as they have learned; the residuals of the levels to come are zero."""
    model = a_model(levels=3)
    model.start_stage(stage)
    generator, averaged = seeded(1), model.averaged["generators"]
    x = averaged[0](torch.randn(5, 4, generator=generator))
    for level, size in ((1, 6), (2, 12)):
        x = pyramid.up(x, (size, size))
        if level <= stage:
            residual = averaged[level](x, torch.randn(5, size * size, generator=generator).view(5, 1, size, size))
            x = (x + residual).clamp(0, 1)
    assert torch.allclose(model.sample(5, seeded(1)), x, atol=1e-6)


def test_a_plane_of_noise_changes_the_details() -> None:
    model = a_model(levels=2)
    below = torch.rand(1, 1, 12, 12)
    one, other = (model.detailed(model.averaged["generators"][1], below, model.plane(below, seeded(s))) for s in (0, 1))
    assert not torch.allclose(one, other, atol=1e-3)


def test_a_reconstruction_keeps_the_coarser_image_and_nothing_finer() -> None:
    model = a_model(levels=3)
    x = torch.rand(4, 1, 12, 12, generator=seeded())
    half = pyramid.up(pyramid.down(x, (6, 6)), (12, 12))
    assert torch.allclose(model.without_details(x), half)
    made = model.reconstruct(x)
    noise = model.still.view(1, 1, 12, 12).expand(4, -1, -1, -1)
    assert torch.allclose(made, (half + model.averaged["generators"][2](half, noise)).clamp(0, 1), atol=1e-6)
    assert torch.allclose(model.reconstruct(x[1:2]), made[1:2], atol=1e-6), "whatever its batch is"
    checked = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(6, 6)  # which nothing coarser holds
    checked[[0, -1]] = checked[:, [0, -1]] = 0
    inside = 0.3 + 0.4 * x
    a, b = (model.reconstruct(inside + 0.1 * s * checked) for s in (0, 1))
    assert (a - b).abs().max() < 0.02
    model.start_stage(1)
    quarter = pyramid.down(pyramid.down(x, (6, 6)), (3, 3))
    assert torch.allclose(model.without_details(x), pyramid.up(pyramid.up(quarter, (6, 6)), (12, 12)))
    model.start_stage(0)
    assert torch.equal(model.without_details(x), model.reconstruct(x))


def test_values_end_where_those_of_the_data_do() -> None:
    class Strong(nn.Module):
        def forward(self, below: Tensor, plane: Tensor) -> Tensor:
            return 5 * plane

    model, below = a_model(), torch.rand(2, 1, 12, 12)
    made = model.detailed(Strong(), below, model.plane(below, seeded()))
    assert (made.min(), made.max()) == (0, 1)
    model.spec = replace(model.spec, bounded=False)
    assert model.detailed(Strong(), below, model.plane(below, seeded())).max() > 1


@pytest.mark.parametrize("shape", [(3, 31, 31), (1, 20, 13), (2, 5, 4)])
def test_sides_that_are_odd(shape: tuple[int, int, int]) -> None:
    model = a_model(shape)
    assert model.sample(2, seeded()).shape == model.reconstruct(torch.rand(2, *shape)).shape == (2, *shape)
    model.start_stage(0)
    assert model.sample(2, seeded()).shape == (2, *shape)


def test_a_checkpoint_of_an_early_stage_samples_as_it_did_then() -> None:
    folder = train("run", *SMALL, "trainer.keep_checkpoint_every=1 epoch")
    steps = sorted(int(path.stem.removeprefix("step-")) for path in folder.checkpoints.glob("step-*.pt"))
    stages = [package.load(folder.path, f"step-{step:06d}").stage for step in steps]
    assert stages == [0, 1, 2]
    early, last = (package.load(folder.path, name) for name in (f"step-{steps[0]:06d}", "last"))
    coarse = early.averaged["generators"][0](early.noise(3, seeded()))
    assert torch.allclose(early.sample(3, seeded()), pyramid.up(pyramid.up(coarse, (4, 4)), (8, 8)))
    assert torch.equal(last.averaged["generators"][0][0].weight, early.averaged["generators"][0][0].weight)
    records = [record for record in folder.read_metrics() if record["split"] == "validation"]
    assert [record.get("stage", "") for record in records] == ["2x2", "4x4", ""]


# -- pictures and refusals ----------------------------------------------------------------------------------------


def test_the_picture_has_a_column_for_each_step_and_zero_is_gray() -> None:
    model, few = a_model(levels=3), torch.full((5, 1, 12, 12), 0.2)
    batch = Batch(few, few)
    for stage, columns in ((0, 1), (1, 4), (2, 7)):
        model.start_stage(stage)
        picture = model.pictures(batch, [], seeded())["levels"]
        left = picture.shape[1] - (columns * 74 - 2)
        assert 0 < left < 100, "tiles of 72 pixels, and the names of the rows"
        values = [int(picture[50, left + i * 74 + 36].mean()) for i in range(columns)]
        assert values == [51, *[51, 128, 51] * stage], "an even image has no details"


def test_the_film_comes_at_the_end_of_the_run_alone() -> None:
    trainer = game()
    for stage, prefix in ((0, "2x2_"), (2, "")):
        trainer.start_stage(stage)
        trainer.train(0, trainer.stages[stage].steps, lambda: False)
        assert {name.removeprefix(prefix) for name in trainer.images()} == {"sample", "reconstruction", "levels"} | (
            {"sample_history"} if stage else set()
        )


@pytest.mark.parametrize("objective", ["minimax", "non_saturating", "least_squares", "hinge", "wasserstein"])
def test_each_objective_in_each_stage(objective: str) -> None:
    penalty = ["trainer.discriminator.gradient_penalty=10", "trainer.discriminator.n_critic=2"]
    trainer = game(f"trainer.objective={objective}", *(penalty if objective == "wasserstein" else []))
    for stage in range(3):
        trainer.start_stage(stage)
        trainer.train(0, 2, lambda: False)
        trainer.meter.look()
        terms = trainer.meter.window.take()
        assert np.isfinite(list(terms.values())).all()
        assert ("gradient_penalty" in terms) == (objective == "wasserstein")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["model.levels=4"], "model.levels: 4 levels halve 8×8 to less than 2 pixels; give 3 or fewer"),
        (["model.channels=[4,4,4]"], "model.channels: 3 layers halve 4×4 to nothing"),
        (["model.normalization=batch", "trainer.discriminator.gradient_penalty=1"], "uses batch normalisation"),
        (["trainer.objective=wasserstein"], "give trainer.discriminator.gradient_penalty=10, which adds"),
        (
            ["model.normalization=batch", "trainer.objective=wasserstein"],
            "give model.normalization=none trainer.discriminator.g",
        ),
        (["trainer.pretraining.epochs=[1,1,1]"], "3 numbers for 2 stages"),
    ],
)
def test_what_cannot_be_is_refused_before_the_first_stage(overrides: list[str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        built(*SMALL, *overrides)


def test_spectral_norm_bounds_every_discriminator() -> None:
    model = game("model.spectral_norm=true", "trainer.objective=wasserstein").model
    for discriminator in model.discriminators:
        assert all(hasattr(m, "parametrizations") for m in discriminator.modules() if isinstance(m, nn.Linear | nn.Conv2d))
