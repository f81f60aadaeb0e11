"""The contract that every model of configs/model passes; test_models_data.py has its part about images and tables of any shape.

A new model is covered without a line in this file.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import QUIET, built, inputs, legal, needed, needs, same_bits, small, train, trainer_class, weights
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

import nnlab as package
from nnlab.checkpoints import checkpoint
from nnlab.errors import Interrupted
from nnlab.experiment.run import Experiment, run_experiment
from nnlab.model import Classifies, Decodes, Encodes, Reconstructs, Samples, Varies, can, code_width
from nnlab.recording.console import Console
from nnlab.runs.folder import RunFolder
from nnlab.training.interruption import SignalHandler
from nnlab.training.passes import OnePassTrainer
from nnlab.training.trainer import evaluating

pytestmark = pytest.mark.usefixtures("blank_charts")


def short(model: str, *overrides: str) -> list[str]:
    return [
        *small(model),
        *legal(model, "trainer.epochs=3", "trainer.pretraining.epochs=1", "trainer.batch_size=100"),
        *legal(model, "trainer.log_every=4 steps", *QUIET, *overrides),
    ]


def events(folder: RunFolder) -> list[tuple[int, str]]:
    """Steps and contents of the event file, without the time of day."""
    (path,) = folder.path.glob("events.out.tfevents.*")
    values = [(event.step, value) for event in EventFileLoader(str(path)).Load() for value in event.summary.value]
    return [(step, value.tag if value.tag.startswith("_hparams_/session") else str(value)) for step, value in values]


WHOLE = ("noise=masking", "trainer.show_every=1 epoch", "trainer.evaluate_every=7 steps")
WHOLE += ("trainer.keep_checkpoint_every=5 steps",)


@pytest.fixture
def whole(model: str, shared_run) -> RunFolder:
    """A run of the model from its beginning to its end, made once for all tests; not to be written into."""
    return shared_run(f"whole_{model}", lambda: train("whole", *short(model, *WHOLE)))


def test_the_monitored_figure_gets_better(model: str, whole: RunFolder) -> None:
    monitor = trainer_class(model).monitor
    if monitor is None:
        pytest.skip("it has no figure that means better")
    records = [r for r in whole.read_metrics() if r["split"] == "validation" and "stage" not in r]
    values = [r[monitor.name] for r in records if r["epoch"] >= 1]  # in the midst of its first pass EM has learned nothing
    start = built(*short(model, *WHOLE))
    start.initialize()
    start.trainer.start_stage(len(start.trainer.stages) - 1)
    first = start.trainer.evaluate("validation")[monitor.name]
    assert monitor.better(values[0], first)
    assert len(values) == 1 or monitor.better(values[-1], values[0], by=-0.01 * abs(values[0])), "what was won stays"


def test_a_player_comes_nearer_to_the_data(model: str) -> None:
    if trainer_class(model).monitor is not None:
        pytest.skip("it has a figure that means better")
    # at its own size: a game of dwarfs goes nowhere
    fast = [f"{place}optimizer.lr=1e-3" for place in ("", "trainer.discriminator.", "trainer.pretraining.")]
    content = [override for override in small(model) if override.startswith("model.content=")]
    # from image to image half a minute would be needed
    less = legal(model, "model.channels=[16,32]", "model.width=16", "model.blocks=1") if needs(model) else []
    common = legal(model, *QUIET, "trainer.batch_size=32", *fast)
    experiment = built(f"model={model}", *needed(model), *content, *less, *common)
    experiment.initialize()
    net, data = experiment.model, experiment.data.train
    data, given = data.values(data.rows[:1000]).flatten(1), inputs(experiment, 1000)

    def distance() -> float:
        with evaluating(net), torch.inference_mode():
            if can(net, Varies):
                made = net.vary(given, torch.randn((len(given), net.latent_dim), generator=torch.Generator().manual_seed(0)))
            else:
                made = net.sample(1000, torch.Generator().manual_seed(0)) if can(net, Samples) else net.reconstruct(given)
        return (made.flatten(1).mean(0) - data.mean(0)).norm().item()

    first, trainer = distance(), experiment.trainer
    for stage in range(len(trainer.stages)):
        trainer.start_stage(stage)
        trainer.train(0, 60, lambda: False)
    for step in (60, 120):  # a canvas of several steps needs more
        if distance() >= 0.8 * first:
            trainer.train(step, 60, lambda: False)
    assert distance() < 0.8 * first


def test_another_seed_gives_other_weights_unless_the_solution_is_closed(model: str) -> None:
    def weights_after_an_epoch(seed: int) -> dict[str, torch.Tensor]:
        experiment = built(*short(model), f"seed={seed}")
        experiment.initialize()
        experiment.trainer.train(0, experiment.trainer.steps_per_epoch, lambda: False)
        return experiment.model.state_dict()

    same = same_bits(weights_after_an_epoch(1), weights_after_an_epoch(2))
    assert same == issubclass(trainer_class(model), OnePassTrainer)


def test_cadences_do_not_change_the_weights(model: str, whole: RunFolder) -> None:
    never = [f"trainer.{what}_every=never" for what in ("evaluate", "show", "log")]
    calm = train("calm", *short(model, "noise=masking"), *never)
    assert same_bits(weights(calm), weights(whole))
    best = {"best.pt"} if trainer_class(model).monitor else set()
    assert {"step-000005.pt", "step-000010.pt", *best} <= {path.name for path in whole.checkpoints.iterdir()}


# in the first pass; at the end of one, or of a stage; in the second pass or stage; in the last stage
INTERRUPTIONS = (1, 13, 17, 30)


def test_an_interrupted_run_resumes_to_the_same_bits_and_files(model: str, whole: RunFolder) -> None:
    """So the same config gives the same bits twice, too. The run is interrupted at each of the steps, one after the other."""
    overrides, state, step = short(model, *WHOLE), None, 0
    for stop in [stop for stop in INTERRUPTIONS if stop < whole.read_status()["step"]]:
        broken = interrupted("broken", overrides, stop - step, stop, state)
        assert broken.read_status()["status"] == "interrupted"
        state, step = checkpoint.load(broken.checkpoints, "last"), stop
    broken = train("broken", *overrides, state=state)

    for name in ("last", "best") if trainer_class(model).monitor else ("last",):
        a, b = (torch.load(f.checkpoints / f"{name}.pt", weights_only=True)["trainer"] for f in (whole, broken))
        assert same_state(a, b)
    assert broken.metrics.read_bytes() == whole.metrics.read_bytes()
    assert events(broken) == events(whole)


def interrupted(name: str, overrides: list[str], steps: int, end: int, state: dict | None) -> RunFolder:
    """A run, from a checkpoint's state if given, that is asked to stop after so many steps, whatever it was to do then."""
    folder = RunFolder(Path(name))
    folder.path.mkdir(exist_ok=True)
    experiment = built(*overrides)
    made = [0]
    train_as_ever = experiment.trainer.train

    def train_until(step: int, n: int, stop) -> int:
        done = train_as_ever(step, min(n, steps - made[0]), stop)
        made[0] += done
        return done

    experiment.trainer.train = train_until
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SignalHandler, "__call__", lambda self: made[0] >= steps)
        with pytest.raises(Interrupted, match=f"interrupted at step {end} and saved"):
            run_experiment(experiment, folder, Console(), state)
    return folder


