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
from forked import Command

from nnlab.data.sampler import Sampler
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.experiment.run import check_world
from nnlab.nn.world import ALONE, World
from nnlab.runs.folder import RunFolder

EXACT = ["trainer.precision=float32", "trainer.log_every=7 steps"]
AE = ["model=ae", "optimizer=adam", "model.hidden=[64]", *EXACT]
ALIKE = {  # a batch normalisation and the mean code of a batch are in tests/nn/test_world.py
    "ae": [*AE, "trainer.steps=50"],
    "vq_vae": [
        "model=vq_vae",
        "model.channels=[8]",
        "model.restart=0",
        "model.prior_dropout=0",
        "model.prior_layers=1",
        *EXACT,
    ],
    "kmeans": ["model=kmeans", "model.n_init=2", "trainer.epochs=5", "trainer.batch_size=200"],
}
ALIKE["vq_vae"] += ["trainer.pretraining.epochs=1", "trainer.steps=5"]
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


def together(*commands: Sequence[str], others: tuple[str, ...] = ()) -> list[Command]:
    """The commands in two processes; the second gets some words more."""
    address = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port(), "OMP_NUM_THREADS": "1"}
    return [
        Command(
            f"process{rank}",
            *commands[0],
            *(others if rank else ()),
            more=commands[1:],
            environment={**address, "RANK": str(rank)},
        )
        for rank in range(2)
    ]


def records(folder: str) -> list[dict]:
    return RunFolder(Path(folder)).read_metrics()


def test_two_processes_learn_what_one_does(own_folder: Path, nnlab) -> None:
    """Over the ends of epochs, whose last batches are smaller and odd; records are means of steps of different sizes."""
    commands = {name: ["train", *argv, "data=digits", "trainer.show_every=never"] for name, argv in ALIKE.items()}
    pair = together(*([*argv, f"hydra.run.dir=two/{name}"] for name, argv in commands.items()))
    for name, argv in commands.items():
        assert nnlab(*argv, f"hydra.run.dir=one/{name}")[0] == 0
    assert [command.wait(120) for command in pair] == [0, 0], pair[0].error.read_text() + pair[1].error.read_text()
    for name in ALIKE:
        one, two = records(f"one/{name}"), records(f"two/{name}")
        assert len(one) == len(two) >= 4
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


def test_processes_that_were_started_differently_are_refused(own_folder: Path) -> None:
    pair = together([*STARTED, "trainer.steps=5", "hydra.run.dir=two"], others=("seed=1",))
    assert [command.wait(120) for command in pair] == [2, 2]
    assert "torchrun: processes 0 and 1 differ in their config; start all of them alike" in pair[0].error.read_text()
    assert not Path("two").exists()


def test_a_signal_to_one_stops_both_and_the_run_goes_on_alone(own_folder: Path, nnlab) -> None:
    pair = together([*STARTED, "trainer.steps=100000", "hydra.run.dir=two"])
    began = time.monotonic()
    while not Path("two/metrics.jsonl").exists() or not records("two"):
        assert time.monotonic() - began < 60
        time.sleep(0.1)
    pair[1].send_signal(signal.SIGTERM)
    assert [command.wait(120) for command in pair] == [130, 130], pair[0].error.read_text()
    assert RunFolder(Path("two")).read_status()["status"] == "interrupted"
    step = RunFolder(Path("two")).read_status()["step"]
    status, _, error = nnlab("resume", "two", f"trainer.steps={step + 3}")
    assert status == 0, error


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
