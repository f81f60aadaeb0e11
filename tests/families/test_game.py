"""The game as a whole: who learns from what and how often, the penalty, what is refused, and what is said of its health."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import QUIET, built, train
from PIL import Image

from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput
from nnlab.families.gan.health import WINDOW, TrainingMonitor
from nnlab.families.gan.networks import chosen, interpolated
from nnlab.families.gan.trainer import GameTrainer, gradient_penalty_of

SMALL = ["model=dcgan", "model.channels=[4,8]", "model.latent_dim=4", "data.limit=250", "trainer.batch_size=16", *QUIET]


def game(*overrides: str) -> GameTrainer:
    experiment = built(*SMALL, *overrides)
    experiment.initialize()
    return experiment.trainer


def updates_of(trainer: GameTrainer, player: str) -> int:
    return int(next(iter(trainer.players[player].optimizer.state.values()))["step"])


def test_a_step_is_one_update_of_the_generator_and_several_of_the_discriminator() -> None:
    trainer = game("trainer.discriminator.n_critic=3")
    assert trainer.steps_per_epoch == len(trainer.data.train) // (3 * 16), "each of them has a batch of its own"
    trainer.train(0, 4, lambda: False)
    assert (updates_of(trainer, "generator"), updates_of(trainer, "discriminator")) == (4, 12)
    trainer.meter.look()
    assert trainer.meter.window.take()["real_accuracy"] >= 0


@pytest.mark.parametrize("still", ["generator", "discriminator"])
def test_a_player_moves_by_its_own_optimizer_alone(still: str) -> None:
    rates = {"generator": ("optimizer.lr=0.0", "1e-3"), "discriminator": ("optimizer.lr=1e-3", "0.0")}[still]
    trainer = game("optimizer@trainer.discriminator.optimizer=adam", rates[0], f"trainer.discriminator.optimizer.lr={rates[1]}")
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    trainer.train(0, 3, lambda: False)
    moved = {name.split(".")[0] for name, p in trainer.model.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {"generator", "discriminator", "averaged"} - {still} - ({"averaged"} if still == "generator" else set())
    assert trainer.rates(0) == {f"{name}_lr": 0.0 if name == still else 1e-3 for name in ("discriminator", "generator")}


def test_what_samples_is_the_average_of_the_weights() -> None:
    trainer = game("trainer.ema_decay=0")
    trainer.train(0, 3, lambda: False)
    model = trainer.model.eval()
    z = torch.randn(5, 4)
    assert torch.equal(model.decode(z), model.generator(z))
    model.generator[0].weight.data.zero_()
    assert not torch.equal(model.decode(z), model.generator(z))


def test_the_penalty_is_that_of_each_example_alone_with_an_epsilon_of_its_own() -> None:
    torch.manual_seed(0)
    weight = torch.randn(6, 3, dtype=torch.float64)

    def discriminate(x: torch.Tensor, z: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return (torch.cat([x.flatten(1), z], 1) @ weight).tanh().sum(1) * (1 + label)

    real, fake = ((torch.randn(7, 1, 2, 2).double(), torch.randn(7, 2).double(), torch.arange(7)) for _ in range(2))
    share = torch.rand(7, dtype=torch.float64)
    expected = []
    for i in range(7):
        pair = [
            (share[i] * a[i] + (1 - share[i]) * b[i])[None].requires_grad_() for a, b in zip(real[:2], fake[:2], strict=True)
        ]
        slopes = torch.autograd.grad(discriminate(*pair, real[2][i : i + 1]).sum(), pair)
        expected.append((torch.cat([slope.flatten() for slope in slopes]).norm() - 1) ** 2)
    found = gradient_penalty_of(discriminate, real, fake, share)
    torch.testing.assert_close(found, torch.stack(expected).mean(), rtol=1e-5, atol=1e-5)
    assert not torch.equal(interpolated(real[0], fake[0], share), interpolated(real[0], fake[0], share[:1].expand(7)))


def test_the_penalty_brings_the_slope_to_one() -> None:
    trainer = game("trainer=wgan_gp", "model.normalization=none", "optimizer.lr=1e-3", "trainer.batch_size=16", *QUIET)
    penalties = []
    for step in range(0, 60, 20):
        trainer.train(step, 20, lambda: False)
        trainer.meter.look()
        penalties.append(trainer.meter.window.take()["gradient_penalty"])
    assert penalties[-1] < 0.25 * penalties[0]


def test_instance_noise_falls_to_nothing() -> None:
    trainer = game("trainer.discriminator.instance_noise=0.2", "trainer.epochs=2")
    last = trainer.stages[-1].steps
    noise = [trainer.rates(step)["instance_noise"] for step in (0, last // 2, last)]
    assert noise == pytest.approx([0.2, 0.1, 0.0], abs=0.01)
    x = torch.zeros(1000, 1, 8, 8)
    trainer.set_rates(trainer.rates(0).values())
    assert trainer.add_instance_noise((x,))[0].std().item() == pytest.approx(0.2, rel=0.02)


@pytest.mark.parametrize("objective", ["minimax", "non_saturating", "least_squares", "hinge", "wasserstein"])
def test_each_objective_finds_a_gaussian(objective: str) -> None:
    rng = np.random.default_rng(0)
    np.savez("own.npz", x_train=rng.normal([1.0, -2.0], [0.5, 1.0], (2000, 2)).astype(np.float32))
    chosen_game = ["trainer=wgan_gp"] if objective == "wasserstein" else [f"trainer.objective={objective}"]
    experiment = built(
        *("model=gan", "model.hidden=[32,32]", "model.latent_dim=4", "data=npz", "data.root=.", "data.file=own.npz"),
        *(*chosen_game, "optimizer.lr=2e-3", "trainer.batch_size=64", "trainer.ema_decay=0.98", "trainer.steps=300", *QUIET),
    )
    experiment.initialize()
    experiment.trainer.train(0, 200 if objective == "wasserstein" else 300, lambda: False)
    samples = experiment.model.eval().sample(4000, torch.Generator().manual_seed(0)).detach()
    assert (samples.mean(0) - torch.tensor([1.0, -2.0])).abs().max() < 0.4, "it begins 2 away; the last bits differ by machine"
    assert (samples.std(0) / torch.tensor([0.5, 1.0]) - 1).abs().max() < 0.5


# -- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["trainer.objective=wasserstein"], "give model.normalization=none trainer=wgan_gp, .* or use minimax, non_saturating"),
        (["trainer.batch_size=1"], "batches of 2 or more"),
        (["trainer=wgan_gp"], "uses batch normalisation"),
        (["trainer.discriminator.gradient_penalty=10"], "uses batch normalisation"),
        (
            ["trainer.objective=hinge", "trainer.discriminator.label_smoothing=0.1"],
            "use minimax, non_saturating, least_squares",
        ),
        (["model.channels=[4,4,4,4]"], "4 layers halve 8×8 to nothing"),
    ],
)
def test_a_game_that_cannot_be_played_is_refused(overrides: list[str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        built(*SMALL, *overrides)


@pytest.mark.parametrize(("size", "near"), [((6, 10), "8×13"), ((112, 92), "64×53"), ((128, 4), "64×8"), ((65, 65), "64×64")])
def test_a_size_out_of_reach_is_refused_with_the_nearest(size: tuple[int, int], near: str) -> None:
    with pytest.raises(BadInput, match=f"the nearest size is {near}"):
        chosen("auto", DataSpec("own", "image", (1, *size)))


@pytest.mark.parametrize("side", range(8, 65, 7))
def test_every_side_from_8_to_64_has_its_layers(side: int) -> None:
    layers = len(chosen("auto", DataSpec("own", "image", (3, side, 64))))
    assert 3 <= side // 2**layers < 6


# -- health -------------------------------------------------------------------------------------------------------

WELL = {"real_accuracy": 0.8, "fake_accuracy": 0.8, "diversity": 0.9, "generator_loss": 1.0, "discriminator_loss": 1.0}


def told(*records: dict, judges: bool = True) -> list[str]:
    health, said = TrainingMonitor(), []
    for i, record in enumerate(records):
        lively = {"generator_loss": 1.0 + 0.1 * (i % 2), "discriminator_loss": 1.0 + 0.1 * (i % 3)}
        said += health.look({**WELL, **lively, **record}, judges)
    return said


def test_a_healthy_game_is_not_talked_about() -> None:
    assert told(*[{}] * 50) == []


def test_each_trouble_is_said_once() -> None:
    won = told(*[{"real_accuracy": 1.0, "fake_accuracy": 1.0}] * 30)
    assert len(won) == 1
    assert "has won" in won[0]
    assert told(*[{"diversity": 3.0}] * 20, *[{"diversity": 1.1}] * 20) == []  # codes that come back to their prior's width
    collapsed = told(*[{}] * 20, *[{"diversity": 0.2}] * 20)
    assert len(collapsed) == 1
    assert "their variance is 20% of the data's, and was 90%" in collapsed[0]
    frozen = told(*[{"generator_loss": 0.0}] * 20)
    assert len(frozen) == 1
    assert "generator_loss does not change from 0" in frozen[0]
    assert "never more than 1%" in told(*[{"diversity": 0.01}] * 40)[0]


def test_a_trouble_that_comes_back_is_said_again_and_a_short_one_not_at_all() -> None:
    sure = {"real_accuracy": 1.0, "fake_accuracy": 1.0}
    assert told(*[sure] * (WINDOW - 1), *[{}] * 20) == []
    assert len(told(*[sure] * 20, *[{}] * 20, *[sure] * 20)) == 2


def test_a_critic_without_a_zero_has_not_won() -> None:
    assert told(*[{"real_accuracy": 1.0, "fake_accuracy": 1.0}] * 30, judges=False) == []


def test_terms_that_only_some_records_have_are_no_trouble() -> None:
    frozen = {"penalty_loss": 0.5}
    assert told(*[{}] * 5, *[frozen] * 5) == []
    assert len(told(*[{}] * 5, *[frozen] * WINDOW)) == 1


def test_health_goes_on_where_it_was() -> None:
    whole, first = TrainingMonitor(), TrainingMonitor()
    for i in range(30):
        record = {**WELL, "generator_loss": 1.0 + i, "discriminator_loss": 1.0 - i, "diversity": 0.9 if i < 15 else 0.1}
        said = whole.look(record, True)
        if i == 17:
            state, first = first.state(), TrainingMonitor()
            first.restore(state)
        assert first.look(record, True) == said


def test_a_run_says_in_words_what_is_wrong_and_ends_with_a_film(capsys: pytest.CaptureFixture[str]) -> None:
    still = ["trainer.log_every=1 step", "optimizer.lr=0.0", "trainer.epochs=3", "trainer.show_every=1 epoch"]
    folder = train("run", *SMALL, *still)
    assert capsys.readouterr().out.count("the samples are all alike") == 1
    with Image.open(folder.images / "sample_history.png") as film:
        assert film.n_frames == 4, "three, and the last one again, to rest on"
