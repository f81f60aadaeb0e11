"""The captured step: on a CPU by a tape that freezes what a CUDA graph freezes, on a GPU by the graph itself."""

from __future__ import annotations

import contextlib
from copy import deepcopy

import numpy as np
import pytest
import torch
from conftest import built, config_of, earlier_runs, needed, trainer_class, uses_noise
from tape import capture
from torch import nn

from nnlab.config import search
from nnlab.config.composition import compose_config, to_dict
from nnlab.errors import BadInput
from nnlab.experiment.run import build_experiment
from nnlab.families.ae.ae import AE
from nnlab.nn.scheduled import Scheduled
from nnlab.nn.schedules import Cosine
from nnlab.training import graph, synchronisation
from nnlab.training.gradient import GradientTrainer
from nnlab.training.graph import CudaGraphRunner, same_update

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU of NVIDIA's: there a CUDA graph is captured")
MODELS = [model for model in search.options("model") if issubclass(trainer_class(model), GradientTrainer)]
FITTING = {  # what a model needs so that it has nothing to remark of so few images; and to be quick
    "vq_vae": ["model.codes=32"],
    "cyclegan": ["model.channels=[4,8]", "model.blocks=1", "model.width=4"],
    "pix2pix": ["model.channels=[4,8,8]", "model.width=4"],
    "srgan": ["model.width=4", "model.blocks=1", "model.discriminator_width=4"],
    "srresnet": ["model.width=4", "model.blocks=1"],
}
SMALL = ["data=digits", "data.limit=200", "trainer.batch_size=48", "trainer.precision=float32", "trainer.epochs=4"]


def test_the_models_are_found():
    """Those with something beside the weights that a step changes, among them."""
    assert {"ae", "vq_vae", "dcgan", "rbm", "dbn", "boltzmann", "transfer"} <= set(MODELS)


def chosen(model: str) -> list[str]:
    """The overrides for a model: with as much as its step can hold."""
    config = config_of(f"model={model}")
    earlier = earlier_runs(config["model"], "data=digits")
    noise = ["noise=masking"] if uses_noise(model) else needed(model)
    persistent = ["trainer.persistent=true"] if "persistent" in config["trainer"] else []
    return [f"model={model}", *earlier, *noise, *persistent, *FITTING.get(model, [])]


@pytest.fixture
def taped(monkeypatch):
    """Steps are captured on the CPU, several a launch."""
    monkeypatch.setattr(graph, "available", lambda device: True)
    monkeypatch.setattr(graph, "capture", capture)
    monkeypatch.setattr(graph, "side_stream", contextlib.nullcontext)
    monkeypatch.setattr(graph, "PER_LAUNCH", 2)


def trainer(*overrides: str):
    experiment = built(*SMALL, *overrides, "device=cpu")
    experiment.initialize()
    return experiment.trainer


def train(trained, steps: int, at: int = 0) -> list[torch.Tensor]:
    """The weights after so many updates."""
    torch.manual_seed(7)  # dropout draws from the generator of all
    while at < steps:
        at += trained.train(at, min(3, steps - at), lambda: False)
    return [p.detach().clone() for p in trained.model.state_dict().values() if isinstance(p, torch.Tensor)]