def same_state(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_state(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same_state, a, b))
    return a == b


def test_figures_do_not_depend_on_what_was_asked_before(model: str) -> None:
    def begun() -> Experiment:
        experiment = built(*short(model, "data.limit=120", "trainer.likelihood.temperatures=20"))
        experiment.initialize()
        return experiment

    first, second = begun(), begun()
    expected = first.trainer.evaluate("test")
    for split in ("validation", "test", "train"):
        second.trainer.evaluate(split, full=split == "train")
        second.trainer.images()
    assert second.trainer.evaluate("test") == expected
    assert second.trainer.metadata == first.trainer.metadata


def test_a_loaded_run_gives_what_was_trained(whole: RunFolder) -> None:
    loaded = package.load(whole.path, checkpoint="last")
    assert same_bits(dict(loaded.state_dict()), weights(whole))
    assert not loaded.training


def test_an_exported_model_computes_the_same_bits(model: str, whole: RunFolder, nnlab) -> None:
    status, out, error = nnlab("export", str(whole.path), "--part", "weights", "--checkpoint", "last", "-o", "out")
    assert (status, out.splitlines()[-1]) == (0, "out"), error
    assert {path.name for path in Path("out").iterdir()} == {"model.safetensors", "config.yaml", "export.json"}
    loaded, expected = package.load("out", device="cpu"), package.load(whole.path, checkpoint="last", device="cpu")
    assert same_bits(dict(loaded.state_dict()), dict(expected.state_dict()))
    assert not loaded.training

    def output(net) -> torch.Tensor:
        with torch.inference_mode():
            if can(net, Samples):
                return net.sample(3, torch.Generator().manual_seed(0))
            x = torch.rand((3, *net.spec.input.shape), generator=torch.Generator().manual_seed(0))
            return net.vary(x, torch.ones(3, net.latent_dim)) if can(net, Varies) else net(x)

    assert torch.equal(output(loaded), output(expected))


