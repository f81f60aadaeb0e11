"""Several processes train one model, as `torchrun` starts them: the same losses as one process, and one run folder."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from conftest import built, weights
from forked import Command, ended
from torch import nn

from nnlab.data.sampler import Sampler
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.experiment.run import check_world
from nnlab.nn.world import ALONE, World
from nnlab.runs.folder import RunFolder
from nnlab.training import device

EXACT = ["trainer.precision=float32", "trainer.log_every=7 steps"]
AE = ["model=ae", "optimizer=adam", "model.hidden=[64]", *EXACT]
ALIKE = {
    "ae": [*AE, "trainer.steps=50"],
    "sparse_ae": ["model=sparse_ae", "model.penalty=kl", "trainer.steps=8", *EXACT],  # a mean over a batch, metrics of its own
    "vq_vae": [
        "model=vq_vae",
        "model.channels=[8]",
        "model.restart=0",
        "model.prior_dropout=0",
        "model.prior_layers=1",
        *EXACT,
    ],
    "kmeans": ["model=kmeans", "trainer.epochs=4", "trainer.batch_size=200"],
}
ALIKE["vq_vae"] += ["trainer.pretraining.epochs=1", "trainer.steps=5", *EXACT]
# the loss rises after its best value, and both processes stop
ALIKE["stopped"] = ["model=linear_ae", "optimizer=sgd", "optimizer.lr=0.9", "optimizer/schedule=constant", "trainer.steps=20"]
ALIKE["stopped"] += [*EXACT, "trainer.evaluate_every=1 step", "trainer.early_stopping.patience=2"]
STARTED = ["train", *AE, "data=digits", "trainer.show_every=never"]


def port() -> str:
    """A port that nobody listens on, below those that the kernel gives to outgoing connections, as to those of the pair.

    A run in this process seeds `random`, so that two suites at the same time would draw the same ports from it.
    """
    for number in random.SystemRandom().sample(range(20000, 30000), 100):
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", number))
            return str(number)
    raise AssertionError("no free port")


def together(*commands: Sequence[str], others: tuple[str, ...] = (), after: str = "") -> list[Command]:
    """The commands in two processes; the second gets some words more, and starts when the first has made the folder `after`."""
    address = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port(), "OMP_NUM_THREADS": "1"}
    pair: list[Command] = []
    for rank in range(2):
        began = time.monotonic()
        while rank and not Path(after).exists():
            assert time.monotonic() - began < 60, pair[0].where()
            time.sleep(0.01)
        words = others if rank else ()
        environment = {**address, "RANK": str(rank)}
        pair.append(Command(f"process{rank}", *commands[0], *words, more=commands[1:], environment=environment))
    return pair


def records(folder: str) -> list[dict]:
    return RunFolder(Path(folder)).read_metrics()


def test_two_processes_learn_what_one_does(own_folder: Path, nnlab) -> None:
    """Over the ends of epochs, whose last batches are smaller and odd; records are means of steps of different sizes."""
    commands = {name: ["train", *argv, "data=digits", "trainer.show_every=never"] for name, argv in ALIKE.items()}
    pair = together(*([*argv, f"hydra.run.dir=two/{name}"] for name, argv in commands.items()))
    for name, argv in commands.items():
        assert nnlab(*argv, f"hydra.run.dir=one/{name}")[0] == 0
    assert ended(pair) == [0, 0], pair[0].error.read_text() + pair[1].error.read_text()
    for name in ALIKE:
        one, two = records(f"one/{name}"), records(f"two/{name}")
        assert len(one) == len(two) >= 3
        for a, b in zip(one, two, strict=True):
            for key, value in a.items():
                if isinstance(value, float) and key != "seconds":
                    assert b[key] == pytest.approx(value, rel=1e-5, abs=1e-6), (name, a["split"], a["step"], key)
    one, two = (weights(RunFolder(Path(name, "kmeans")))["starts"] for name in ("one", "two"))
    assert torch.allclose(one, two, atol=1e-6)
    assert sorted(path.name for path in own_folder.iterdir() if path.is_dir()) == ["one", "two"], "one process writes"
    assert pair[1].out.read_text() == pair[1].error.read_text() == "", "and one talks"
    assert RunFolder(Path("two/ae")).read_status()["status"] == "completed"
    assert nnlab("evaluate", "two/ae")[0] == 0


def test_a_process_that_starts_when_the_folder_is_there_takes_part(own_folder: Path) -> None:
    """The first process makes it while it loads torch, and no other may take that for a run of before."""
    pair = together([*STARTED, "trainer.steps=5", "hydra.run.dir=two"], after="two/.hydra")
    assert ended(pair) == [0, 0]


def test_every_process_refuses_the_folder_of_an_earlier_run(own_folder: Path) -> None:
    Path("two/.hydra").mkdir(parents=True)
    Path("two/metrics.jsonl").write_text("")
    pair = together([*STARTED, "hydra.run.dir=two"])
    assert ended(pair) == [2, 2]
    assert "hydra.run.dir: two exists already" in pair[0].error.read_text()


def test_processes_that_were_started_differently_are_refused(own_folder: Path) -> None:
    pair = together([*STARTED, "trainer.steps=5", "hydra.run.dir=two"], others=("seed=1",))
    assert ended(pair) == [2, 2]
    assert "torchrun: processes 0 and 1 differ in their config; start all of them alike" in pair[0].error.read_text()
    assert not Path("two").exists()


def test_a_signal_to_one_stops_both_and_the_run_goes_on_alone(own_folder: Path, nnlab) -> None:
    pair = together([*STARTED, "trainer.steps=100000", "hydra.run.dir=two"])
    wait_for_records(pair)
    pair[1].send_signal(signal.SIGTERM)
    assert ended(pair) == [130, 130], pair[0].error.read_text()
    assert RunFolder(Path("two")).read_status()["status"] == "interrupted"
    step = RunFolder(Path("two")).read_status()["step"]
    status, _, error = nnlab("resume", "two", f"trainer.steps={step + 3}")
    assert status == 0, error


def test_a_value_that_is_not_finite_ends_both(own_folder: Path) -> None:
    pair = together([*STARTED, "optimizer.lr=1e30", "trainer.steps=50", "hydra.run.dir=two"])
    assert ended(pair) == [1, 1]
    assert "is not finite in update 2 (epoch 1). The checkpoint of step 0 is kept" in pair[0].error.read_text()
    assert "is not finite" in pair[1].error.read_text()


def test_a_process_that_is_killed_ends_the_other_and_the_run_goes_on(own_folder: Path, nnlab) -> None:
    pair = together([*STARTED, "trainer.steps=100000", "hydra.run.dir=two"])
    wait_for_records(pair)
    pair[1].kill()
    assert pair[0].wait(120) == 1
    assert "torchrun: another process has ended, or cannot be reached" in pair[0].error.read_text()
    status = RunFolder(Path("two")).read_status()
    assert status["status"] == "failed"
    code, _, error = nnlab("resume", "two", f"trainer.steps={status['step'] + 3}")
    assert code == 0, error


def wait_for_records(pair: list[Command]) -> None:
    began = time.monotonic()
    while not Path("two/metrics.jsonl").exists() or not records("two"):
        assert time.monotonic() - began < 60, pair[0].error.read_text()
        time.sleep(0.1)


def test_every_example_of_a_batch_is_in_one_process() -> None:
    split = Split.of(torch.zeros(53, 1))
    alone = Sampler(split, 12, 0)
    pair = [Sampler(split, 12, 0, world=World(rank, 2)) for rank in range(2)]
    for step in range(2 * alone.steps_per_epoch):
        parts = [sampler.rows(0, step) for sampler in pair]
        assert torch.equal(torch.cat(parts), alone.rows(0, step))
        assert abs(len(parts[0]) - len(parts[1])) <= 1
        assert {sampler.length(step) for sampler in pair} == {len(alone.rows(0, step))}
        assert torch.equal(torch.cat([sampler.sequential(step) for sampler in pair]), alone.sequential(step))


def test_a_batch_that_the_processes_do_not_divide_is_refused() -> None:
    with pytest.raises(BadInput, match="batch_size: 128 images cannot be divided among 3 processes; give a multiple of 3"):
        Sampler(Split.of(torch.zeros(500, 1)), 128, 0, world=World(0, 3))


@pytest.mark.parametrize("model", ["dcgan", "som", "rbm"])
def test_a_model_that_one_process_trains_is_refused_by_name(model: str) -> None:
    experiment = built(*f"model={model}".split(), "data=digits")
    check_world(ALONE, experiment.model, experiment.data, {})
    with pytest.raises(BadInput, match=f"torchrun: {type(experiment.model).__name__} is trained by one process only"):
        check_world(World(0, 2), experiment.model, experiment.data, {})


def test_what_several_processes_cannot_do_is_a_sentence(nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    assert "torchrun: several processes train one run" in nnlab("train", "-m", "model=ae", "data=digits", "seed=1,2")[2]
    assert "torchrun: several processes can only train; start nnlab runs without torchrun" in nnlab("runs")[2]


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    current: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    assert device.resolve("auto") == device.resolve("cuda") == torch.device("cuda:0")
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert device.resolve("auto") == device.resolve("cuda") == torch.device("cuda:1")
    monkeypatch.delenv("LOCAL_RANK")
    assert device.resolve("cuda:1") == torch.device("cuda:1")
    assert current == [0, 0, 1, 1, 1], "a capture and an event are of the current one"
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(BadInput, match="device: 'cuda:2' is not there: torch sees 2 CUDA devices"):
        device.resolve("auto")


def test_a_layer_that_would_see_a_part_of_the_batch_is_refused_by_name() -> None:
    class Conditional(nn.BatchNorm1d):
        pass

    experiment = built("model=ae", "data=digits", "model.hidden=[8]")
    experiment.model.encoder.append(Conditional(16))
    with pytest.raises(BadInput, match="AE is trained by one process only, since its Conditional would see only a part"):
        check_world(World(0, 2), experiment.model, experiment.data, {})


def test_a_split_with_fewer_examples_than_processes_is_refused() -> None:
    experiment = built("model=ae", "data=digits", "data.validation=2", "model.hidden=[8]")
    with pytest.raises(BadInput, match="data: the validation split has fewer examples than there are processes, 3"):
        check_world(World(0, 3), experiment.model, experiment.data, {})
