"""Nothing is lost: kill -9, Ctrl-C, SIGTERM and a closed terminal on a real process, divergence, a full disk."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from conftest import QUIET, only_run, same_bits, small, train, weights
from forked import Command

from nnlab.checkpoints import checkpoint
from nnlab.checkpoints.progress import Progress
from nnlab.data.spec import DataSpec
from nnlab.runs.folder import RunFolder

pytestmark = pytest.mark.usefixtures("blank_charts")

LONG = [*small("vae"), "noise=gaussian", "trainer.epochs=20", "trainer.save_every=7 steps", "trainer.log_every=5 steps", *QUIET]


# one model of each way of learning, and the step at which it is killed
WAYS = {
    "gradient": (LONG, 30),
    "passes": (
        [
            "model=kmeans",
            "model.tolerance=0",
            "trainer.batch_size=50",
            "trainer.epochs=10",
            "trainer.save_every=3 steps",
            *QUIET[:1],
        ],
        40,
    ),
    "closed form": (
        ["model=pca", "model.latent_dim=4", "trainer.batch_size=2", "trainer.save_every=20 steps", *QUIET[:1]],
        100,
    ),
    "stages": (
        [*small("stacked_ae"), "trainer.epochs=20", "trainer.pretraining.epochs=3", "trainer.save_every=7 steps", *QUIET],
        50,  # in the second stage of 33 steps each
    ),
}


def start(folder: str, overrides: list[str] = LONG, sighup: signal.Handlers = signal.SIG_DFL) -> Command:
    return Command(folder, "train", *overrides, f"hydra.run.dir={folder}", sighup=sighup)


def wait_for_step(folder: RunFolder, step: int) -> None:
    deadline = time.time() + 60
    while folder.read_status().get("step", -1) < step:
        assert time.time() < deadline
        time.sleep(0.005)


@pytest.fixture
def whole(shared_run) -> Callable[[str], RunFolder]:
    """A run of each way of learning that nothing interrupts."""
    return lambda way: shared_run(f"whole_{way}", lambda: train("whole", *WAYS[way][0]))


@pytest.mark.parametrize("way", WAYS)
def test_kill_9_leaves_a_checkpoint_and_resumes_to_the_bit(nnlab, whole, way: str) -> None:
    overrides, step = WAYS[way]
    broken = RunFolder(Path("broken"))
    process = start("broken", overrides)
    try:
        wait_for_step(broken, step)
    finally:
        process.kill()
    assert broken.read_status()["status"] == "killed"
    checkpoint.load(broken.checkpoints, "last")
    assert nnlab("resume", "broken")[0] == 0
    assert same_bits(weights(broken), weights(whole(way)))
    assert broken.metrics.read_bytes() == whole(way).metrics.read_bytes()
    assert len(list(broken.path.glob("events.out.tfevents.*"))) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_polite_signal_saves_and_says_how_to_resume(nnlab, whole, number: int) -> None:
    process = start("broken")
    broken = RunFolder(Path("broken"))
    try:
        wait_for_step(broken, 20)
        process.send_signal(number)
        status = process.wait()
    finally:
        process.kill()
    error = process.error.read_text()
    assert status == 130, error
    assert "go on with: nnlab resume broken" in error
    assert broken.read_status()["status"] == "interrupted"
    assert nnlab("resume", "broken")[0] == 0
    assert same_bits(weights(broken), weights(whole("gradient")))
    assert broken.metrics.read_bytes() == whole("gradient").metrics.read_bytes()


def test_divergence_names_term_step_and_layer_and_keeps_the_last_good_state(nnlab) -> None:
    status, _, error = nnlab("train", *small("vae"), "optimizer=sgd", "optimizer.lr=1e4", "trainer.save_every=1 steps", *QUIET)
    assert status == 1
    assert "train/reconstruction is not finite in update" in error or "train/kl is not finite in update" in error
    assert "first layer with a value that is not finite: encoder." in error or "decoder." in error
    folder = only_run()
    metadata = folder.read_status()
    assert metadata["status"] == "diverged"
    assert "is not finite" in metadata["reason"]
    assert folder.read_summary()["status"] == "diverged"
    assert all(t.isfinite().all() for t in weights(folder).values())


def test_early_stopping_stops_and_best_is_kept(nnlab) -> None:
    stopping = ["trainer.early_stopping.patience=2", "trainer.epochs=50", "optimizer=adam", "optimizer.lr=0.1"]
    assert nnlab("train", *small("ae"), *stopping, *QUIET)[0] == 0
    folder = only_run()
    losses = [r["loss"] for r in folder.read_metrics() if r["split"] == "validation"]
    assert len(losses) < 50
    assert min(losses[-2:]) > min(losses)
    assert folder.read_summary()["best"]["validation/loss"] == min(losses)
    assert folder.read_status()["best"] == {"validation/loss": min(losses)}


def test_gradient_clipping_and_precision_have_an_effect(nnlab) -> None:
    def trained(name: str, *overrides: str) -> RunFolder:
        assert nnlab("train", *small("vae"), "trainer.steps=5", *overrides, f"hydra.run.dir={name}")[0] == 0
        return RunFolder(Path(name))

    plain = trained("plain", "optimizer=sgd", "trainer.precision=float32")
    for name, option in (("clipped", "trainer.gradient_clip=0.01"), ("halved", "trainer.precision=bfloat16")):
        precision = [] if "precision" in option else ["trainer.precision=float32"]
        assert not same_bits(weights(plain), weights(trained(name, "optimizer=sgd", option, *precision)))


def test_a_full_disk_is_one_sentence(nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    save, calls = checkpoint.save, []

    def fills_up(state: dict, path: Path) -> None:
        calls.append(path)
        full() if len(calls) > 1 else save(state, path)

    monkeypatch.setattr(checkpoint, "save", fills_up)
    status, _, error = nnlab("train", *small("vae"), *QUIET)
    assert status == 1
    assert "the disk is full; make room and try again. Then go on with: nnlab resume" in error
    assert len(error.splitlines()) == 1
    assert only_run().read_status()["status"] == "failed"
    checkpoint.load(only_run().checkpoints, "last")


def test_an_unwritable_folder_is_one_sentence(nnlab, own_folder: Path) -> None:
    (own_folder / "file").write_text("")
    status, _, error = nnlab("train", *small("vae"), "outputs=file/outputs")
    assert status == 2
    assert len(error.splitlines()) == 1
    assert "file" in error


def test_two_processes_do_not_train_in_one_folder(nnlab) -> None:
    assert nnlab("train", *small("ae"), "trainer.steps=2", *QUIET)[0] == 0
    folder = only_run()
    with folder.locked():
        status, _, error = nnlab("resume", "last", "trainer.steps=4")
    assert (status, "another process is training here" in error) == (2, True)
    assert nnlab("resume", "last", "trainer.steps=4")[0] == 0


def test_a_run_of_a_lost_machine_can_be_taken_over(nnlab) -> None:
    assert nnlab("train", *small("ae"), "trainer.steps=2", *QUIET)[0] == 0
    folder = only_run()
    status = json.loads(folder.status.read_text())
    folder.status.write_text(json.dumps(status | {"status": "running", "host": "node17"}))
    assert "if it is gone: nnlab resume" in nnlab("resume", "last", "trainer.steps=4")[2]
    assert nnlab("resume", "last", "trainer.steps=4", "--take-over")[0] == 0


def test_an_abandoned_future_is_forgotten(nnlab) -> None:
    long = [*small("ae"), "trainer.steps=22", "trainer.keep_checkpoint_every=5 steps", "trainer.evaluate_every=4 steps", *QUIET]
    assert nnlab("train", *long)[0] == 0
    folder = only_run()
    assert nnlab("resume", "last", "--checkpoint", "step-000005", "trainer.steps=6", "trainer.evaluate_every=never")[0] == 0
    test = folder.read_metrics()[-1]
    assert (test["split"], test["step"], test["checkpoint"], test["checkpoint_step"]) == ("test", 6, "last", 6)
    assert {path.stem for path in folder.checkpoints.glob("step-*")} == {"step-000005", "step-000006"}


@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_a_kill_between_any_two_renames_leaves_a_checkpoint(
    call: int, monkeypatch: pytest.MonkeyPatch, own_folder: Path
) -> None:
    parts = {"trainer": {"model": {"weight": torch.zeros(1)}}, "spec": DataSpec("own", "table", (1,)).state()}
    parts["lengths"] = {"metrics": 0, "events": 0}
    for step in (1, 2):
        checkpoint.save({**parts, "progress": asdict(Progress(step=step))}, own_folder / "c" / "last.pt")
    calls, replace, fsync = [], os.replace, os.fsync

    def dies(real):
        def then(*args):
            calls.append(args)
            if len(calls) == call:
                raise KeyboardInterrupt
            return real(*args)

        return then

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", dies(replace))
        patch.setattr(os, "fsync", dies(fsync))
        with pytest.raises(KeyboardInterrupt):
            checkpoint.save({**parts, "progress": asdict(Progress(step=3))}, own_folder / "c" / "last.pt")
    assert checkpoint.load(own_folder / "c", "last")["progress"]["step"] in (2, 3)


def test_a_reader_that_goes_away_does_not_stop_the_run(own_folder: Path) -> None:
    train = f"{sys.executable} -m nnlab train {' '.join(small('ae'))} trainer.epochs=3 hydra.run.dir=piped | head -1"
    subprocess.run(train, shell=True, check=True, capture_output=True)
    deadline = time.time() + 30
    while RunFolder(Path("piped")).read_status()["status"] != "completed":
        assert time.time() < deadline
        time.sleep(0.05)


def test_a_run_under_nohup_outlives_its_terminal(nnlab) -> None:
    process = start("broken", sighup=signal.SIG_IGN)
    try:
        wait_for_step(RunFolder(Path("broken")), 20)
        process.send_signal(signal.SIGHUP)
        status = process.wait()
    finally:
        process.kill()
    assert status == 0
    assert RunFolder(Path("broken")).read_status()["status"] == "completed"


def test_the_config_is_that_of_the_process_that_trains(nnlab) -> None:
    """A second process in the same folder is refused, and the length that it asked for stands nowhere."""
    assert nnlab("train", *small("ae"), "trainer.steps=2", *QUIET)[0] == 0
    folder = only_run()
    before = folder.config.read_bytes()
    with folder.locked():
        assert nnlab("resume", "last", "trainer.steps=4")[0] == 2
    assert folder.config.read_bytes() == before


@pytest.mark.parametrize("spoil", ["cut", "edited", "middle"])
def test_a_damaged_line_of_the_metrics_is_dropped_and_the_rest_goes_on(nnlab, spoil: str) -> None:
    assert nnlab("train", *small("ae"), "trainer.steps=12", "trainer.log_every=2 steps", *QUIET)[0] == 0
    folder = only_run()
    lines = folder.metrics.read_bytes().splitlines(keepends=True)
    kept = {"cut": [*lines[:-2], lines[-2][:20]], "edited": lines[1:], "middle": [*lines[:2], b"{broken\n", *lines[3:]]}[spoil]
    folder.metrics.write_bytes(b"".join(kept))
    assert nnlab("show", "last")[0] == 0
    status, _, error = nnlab("resume", "last", "trainer.steps=16")
    assert status == 0, error
    after = folder.metrics.read_bytes().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in after)
    steps = [json.loads(line)["step"] for line in after if json.loads(line)["split"] == "train"]
    assert steps[-2:] == [14, 16]
    assert steps == sorted(set(steps))


def test_a_kill_right_after_going_back_leaves_records_and_checkpoint_together(nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    long = [*small("ae"), "trainer.steps=22", "trainer.keep_checkpoint_every=5 steps", "trainer.log_every=1 steps", *QUIET]
    assert nnlab("train", *long, "hydra.run.dir=whole")[0] == 0
    assert nnlab("train", *long, "hydra.run.dir=broken")[0] == 0
    broken = RunFolder(Path("broken"))

    def killed(*args) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("nnlab.training.gradient.GradientTrainer.train", killed)
        nnlab("resume", "broken", "--checkpoint", "step-000005")
    assert checkpoint.load(broken.checkpoints, "last")["progress"]["step"] == 5
    assert nnlab("resume", "broken")[0] == 0
    assert broken.metrics.read_bytes() == RunFolder(Path("whole")).metrics.read_bytes()
    assert same_bits(weights(broken), weights(RunFolder(Path("whole"))))


def test_a_run_killed_before_its_first_checkpoint_begins_anew(nnlab) -> None:
    assert nnlab("train", *small("ae"), "trainer.steps=4", *QUIET, "hydra.run.dir=whole")[0] == 0
    assert nnlab("train", *small("ae"), "trainer.steps=4", *QUIET, "hydra.run.dir=broken")[0] == 0
    broken = RunFolder(Path("broken"))
    for path in [*broken.checkpoints.iterdir(), broken.metrics, broken.summary]:
        path.unlink()
    status, out, error = nnlab("resume", "broken")
    assert status == 0, error
    assert "no checkpoint was saved, so the run starts again" in out
    assert same_bits(weights(broken), weights(RunFolder(Path("whole"))))


def test_a_stage_whose_best_is_gone_goes_on_from_its_last_weights(nnlab) -> None:
    """A kill between the best of a later step and the next last.pt leaves neither that best nor the one before."""
    stages = [
        *small("stacked_ae"),
        "trainer.epochs=2",
        "trainer.pretraining.epochs=2",
        "trainer.keep_checkpoint_every=7 steps",
        *QUIET,
    ]
    assert nnlab("train", *stages, "hydra.run.dir=run")[0] == 0
    folder = RunFolder(Path("run"))
    state = checkpoint.load(folder.checkpoints, "step-000007")
    state["progress"] |= {"best": 1e9, "best_step": 3}
    for path in folder.checkpoints.iterdir():
        path.unlink()
    checkpoint.save({key: value for key, value in state.items() if key != "format"}, folder.checkpoints / "last.pt")
    status, _, error = nnlab("resume", "run", "trainer.evaluate_every=never")
    assert status == 0, error
    assert folder.read_status()["status"] == "completed"
