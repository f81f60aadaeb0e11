"""A sweep is previewed, ranked by a metric of the user's choice, and launched on several processes."""

from __future__ import annotations

import csv
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import QUIET, same_bits, small, weights

from nnlab.commands import worker
from nnlab.runs.folder import RunFolder
from nnlab.runs.objective import Objective
from nnlab.runs.sweep import ranked_by

pytestmark = pytest.mark.usefixtures("blank_charts")

WORDS = [*small("ae"), "trainer.steps=3", *QUIET]
DIVERGES = "optimizer.lr=1e-3,1e30"


def rows() -> list[dict]:
    with open("sweep/sweep.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_preview_lists_the_jobs_in_the_order_of_their_numbers_and_writes_nothing(nnlab, own_folder: Path) -> None:
    status, out, error = nnlab("train", "-m", "model=ae,pca", "seed=1,2", "--dry-run")
    assert status == 0, error
    jobs = [f"{i}  model={model} seed={seed}" for i, (model, seed) in enumerate((m, s) for m in ("ae", "pca") for s in (1, 2))]
    assert out.splitlines()[-6:] == ["4 jobs, each in a folder of its own:", *jobs, "no job was trained (--dry-run)"]
    assert "one run:\n0  model=pca" in nnlab("train", "model=pca", "--dry-run")[1]
    assert nnlab("train", "model=pca", "seed=x", "--dry-run")[0] == 2
    assert not list(own_folder.iterdir())


def test_a_pattern_names_its_jobs(nnlab) -> None:
    assert "0  model=linear_ae" in nnlab("train", "-m", "model=glob(l*_ae)", "--dry-run")[1]


def of_kept_weights(folder: RunFolder) -> float:
    """The validation psnr at the step of the test figures."""
    records = folder.read_metrics()
    step = next(record["checkpoint_step"] for record in records if record["split"] == "test")
    return next(r["psnr"] for r in records if (r["split"], r["step"]) == ("validation", step))


def test_a_chosen_metric_ranks_also_different_models(nnlab) -> None:
    words = ["model=pca,kmeans", "data.limit=200", QUIET[0], "hydra.sweep.dir=sweep", "sweep.metric=validation/psnr"]
    status, out, error = nnlab("train", "-m", *words)
    assert status == 0, error
    assert ranked_by(Path("sweep")) == Objective("psnr", higher_is_better=True)
    found = {i: of_kept_weights(RunFolder(Path(f"sweep/{i}"))) for i in range(2)}
    assert [float(row["validation/psnr"]) for row in rows()] == pytest.approx([found[0], found[1]], rel=1e-4)
    best = max(found, key=found.get)
    assert f"best: sweep/{best} " in out
    assert f"best: sweep/{best} " in nnlab("show", "sweep")[1]


@pytest.mark.parametrize(
    ("metric", "words", "said"),
    [
        ("validation/mze", ["model=ae"], "sweep.metric=validation/mze: the model records no such validation metric; did you"),
        ("validation/inertia", ["model=kmeans,pca"], "the model records no such validation metric"),
        ("test/mse", ["model=ae"], "runs are compared on the validation split alone; write validation/mse"),
        ("validation/mse", ["model=ae", "data.validation=0"], "leave some examples for it"),
        ("kl", ["model=vae"], "which direction is better? write kl:lower or kl:higher"),
    ],
)
def test_a_metric_that_a_run_does_not_record_is_refused_before_the_first_job(
    nnlab, own_folder: Path, metric: str, words: list[str], said: str
) -> None:
    status, _, error = nnlab("train", "-m", *words, f"sweep.metric={metric}", "seed=0,1")
    assert (status, said in error) == (2, True), error
    assert not list(own_folder.iterdir())


def test_a_job_that_fails_is_told_with_its_reason_and_the_others_go_on(nnlab) -> None:
    status, out, error = nnlab("train", "-m", *WORDS, DIVERGES, "hydra.sweep.dir=sweep")
    assert status == 1
    assert [row["status"] for row in rows()] == ["completed", "diverged"]
    assert "train/loss is not finite" in rows()[1]["reason"]
    assert "job 1 (" in error
    assert "job 1 failed: train/loss is not finite" in out
    assert rows()[1]["test/mse"] == ""


def test_a_job_that_cannot_be_built_is_a_failed_job_of_the_table(nnlab) -> None:
    status, out, _ = nnlab(
        "train",
        "-m",
        "model=conv_ae",
        "data=digits,moons",
        "data.limit=100",
        "trainer.epochs=1",
        *QUIET,
        "hydra.sweep.dir=sweep",
    )
    assert status == 1
    for _ in range(2):  # and when it is shown later
        assert [row["status"] for row in rows()] == ["completed", "failed"], out
        assert "need images" in rows()[1]["reason"]
        assert "job 1 failed: model: convolutions need images" in out
        out = nnlab("show", "sweep")[1]
    assert nnlab("rm", "sweep", "--yes")[0] == 0


def test_a_full_disk_does_not_hide_what_became_of_the_jobs(nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nnlab.runs.sweep.write_tables", full)
    monkeypatch.setattr("hydra._internal.callbacks.Callbacks.on_job_end", lambda *arguments, **more: None)
    status, out, _ = nnlab("train", "-m", *WORDS, "optimizer.lr=1e-3,1e30", "hydra.sweep.dir=sweep")
    assert status == 1
    assert "the table and the pictures are not written: " in out
    assert "job 1 failed: train/loss is not finite" in out


def test_jobs_side_by_side_give_the_same_bits(nnlab) -> None:
    """In processes of joblib, which take one job after another."""
    words = [*WORDS, DIVERGES, "seed=0,1", "sweep.metric=validation/mse"]
    for folder, launcher in (("sweep", []), ("joblib", ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"])):
        done = subprocess.run(
            [sys.executable, "-m", "nnlab", "train", "-m", *words, *launcher, f"hydra.sweep.dir={folder}"],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stderr
    for i in (0, 1):
        one, other = (RunFolder(Path(folder, str(i))) for folder in ("sweep", "joblib"))
        assert same_bits(weights(one), weights(other))
        assert one.read_test_figures() == other.read_test_figures()
        assert other.read_status()["threads"] == 1
    assert "job 0 is done in 0:00: validation/mse " in done.stdout
    assert "nnlab: job 2 (" in done.stderr
    assert RunFolder(Path("joblib/2")).read_status()["status"] == "diverged"


def test_a_job_that_failed_is_failed_for_slurm(nnlab) -> None:
    """Hydra returns the error of a job as its result, and submitit takes that for success."""
    status, out, _ = nnlab("train", "-m", *WORDS, DIVERGES, "hydra/launcher=submitit_local", "hydra.sweep.dir=sweep")
    assert status == 1
    assert [row["status"] for row in rows()] == ["completed", "diverged"], out
    assert "job 1 failed: " in out
    codes = {}
    for folder in (path for path in Path("sweep/.submitit").iterdir() if path.name.isdigit()):
        with open(next(folder.glob("*_result.pkl")), "rb") as file:
            result = pickle.load(file)[1]
        codes[result.status.name] = str(result.overrides)
    assert set(codes) == {"COMPLETED", "FAILED"}
    assert nnlab("rm", "sweep", "--yes")[0] == 0


def test_gpus_are_dealt_out_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [worker.device_of("auto", i) for i in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert worker.device_of("cpu", 1) == "cpu"
    assert worker.device_of("cuda:0", 1) == "cuda:0"
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert worker.device_of("auto", 1) == "auto"
    monkeypatch.delenv("SLURM_JOB_ID")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert worker.device_of("auto", 1) == "auto"


def test_a_launcher_that_is_not_installed_names_its_extra(nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hydra_plugins.hydra_joblib_launcher", None)
    status, _, error = nnlab("train", "-m", "model=ae", "hydra/launcher=joblib")
    assert (status, "pip install 'nnlab[joblib]'" in error) == (2, True), error


ORPHAN = """
import multiprocessing, time
from nnlab.commands.worker import follow_parent

def work():
    follow_parent()
    print("at work", flush=True)
    time.sleep(100)

child = multiprocessing.get_context("fork").Process(target=work, name="{name}")
child.start()
child.join()
"""


def test_the_processes_of_joblib_end_with_a_sweep_that_was_killed() -> None:
    command = [sys.executable, "-c", ORPHAN.format(name="LokyProcess-1")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sweep:
        assert sweep.stdout.readline() == "at work\n"
        sweep.kill()
        began = time.monotonic()
        assert sweep.stdout.read() == "", "both processes have ended"
    assert time.monotonic() - began < 50


def test_a_sweep_that_joblib_trains_in_its_own_process_does_not_end_with_its_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "following", [])
    worker.follow_parent()
    assert worker.following == []
