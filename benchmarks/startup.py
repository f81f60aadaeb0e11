"""Seconds from the command to its answer, whole processes, the best of several; for comparison Python and torch alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import NNLAB, ROOT, Timing, call, in_turn, table, timed
from nnlab.runs.folder import RunFolder
from nnlab.runs.process import process_facts, versions

RUN_FOLDERS = 200
FIRST_STEP = ["model=vae", "data=digits", "trainer.steps=1", "trainer.evaluate_every=never", "trainer.show_every=never"]


def run(rounds: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        write_runs(Path(folder), RUN_FOLDERS)
        environment = {"NNLAB_OUTPUTS": folder}

        def answer(*arguments: str, status: int = 0) -> Callable[[], Timing]:
            return timed(lambda: call([*NNLAB, *arguments], status, **environment))

        timings = in_turn(
            {
                "python -c pass": timed(lambda: call([sys.executable, "-c", "pass"])),
                "python -c 'import torch'": timed(lambda: call([sys.executable, "-c", "import torch"])),
                "nnlab --help": answer("--help"),
                "nnlab list": answer("list"),
                f"nnlab runs, of {RUN_FOLDERS}": answer("runs"),
                "a misspelt name, train model=vaee": answer("train", "model=vaee", status=2),
                "a misspelt key, train optimizer.lrr=1": answer("train", "optimizer.lrr=1", status=2),
                "a wrong type, train optimizer.lr=abc": answer("train", "optimizer.lr=abc", status=2),
                "train model=vae data=digits, to its first line": timed(first_line),
                "train model=vae data=digits, to the record of its first step": timed(first_step),
            },
            rounds,
        )
    return table(("", "seconds"), [(name, f"{timing.seconds:.2f}") for name, timing in timings.items()])


def first_line() -> None:
    """From the command until something stands on the terminal."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NNLAB_OUTPUTS": folder}
        process = subprocess.Popen([*NNLAB, "train", *FIRST_STEP], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        process.stdout.readline()
        process.kill()
        process.communicate()


def first_step() -> None:
    """From the command until metrics.jsonl holds the first update."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NNLAB_OUTPUTS": folder}
        process = subprocess.Popen(
            [*NNLAB, "train", *FIRST_STEP], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        while not any(path.stat().st_size for path in Path(folder).glob("*/*/*/metrics.jsonl")):
            if process.poll() is not None:
                raise RuntimeError(f"nnlab train ended without a first step\n{process.stderr.read().decode()}")
            time.sleep(0.005)
        process.kill()
        process.communicate()


def write_runs(root: Path, count: int) -> None:
    """`count` run folders with the status.json of a completed run."""
    metadata = {
        "choices": {"data": "digits", "noise": "none", "optimizer": "adam", "trainer": "gradient", "model": "vae"},
        "model": "vae",
        "data": "digits",
        "tags": ["benchmark"],
        **process_facts(),
        "device": "cpu",
        "precision": "float32",
        "threads": 2,
        "versions": versions(),
        "parameters": 1_000_000,
        "step": 260,
        "epoch": 20.0,
        "seconds": 12.5,
    }
    for i in range(count):
        folder = root / "vae" / "digits" / f"2026-01-01_00-00-00-{i:06d}"
        folder.mkdir(parents=True)
        best = {"validation/loss": 25.0 + i / count}
        RunFolder(folder).write_status("completed", **metadata, began=1_767_225_600.0 + 60 * i, best=best)