def test_capabilities_keep_shapes_and_ranges(model: str) -> None:
    experiment = built(*small(model))
    experiment.initialize()  # as a run does: the outputs then begin near the data
    net, spec = experiment.model.eval(), experiment.model.spec
    x = inputs(experiment, 5)
    outputs = []
    with torch.inference_mode():
        if can(net, Reconstructs):
            outputs.append(net.reconstruct(x))
            assert torch.equal(outputs[-1], net.reconstruct(x)), "a reconstruction is not drawn"
        if can(net, Samples):
            outputs += [net.sample(5, torch.Generator().manual_seed(s)) for s in (0, 0, 1)]
            assert torch.equal(outputs[-3], outputs[-2])
            assert not torch.equal(outputs[-2], outputs[-1])
        if can(net, Varies):
            z = torch.randn((5, net.latent_dim), generator=torch.Generator().manual_seed(0))
            outputs.append(net.vary(x, z))
            assert torch.equal(outputs[-1], net.vary(x, z)), "all that is random is the noise"
            assert torch.allclose(outputs[-1][:1], net.vary(x[:1], z[:1]), atol=1e-5), "each image for itself"
        if can(net, Classifies):
            chances = net.classify(x)
            assert chances.shape == (5, len(spec.classes))
            assert torch.allclose(chances.sum(1), torch.ones(5))
            assert net.features(x).shape == net.encode(x).shape
            return
        if can(net, Encodes) and can(net, Decodes):
            code = net.encode(x)
            assert code.shape == (5, net.latent_dim)
            outputs.append(net.decode(code))
        elif can(net, Encodes) and not outputs:  # an encoder alone
            code = net.encode(x)
            assert code.shape == (5, code_width(net))
            assert torch.allclose(net.encode(x[:1]), code[:1], atol=1e-5), "each example for itself"
            assert code.isfinite().all()
            return
    assert outputs
    for output in outputs:
        assert output.shape == (5, *spec.shape)
        assert output.dtype == torch.float32
        beyond = 1e-6 if hasattr(net, "likelihood") else 0.5  # a linear model knows no bounds, but keeps near them
        assert spec.low - beyond <= output.min() <= output.max() <= spec.high + beyond


def test_inputs_of_another_shape_are_refused(model: str) -> None:
    experiment = built(*small(model))
    net, trainer, beside = experiment.model, experiment.trainer, ()
    entrance = net.encode if can(net, Encodes) else net.reconstruct if can(net, Reconstructs) else None
    if can(net, Varies):
        entrance, beside = net.vary, (torch.zeros(2, net.latent_dim),)
    elif entrance is None:  # a discriminator, which may see more than the image: a label
        trainer.start_stage(len(trainer.stages) - 1)
        batch = trainer.feed.batch(trainer.rows(0)[:2], trainer.generator)
        beside = () if net.plays_by_turns else net.play(batch, trainer.generator).real[1:]
        entrance = net.discriminate
    expected = ", ".join(map(str, net.spec.input.shape))
    with pytest.raises(ValueError, match=rf"expected inputs \(N, {expected}\), got \(2, 1, 9, 9\)"):
        entrance(torch.zeros(2, 1, 9, 9), *beside)


def test_losses_are_float32_under_bfloat16(model: str) -> None:
    if not getattr(trainer_class(model), "autocasts", False):
        pytest.skip("nothing of it runs in bfloat16")
    experiment = built(*small(model), "trainer.precision=bfloat16")
    experiment.initialize()
    trainer = experiment.trainer
    trainer.model.train()
    terms = trainer.update(trainer.feed.batch(trainer.rows(0), trainer.generator))
    assert {term.dtype for term in terms.values()} == {torch.float32}
    assert {term.ndim for term in terms.values()} == {0}


@pytest.mark.parametrize(
    ("model", "method"),
    [
        ("ae", "reconstruct"),
        ("vae", "reconstruct"),
        ("fcnn", "classify"),
        ("som", "reconstruct"),
        ("generative_classifier", "classify"),
    ],
)
def test_a_model_is_called_as_any_module_is(model: str, method: str) -> None:
    experiment = built(*small(model), "data.limit=100")
    experiment.initialize()
    x = experiment.data.train.values(experiment.data.train.rows[:7])
    with evaluating(experiment.model):
        assert torch.equal(experiment.model(x), getattr(experiment.model, method)(x))


def test_what_takes_no_input_says_what_it_does_instead() -> None:
    model = built(*small("gan")).model
    with pytest.raises(TypeError, match=r"GAN takes no input; it draws new examples: model\.sample\(16\)"):
        model(torch.zeros(1, 1, 8, 8))
