"""The contract that every model of configs/model passes. A new model is covered without a line here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import QUIET, built, same_bits, small, weights
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

import nnlab as package
from nnlab.config import search
from nnlab.errors import BadInput
from nnlab.experiment import carry_out, write_config
from nnlab.model import Decodes, Encodes, Reconstructs, Samples, can
from nnlab.recording.console import Console
from nnlab.runs.folder import RunFolder
from nnlab.training import checkpoint
from nnlab.training.loop import Loop

MODELS = list(search.options("model"))
SHORT = ["trainer.epochs=3", "trainer.batch_size=100", "trainer.log_every=4 steps", *QUIET]


def train(name: str, *overrides: str, state: dict | None = None) -> RunFolder:
    folder = RunFolder(Path(name))
    folder.path.mkdir(exist_ok=True)
    experiment = built(*overrides)
    write_config(folder, experiment.config)
    carry_out(experiment, folder, Console(), state)
    return folder


def events(folder: RunFolder) -> list[tuple[int, str]]:
    """Steps and contents of the event file, without the wall time."""
    (path,) = folder.path.glob("events.out.tfevents.*")
    return [(event.step, str(value)) for event in EventFileLoader(str(path)).Load() for value in event.summary.value]


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return request.param


def test_the_validation_loss_falls(model: str) -> None:
    folder = train("run", *small(model), *SHORT)
    losses = [r["loss"] for r in folder.read_metrics() if r["split"] == "validation"]
    start = built(*small(model), *SHORT)
    start.model.start(start.data.train)
    assert losses[-1] < losses[0] < start.trainer.evaluate("validation")["loss"]


def test_the_same_config_gives_the_same_bits_and_another_seed_does_not(model: str) -> None:
    short = [*small(model), "trainer.steps=5", "noise=gaussian", *QUIET]
    first, second, other = (train(name, *short, seed) for name, seed in (("a", "seed=1"), ("b", "seed=1"), ("c", "seed=2")))
    assert same_bits(weights(first), weights(second))
    assert not same_bits(weights(first), weights(other))


def test_cadences_do_not_change_the_weights(model: str) -> None:
    short = [*small(model), "trainer.steps=12", "trainer.precision=float32"]
    calm = train("calm", *short, "trainer.evaluate_every=never", "trainer.show_every=never", "trainer.log_every=never")
    busy = train("busy", *short, "trainer.evaluate_every=3 steps", "trainer.show_every=4 steps", "trainer.keep_every=5 steps")
    assert same_bits(weights(calm), weights(busy))
    assert {"step-000005.pt", "step-000010.pt", "best.pt"} <= {path.name for path in busy.checkpoints.iterdir()}


@pytest.mark.parametrize("steps", [1, 13, 17])  # in the first epoch; at an epoch's end; in the middle of the second
def test_an_interrupted_run_resumes_to_the_same_bits_and_files(model: str, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = [*small(model), *SHORT, "noise=masking", "trainer.show_every=1 epoch", "trainer.evaluate_every=7 steps"]
    whole = train("whole", *overrides)

    advance = Loop.advance

    def until(loop: Loop, n: int) -> int:
        left = steps - loop.progress.step
        loop.stop = lambda: loop.progress.step + made[0] >= steps
        made = [0]
        update = loop.trainer.update
        loop.trainer.update = lambda batch: (update(batch), made.__setitem__(0, made[0] + 1))
        done = advance(loop, min(n, left) if left > 0 else n)
        loop.trainer.update = update
        loop.stop = lambda: loop.progress.step >= steps
        return done

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "advance", until)
        with pytest.raises(Exception, match=f"interrupted at step {steps} and saved"):
            train("broken", *overrides)
    broken = RunFolder(Path("broken"))
    assert broken.read_status()["status"] == "interrupted"
    train("broken", *overrides, state=checkpoint.load(broken.checkpoints, "last"))

    for name in ("last", "best"):
        a, b = (torch.load(f.checkpoints / f"{name}.pt", weights_only=True)["trainer"] for f in (whole, broken))
        assert same_bits(a["model"], b["model"])
        assert torch.equal(a["random"]["training"], b["random"]["training"])
        assert same_state(a["optimizer"], b["optimizer"])
    assert broken.metrics.read_bytes() == whole.metrics.read_bytes()
    assert events(broken) == events(whole)


def same_state(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_state(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same_state, a, b))
    return a == b


def test_a_loaded_run_gives_what_was_trained(model: str) -> None:
    folder = train("run", *small(model), *SHORT)
    loaded = package.load("run", checkpoint="last")
    assert same_bits(dict(loaded.state_dict()), weights(folder))
    assert not loaded.training


def test_capabilities_keep_shapes_and_ranges(model: str) -> None:
    experiment = built(*small(model))
    net, spec = experiment.model.eval(), experiment.model.spec
    x = experiment.data.train.values(experiment.data.train.rows[:5])
    outputs = []
    with torch.inference_mode():
        if can(net, Reconstructs):
            outputs.append(net.reconstruct(x))
            assert torch.equal(outputs[-1], net.reconstruct(x)), "a reconstruction is not drawn"
        if can(net, Samples):
            outputs += [net.sample(5, torch.Generator().manual_seed(s)) for s in (0, 0, 1)]
            assert torch.equal(outputs[-3], outputs[-2])
            assert not torch.equal(outputs[-2], outputs[-1])
        if can(net, Encodes) and can(net, Decodes):
            code = net.encode(x)
            assert code.shape == (5, net.latent_dim)
            outputs.append(net.decode(code))
    assert outputs
    for output in outputs:
        assert output.shape == (5, *spec.shape)
        assert output.dtype == torch.float32
        assert spec.low <= output.min() <= output.max() <= spec.high


def test_inputs_of_another_shape_are_refused(model: str) -> None:
    net = built(*small(model)).model
    with pytest.raises(ValueError, match=r"expected inputs \(N, 1, 8, 8\), got \(2, 1, 9, 9\)"):
        net.encode(torch.zeros(2, 1, 9, 9))


def test_losses_are_float32_under_bfloat16(model: str) -> None:
    trainer = built(*small(model), "trainer.precision=bfloat16").trainer
    terms = trainer.losses(trainer.feed.batch(trainer.rows(0), trainer.generator))
    assert {term.dtype for term in terms.values()} == {torch.float32}
    assert {tuple(term.shape) for term in terms.values()} == {(128,)}


IMAGES = {"colour, odd sides": (20, 13, 11, 3), "gray, tall": (20, 30, 9), "large": (12, 64, 48, 3)}


@pytest.mark.parametrize("noise", list(search.options("noise")))
@pytest.mark.parametrize("shape", IMAGES.values(), ids=list(IMAGES))
def test_every_noise_on_images_of_any_size(model: str, shape: tuple[int, ...], noise: str) -> None:
    np.savez("own.npz", x_train=np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    trainer = built(
        *small(model), "data=npz", "data.root=.", "data.file=own.npz", "data.test=0.2", f"noise={noise}", *QUIET
    ).trainer
    for step in range(2):
        trainer.train(step, 1, lambda: False)
        assert trainer.meter.look() is None
    assert all(np.isfinite(value) for value in trainer.evaluate("test").values())
    assert {"reconstruction"} <= trainer.show().keys()


@pytest.mark.parametrize("noise", ["none", "gaussian", "masking", "salt_pepper"])
def test_tables_are_learned_or_refused_by_name(model: str, noise: str) -> None:
    rng = np.random.default_rng(0)
    np.savez("own.npz", x_train=rng.normal(3, [0.1, 1, 5, 2], (500, 4)), y_train=rng.integers(0, 3, 500))
    table = ["data=npz", "data.root=.", "data.file=own.npz", f"noise={noise}", "trainer.epochs=10", *QUIET]
    if model.startswith("conv_"):
        with pytest.raises(BadInput, match="convolutions need images, but own is a table"):
            built(*small(model), *table)
        return
    losses = [r["loss"] for r in train("run", *small(model), *table).read_metrics() if r["split"] == "validation"]
    assert losses[-1] < losses[0]
