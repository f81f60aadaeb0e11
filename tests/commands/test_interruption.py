"""Nothing is lost: kill -9, Ctrl-C and SIGTERM on a real process, divergence, a full disk."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import QUIET, only_run, same_bits, small, weights

from nnlab.runs.folder import RunFolder
from nnlab.training import checkpoint

LONG = [*small("vae"), "noise=gaussian", "trainer.epochs=40", "trainer.save_every=7 steps", "trainer.log_every=5 steps", *QUIET]


def start(folder: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "nnlab", "train", *LONG, f"hydra.run.dir={folder}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_step(folder: RunFolder, step: int) -> None:
    deadline = time.time() + 60
    while folder.read_status().get("step", -1) < step:
        assert time.time() < deadline
        time.sleep(0.005)


@pytest.fixture
def whole(nnlab) -> RunFolder:
    assert nnlab("train", *LONG, "hydra.run.dir=whole")[0] == 0
    return RunFolder(Path("whole"))


def test_kill_9_leaves_a_checkpoint_and_resumes_to_the_bit(nnlab, whole: RunFolder) -> None:
    process = start("broken")
    broken = RunFolder(Path("broken"))
    try:
        wait_for_step(broken, 30)
    finally:
        process.kill()
        process.communicate()
    assert broken.read_status()["status"] == "killed"
    checkpoint.load(broken.checkpoints, "last")
    assert nnlab("resume", "broken")[0] == 0
    assert same_bits(weights(broken), weights(whole))
    assert broken.metrics.read_bytes() == whole.metrics.read_bytes()
    assert len(list(broken.path.glob("events.out.tfevents.*"))) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_polite_signal_saves_and_says_how_to_resume(nnlab, whole: RunFolder, number: int) -> None:
    process = start("broken")
    broken = RunFolder(Path("broken"))
    try:
        wait_for_step(broken, 20)
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, error
    assert "go on with: nnlab resume broken" in error
    assert broken.read_status()["status"] == "interrupted"
    assert nnlab("resume", "broken")[0] == 0
    assert same_bits(weights(broken), weights(whole))
    assert broken.metrics.read_bytes() == whole.metrics.read_bytes()


def test_divergence_names_term_step_and_layer_and_keeps_the_last_good_state(nnlab) -> None:
    status, _, error = nnlab("train", *small("vae"), "optimizer=sgd", "optimizer.lr=1e4", "trainer.save_every=1 steps", *QUIET)
    assert status == 1
    assert "train/reconstruction is not finite in update" in error or "train/kl is not finite in update" in error
    assert "first layer with a value that is not finite: encoder." in error or "decoder." in error
    folder = only_run()
    facts = folder.read_status()
    assert facts["status"] == "diverged"
    assert "is not finite" in facts["reason"]
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
    assert "the disk is full. Make room, then go on with: nnlab resume" in error
    assert len(error.splitlines()) == 1
    assert only_run().read_status()["status"] == "failed"
    checkpoint.load(only_run().checkpoints, "last")


def test_an_unwritable_folder_is_one_sentence(nnlab, own_folder: Path) -> None:
    (own_folder / "file").write_text("")
    status, _, error = nnlab("train", *small("vae"), "outputs=file/outputs")
    assert status == 2
    assert len(error.splitlines()) == 1
    assert "file" in error