def same(a: list[torch.Tensor], b: list[torch.Tensor], tolerance: float = 0.0) -> bool:
    return all(torch.allclose(x.double(), y.double(), rtol=tolerance, atol=tolerance) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("model", MODELS)
def test_a_captured_step_is_the_eager_step(taped, model):
    common = chosen(model)
    eager, captured = (trainer(*common, f"trainer.graph={choice}") for choice in ("none", "always"))
    # its rate in float32, as the captured one's: where a gradient is next to nothing, Adam magnifies what rounding leaves
    set_rates = eager.set_rates
    eager.set_rates = lambda rates: set_rates([torch.tensor(rate).item() for rate in rates])
    steps = 2 * eager.steps_per_epoch + 2  # over two ends of epochs, whose last batches are smaller
    assert len(eager.data.train) % eager.batch_size
    assert same(train(eager, steps), train(captured, steps), 2e-6)
    assert not captured.notices
    rest = set() if eager.drop_last else {(1, len(eager.data.train) % 48)}
    assert set(captured._graphed.launches) == {(1, 48), (2, 48)} | rest
    eager.meter.look(), captured.meter.look()
    assert captured.meter.window.take() == pytest.approx(eager.meter.window.take(), rel=1e-4)


def test_examples_in_a_file_are_copied_before_each_launch(taped, own_folder):
    np.savez("mine.npz", x_train=np.random.default_rng(0).integers(0, 256, (200, 8, 8), dtype=np.uint8))
    stored = ("model=ae", "data=npz", "data.root=.", "data.file=mine.npz", "data.storage=disk", "noise=masking")
    eager, captured = (trainer(*stored, f"trainer.graph={choice}") for choice in ("none", "always"))
    steps = 2 * eager.steps_per_epoch + 2
    assert same(train(eager, steps), train(captured, steps), 2e-6)
    assert not captured.notices
    assert {(1, 48), (2, 48)} <= set(captured._graphed.launches)


def test_an_epoch_of_pairs_is_as_long_as_its_pairs(taped):
    """Fewer than the training images: what is left of a class after its pairs is in no batch."""
    common = ("model=dagan", "data.train_size=54", "data.limit=none", "model.channels=[4,8]", "trainer.batch_size=200")
    eager, captured = (trainer(*common, f"trainer.graph={choice}") for choice in ("none", "always"))
    set_rates = eager.set_rates
    eager.set_rates = lambda rates: set_rates([torch.tensor(rate).item() for rate in rates])
    assert captured.sampler.images_per_epoch < 54
    assert same(train(eager, 4), train(captured, 4), 2e-6)
    assert not captured.notices


SCENES = ("data=scenes", "data@data.of=digits", "data.size=20", "data.sizes=[6,10]")


def test_several_labels_of_a_batch_are_captured(taped):
    common = ("model=multitask", "model.body.hidden=[12]", *SCENES)
    eager, captured = (trainer(*common, f"trainer.graph={choice}") for choice in ("none", "always"))
    set_rates = eager.set_rates
    eager.set_rates = lambda rates: set_rates([torch.tensor(rate).item() for rate in rates])
    assert len(eager.model.labels) == 4
    steps = 2 * eager.steps_per_epoch + 2
    assert same(train(eager, steps), train(captured, steps), 2e-6)
    assert not captured.notices


def test_batches_of_near_examples_come_in_the_same_order(taped):
    small = ("model.channels=[4,8]", "model.text_dim=8", "model.condition_dim=4", "model.hidden=8", "model.blocks=1")
    common = ("model=stackgan", "model.near_texts=true", *SCENES, *small, "trainer.pretraining.epochs=3")
    eager, captured = (trainer(*common, f"trainer.graph={choice}") for choice in ("none", "always"))
    set_rates = eager.set_rates
    eager.set_rates = lambda rates: set_rates([torch.tensor(rate).item() for rate in rates])
    steps = 3 * eager.steps_per_epoch
    assert same(train(eager, steps), train(captured, steps), 2e-6)
    assert not captured.notices


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_schedule_of_the_rate_is_alive_in_a_captured_step(taped, optimizer):
    common = ("model=ae", f"optimizer={optimizer}", "optimizer/schedule=cosine", "optimizer.schedule.warmup=1")
    eager, captured, constant = (
        trainer(*common, "trainer.graph=none"),
        trainer(*common, "trainer.graph=always"),
        trainer("model=ae", f"optimizer={optimizer}", "trainer.graph=always"),
    )
    weights = train(eager, 12)
    assert same(weights, train(captured, 12), 2e-6)
    assert not same(weights, train(constant, 12), 2e-6)


def test_a_rate_that_is_a_whole_number_may_become_a_part_of_it(taped):
    common = ("model=ae", "optimizer=sgd", "optimizer.lr=1", "optimizer.momentum=0", "optimizer/schedule=cosine")
    clipped = ("trainer.gradient_clip=0.01", "optimizer.schedule.warmup=1")
    eager, captured = (trainer(*common, *clipped, f"trainer.graph={choice}") for choice in ("none", "always"))
    assert same(train(eager, 8), train(captured, 8), 2e-6)
    assert not captured.notices


class Warming(AE):
    """The loss of an autoencoder times a scheduled weight."""

    def __init__(self, spec, **ae):
        super().__init__(spec, **ae)
        self.weight = Scheduled(5.0, Cosine())

    def loss(self, batch, generator):
        return {"loss": self.weight.value * super().loss(batch, generator)["loss"]}


def warming(choice: str, cls: type = Warming):
    chosen = ["model=ae", "optimizer=sgd", "optimizer.lr=1e-3", f"trainer.graph={choice}", "device=cpu"]
    config = to_dict(compose_config([*SMALL, *chosen]))
    config["model"]["_target_"] = f"{cls.__module__}.{cls.__qualname__}"
    experiment = build_experiment(config)
    experiment.initialize()
    return experiment.trainer


@pytest.fixture
def plugin(monkeypatch):
    monkeypatch.setenv("NNLAB_PLUGINS", __name__)


def test_a_scheduled_number_of_a_model_is_alive_in_a_captured_step(taped, plugin):
    eager, captured = warming("none"), warming("always")
    assert same(train(eager, 12), train(captured, 12), 2e-6)
    assert not captured.notices
    assert 0 < captured.model.weight.value < 4  # the cosine has begun to fall
    assert captured.rates(11)["weight"] == pytest.approx(captured.model.weight.value.item())


class Frozen(AE):
    """Its weight is a number of Python's, which a captured step cannot see."""

    calls = 0

    def loss(self, batch, generator):
        self.calls += 1
        return {"loss": (1.0 if self.calls % 2 else 100.0) * super().loss(batch, generator)["loss"]}


class Waiting(AE):
    """Looks at a value in the middle of a step."""

    def loss(self, batch, generator):
        if batch.input.mean().item() > 10:
            raise ValueError
        return super().loss(batch, generator)


def test_a_step_that_is_not_the_same_captured_runs_eagerly_and_says_so_once(taped, plugin):
    trained = warming("always", Frozen)
    train(trained, 9)
    assert len(trained.notices) == 1
    assert "does not do what the eager step does" in trained.notices[0]


def test_a_step_that_waits_for_the_device_is_named_and_runs_eagerly(taped, plugin):
    eager, captured = warming("none", Waiting), warming("always", Waiting)
    assert same(train(eager, 9), train(captured, 9), 2e-6)
    assert len(captured.notices) == 1
    assert "test_graph.py" in captured.notices[0]
    assert "(loss) waits for the device" in captured.notices[0]


class Keeping(AE):
    """Looks at a value in its first step, and keeps it."""

    kept = None

    def loss(self, batch, generator):
        self.kept = self.kept or batch.input.mean().item()
        return {"loss": self.kept * super().loss(batch, generator)["loss"]}


def test_what_is_made_once_may_wait_also_in_a_run_that_goes_on(taped, plugin):
    """Which has the optimizer's state, but no eager first step."""
    trained = warming("always", Keeping)
    train(trained, 1)
    trained.model.kept = None
    train(trained, 9, at=1)
    assert not trained.notices


def test_an_optimizer_that_counts_in_python_runs_eagerly_and_says_so(taped):
    config = to_dict(compose_config([*SMALL, "model=ae", "trainer.graph=always", "device=cpu"]))
    config["optimizer"] = {"_target_": "torch.optim.Adafactor", "lr": 1e-3, "schedule": config["optimizer"]["schedule"]}
    experiment = build_experiment(config)
    experiment.initialize()
    train(experiment.trainer, 3)
    assert experiment.trainer.notices == ["the step runs without a CUDA graph: Adafactor counts its steps in Python"]


@pytest.mark.parametrize("step", [1, 4, 5, 7])
def test_a_captured_run_that_is_resumed_ends_in_the_same_bits(taped, step):
    whole = train(trainer("model=vae", "trainer.graph=always"), 11)
    first = trainer("model=vae", "trainer.graph=always")
    train(first, step)
    second = trainer("model=vae", "trainer.graph=always")
    first.meter.look()
    second.restore(deepcopy(first.state()))
    assert same(train(second, 11, at=step), whole)


def test_a_checkpoint_of_a_captured_run_goes_on_eagerly_and_the_reverse(taped):
    for one, other in (("always", "none"), ("none", "always")):
        first = trainer("model=vae", f"trainer.graph={one}")
        train(first, 4)
        first.meter.look()
        second = trainer("model=vae", f"trainer.graph={other}")
        second.restore(deepcopy(first.state()))
        assert same(train(second, 8, at=4), train(first, 8, at=4), 2e-6)


def test_a_graph_asked_for_on_a_cpu_is_refused():
    with pytest.raises(BadInput, match="the device is cpu"):
        trainer("model=ae", "trainer.graph=always")


@pytest.mark.parametrize(
    "waits", [lambda x: x.sum().item(), lambda x: x[x > 0], lambda x: x.nonzero(), lambda x: bool(x.any()), torch.unique]
)
def test_what_makes_the_host_wait_is_found(waits):
    with pytest.raises(synchronisation.SyncError, match=r"test_graph.py:\d+"), synchronisation.forbid_sync():
        waits(torch.arange(4.0))


def test_the_steps_of_shipped_models_make_nobody_wait():
    for typed in [*map(chosen, MODELS), [*chosen("boltzmann"), "trainer.inference=gibbs"]]:
        trained = trainer(*typed)
        train(trained, 1)
        with synchronisation.forbid_sync():
            trained.update(trained.feed.batch(trained.rows(1), trained.generator))


def update_of(change: float, *, counted: int = 1, moved: bool = True) -> tuple[list[torch.Tensor], ...]:
    """The tensors before and after an update: many counters, weights, and a tensor that may stay; then two random states."""
    start = [torch.full((), 5e4) for _ in range(60)] + [torch.zeros(1, dtype=torch.int64), torch.zeros(1000), torch.zeros(3)]
    after = [x + counted for x in start[:-2]] + [start[-2] + change, start[-1] + 1e-7 * moved]
    states = [torch.zeros(4, dtype=torch.uint8)] * 2
    return [*start, *states], [*after, *states]


def test_a_captured_step_that_counts_but_learns_nothing_or_something_else_is_noticed():
    start, eager = update_of(1e-4)
    expected = [
        ({"change": 1e-4}, True),
        ({"change": 1.005e-4}, True),
        ({"change": 1.05e-4}, False),
        ({"change": 0.0}, False),
        ({"change": 1e-4, "counted": 2}, False),
        ({"change": 1e-4, "counted": 0}, False),
        ({"change": 1e-4, "moved": False}, False),
    ]
    for typed, equal in expected:
        _, captured = update_of(**typed)
        assert same_update(start, eager, captured) == equal, typed
    _, captured = update_of(1e-4)
    captured[-1] = captured[-1] + 1
    assert not same_update(start, eager, captured), "it drew other random numbers"


def test_a_single_update_is_compared_before_several_are_captured(taped, monkeypatch):
    """Also where a whole launch comes first: it is the one whose results are compared."""
    trained, prepared, order = trainer(*chosen("ae")), CudaGraphRunner.prepare, []

    def prepare(self, updates: int, size: int) -> bool:
        order.append((updates, size))
        return prepared(self, updates, size)

    monkeypatch.setattr(CudaGraphRunner, "prepare", prepare)
    train(trained, 7)
    assert order[:2] == [(1, trained.batch_size), (2, trained.batch_size)]


@GPU
@pytest.mark.parametrize("model", MODELS)
def test_on_a_gpu_a_captured_run_is_the_eager_run_and_ends_in_the_same_bits_each_time(model):
    def run(choice: str):
        experiment = built(*SMALL, *chosen(model), f"trainer.graph={choice}", "device=cuda")
        experiment.initialize()
        return train(experiment.trainer, 30), experiment.trainer

    (eager, _), (captured, trained), (again, _) = run("none"), run("always"), run("always")
    assert not trained.notices
    assert same(captured, again)
    assert same(eager, captured, 1e-3)


@GPU
def test_on_a_gpu_a_resumed_run_ends_in_the_same_bits():
    def fresh():
        experiment = build_experiment(to_dict(compose_config([*SMALL, "model=vae", "trainer.graph=always", "device=cuda"])))
        experiment.initialize()
        return experiment.trainer

    whole, first, second = fresh(), fresh(), fresh()
    train(first, 7)
    first.meter.look()
    second.restore(deepcopy(first.state()))
    assert same(train(second, 20, at=7), train(whole, 20))


def test_compiling_where_it_does_not_pay_is_not_silently_left_out():
    assert trainer("model=ae").notices == []
    assert trainer("model=ae", "trainer.compile=auto").notices == ["trainer.compile: not used on cpu, where it is not faster"]


def test_a_graph_is_wanted_where_there_is_a_gpu_and_nobody_said_none():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert [CudaGraphRunner.wanted(choice, gpu) for choice in ("auto", "always", "none")] == [True, True, False]
    assert not CudaGraphRunner.wanted("auto", cpu)


def test_a_scheduled_number_is_kept_with_the_weights():
    module = Scheduled(2.0, Cosine())
    module.set(0.5)
    other = nn.Module()
    other.weight = Scheduled(2.0, Cosine())
    other.weight.load_state_dict(module.state_dict())
    assert other.weight.value == 0.5
