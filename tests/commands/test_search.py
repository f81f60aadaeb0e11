"""nnlab search: each trial once, whatever happens; the best is the best; bad input is answered before the first trial."""

from __future__ import annotations

import csv
import errno
import json
import shlex
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import QUIET, same_bits, weights
from forked import Command, ended

from nnlab.experiment.study import one_at_a_time
from nnlab.plotting import search as charts
from nnlab.runs.folder import RunFolder

pytestmark = pytest.mark.usefixtures("blank_charts")

AE = [
    "model=ae",
    "data=digits",
    "data.limit=300",
    "model.hidden=[16]",
    "trainer.steps=8",
    "trainer.evaluate_every=2 steps",
    *QUIET,
]
VAE = ["model=vae", *AE[1:]]
SPACE = ["optimizer.lr=log(1e-4,1e-1)", "model.latent_dim=interval(2,32)"]
SEARCH = ["search", *AE, *SPACE, "-o", "found"]


def rows(folder: str = "found") -> dict[str, dict[str, str]]:
    """trials.csv by the number of the trial, in its order, without the seconds."""
    with open(f"{folder}/trials.csv", newline="") as file:
        return {row["trial"]: {k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)}


def losses(number: int | str, folder: str = "found") -> list[float]:
    records = RunFolder(Path(folder, str(number))).read_metrics()
    return [record["loss"] for record in records if record["split"] == "validation"]


def statuses(folder: str = "found") -> list[str]:
    count = len(json.loads(Path(folder, "sweep.json").read_text())["jobs"])
    return [RunFolder(Path(folder, str(i))).read_status()["status"] for i in range(count)]


@pytest.fixture
def whole(shared_run):
    """A search that nothing interrupts, in the folder `found`."""

    def make() -> RunFolder:
        from nnlab import cli

        assert cli.main([*SEARCH, "--trials", "8"]) == 0
        return RunFolder(Path("found"))

    shutil.copytree(shared_run("search", make).path, "found")
    return rows()


def test_the_table_has_each_trial_and_the_best_is_last(nnlab, whole: dict) -> None:
    assert {int(number) for number in whole} == set(range(8))
    for number, row in whole.items():
        assert float(row["validation/loss"]) == pytest.approx(min(losses(number)), rel=1e-4)
        assert 1e-4 <= float(row["optimizer.lr"]) <= 1e-1
        assert 2 <= int(row["model.latent_dim"]) <= 32
    complete = [float(row["validation/loss"]) for row in whole.values() if row["status"] == "completed"]
    assert complete == sorted(complete, reverse=True)
    assert list(whole.values())[-1]["status"] == "completed"
    assert len(Path("found/trials.md").read_text().splitlines()) == 10
    out = nnlab("show", "found")[1]
    assert out.splitlines()[-2].startswith(f"best: trial {list(whole)[-1]}, validation/loss {complete[-1]:.5g}")


def test_trial_0_is_the_config_as_it_stands(nnlab, whole: dict) -> None:
    assert nnlab("train", *AE, "hydra.run.dir=plain")[0] == 0
    assert same_bits(weights(RunFolder(Path("plain"))), weights(RunFolder(Path("found/0"))))


def test_a_pruned_trial_was_worse_than_the_median_at_the_same_time(whole: dict) -> None:
    pruned = [number for number, row in whole.items() if row["status"] == "pruned"]
    assert pruned
    for number in pruned:
        before = [losses(n) for n, row in whole.items() if row["status"] == "completed" and int(n) < int(number)]
        mine = losses(number)
        assert len(before) >= 5
        assert len(mine) < 4
        assert min(mine) > np.median([loss[len(mine) - 1] for loss in before])


def test_the_command_of_the_best_trains_it_again(nnlab, whole: dict) -> None:
    command = nnlab("show", "found")[1].splitlines()[-1]
    words = shlex.split(command)
    assert words[:2] == ["nnlab", "train"]
    assert nnlab(*words[1:], "hydra.run.dir=again")[0] == 0
    assert same_bits(weights(RunFolder(Path("again"))), weights(RunFolder(Path("found", list(whole)[-1]))))


def test_a_second_start_makes_only_what_is_missing(nnlab, whole: dict) -> None:
    before = {i: Path(f"found/{i}/status.json").read_bytes() for i in range(8)}
    status, out, error = nnlab("search", "-o", "found")
    assert (status, " of 8: " in out, "8 of 8 trials are there" in out) == (0, False, True), error
    assert rows() == whole
    status, out, error = nnlab(*SEARCH, "--trials", "9")
    assert status == 0, error
    assert out.count("\ntrial 8 of 9: ") == 1
    assert {i: Path(f"found/{i}/status.json").read_bytes() for i in range(8)} == before
    assert len(rows()) == 9


def wait_for(path: str, step: int, command: Command) -> None:
    deadline = time.time() + 60
    while RunFolder(Path(path)).read_status().get("step", -1) < step:
        assert time.time() < deadline, command.where()
        assert command.process.exitcode is None, command.where()
        time.sleep(0.005)


def test_a_search_that_is_killed_goes_on_as_if_it_had_not_been(nnlab, whole: dict) -> None:
    Path("found").rename("whole")
    for where, step in (("found/1", 4), ("found/5", 0)):
        command = Command("killed", *SEARCH, "--trials", "8")
        try:
            wait_for(where, step, command)
        finally:
            command.kill()
    shutil.rmtree("found/5", ignore_errors=True)  # killed before its run began
    Path("found/5/.hydra").mkdir(parents=True)
    status, out, error = nnlab("search", "-o", "found")
    assert status == 0, error
    assert "trial 0 of 8" not in out
    assert rows() == whole
    assert list(map(losses, whole)) == [losses(number, "whole") for number in whole]


def test_two_processes_share_a_search(nnlab) -> None:
    assert ended([Command(name, *SEARCH, "--trials", "9") for name in ("one", "two")]) == [0, 0]
    made = [set(lines_of(f"{name}.out")) for name in ("one", "two")]
    assert made[0] | made[1] == set(range(9))
    assert not made[0] & made[1]
    assert all(made), "one of them made all"
    assert len(rows()) == 9
    assert len({(row["optimizer.lr"], row["model.latent_dim"]) for row in rows().values()}) == 9
    assert set(statuses()) <= {"completed", "pruned"}


def lines_of(file: str) -> list[int]:
    """The trials that a process says it makes, in their order."""
    return [
        int(line.split()[1]) for line in Path(file).read_text().splitlines() if line.startswith("trial ") and " of " in line
    ]


def test_a_trial_that_diverges_is_told_and_the_others_go_on(nnlab) -> None:
    words = [*VAE, "optimizer=sgd", "optimizer.lr=1e-3,1e4", "--sampler", "random", "--trials", "5", "-o", "found"]
    status, _, error = nnlab("search", *words)
    assert status == 1
    found = statuses()
    assert {"diverged", "completed"} == set(found)
    for number, state in enumerate(found):
        assert (f"trial {number} (optimizer.lr=10000.0)" in error) == (state == "diverged")
    assert list(rows().values())[-1]["status"] == "completed"
    assert nnlab("search", "-o", "found")[0] == 0, "nothing is left to make, so nothing failed"
    assert statuses() == found


def test_a_trial_that_cannot_be_built_is_a_failed_one(nnlab) -> None:
    words = ["model=transformer", "data=digits", "data.limit=100", "model.depth=1", "model.width=12", "trainer.steps=1", *QUIET]
    status, _, error = nnlab("search", *words, "model.heads=4,5", "--trials", "5", "-o", "found")
    heads = {number: int(row["model.heads"]) for number, row in rows().items()}
    bad = {number for number, count in heads.items() if 12 % count}
    assert bad, heads
    assert status == 1
    assert {number for number, row in rows().items() if row["status"] == "no run"} == bad
    assert all(f"trial {number} (model.heads={heads[number]}): model.heads: " in error for number in bad), error


def test_a_full_disk_stops_the_search_and_costs_no_trial(nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    from nnlab.experiment import run

    write, calls = run.write_config, []

    def full(*args) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device", "found/1/config.yaml")
        write(*args)

    monkeypatch.setattr(run, "write_config", full)
    status, out, error = nnlab(*SEARCH, "--trials", "3")
    assert (status, len(calls)) == (1, 2), error
    assert "the disk is full" in error
    assert "1 of 3 trials are made; go on with: nnlab search -o found" in out
    monkeypatch.setattr(run, "write_config", write)
    assert nnlab("search", "-o", "found")[0] == 0
    assert statuses() == ["completed"] * 3


def test_several_metrics_give_a_front_and_prune_nothing(nnlab) -> None:
    words = [*VAE, "optimizer.lr=log(1e-4,1e-1)", "model.latent_dim=2,8"]
    status, out, error = nnlab(
        "search", *words, "--metric", "reconstruction", "--metric", "kl:lower", "--trials", "7", "-o", "found"
    )
    assert status == 0, error
    assert statuses() == ["completed"] * 7
    points = {n: (float(row["validation/reconstruction"]), float(row["validation/kl"])) for n, row in rows().items()}
    front = {n for n, (a, b) in points.items() if not any((c <= a and d <= b) and (c, d) != (a, b) for c, d in points.values())}
    assert {line.split()[4].strip(",") for line in out.splitlines() if line.startswith("on the front")} == front
    assert set(list(points)[-len(front) :]) == front
    assert {path.stem for path in Path("found/images").iterdir()} == {"history", "importance", "values", "front"}


def test_a_metric_that_does_not_choose_the_weights_is_that_of_the_weights_that_are_kept(nnlab) -> None:
    status, _, error = nnlab(*SEARCH[:-2], "--metric", "psnr", "--trials", "2", "-o", "found")
    assert status == 0, error
    for number, row in rows().items():
        records = [r for r in RunFolder(Path("found", number)).read_metrics() if r["split"] == "validation"]
        kept = min(records, key=lambda record: record["loss"])
        assert float(row["validation/psnr"]) == pytest.approx(kept["psnr"], rel=1e-4)


def test_a_preview_shows_the_space_and_leaves_nothing(nnlab, own_folder: Path) -> None:
    status, out, error = nnlab(*SEARCH, "--dry-run", "--sampler", "gp")
    assert status == 0, error
    assert "20 trials, sampler gp, pruner median" in out
    assert "interval(2, 32) of whole numbers" in out
    assert "lr: <log(0.0001, 0.1)>" in out
    assert not list(own_folder.iterdir())


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([*AE, "optimizer.lr=interval(-1,1)"], "optimizer.lr: Invalid learning rate: -1"),
        ([*AE, "model.latent_dim=interval(0,4)"], "model.latent_dim: expected a whole number ≥ 1, got 0"),
        ([*AE, *SPACE, "--metric", "psnrr"], "the model records no such validation metric; did you mean 'psnr'?"),
        ([*AE, *SPACE, "--metric", "fid"], "the model records no such validation metric; legal here: "),
        ([*AE, *SPACE, "--metric", "test/loss"], "runs are compared on the validation split alone"),
        ([*AE, *SPACE, "--metric", "loss:higher"], "lower is better; leave out :higher"),
        ([*AE, *SPACE, "--metric", "loss:best"], "behind the colon stands lower or higher"),
        ([*AE, *SPACE, "--metric", "loss", "--metric", "psnr", "--pruner", "median"], "not pruned by several metrics"),
        ([*AE, *SPACE, "data.validation=0"], "data.validation=0: runs are compared on the validation split"),
        ([*AE[1:], "trainer.evaluate_every=never", *SPACE], "trainer.evaluate_every=never: runs are compared"),
        (["model=vae", "data=digits", SPACE[0], "--metric", "kl"], "which direction is better? write kl:lower or kl:higher"),
        (["model=gan", "data=digits", "optimizer.lr=1e-3,1e-4"], "judge=auto adds frechet_distance"),
        (["model=ae,vae", "data=digits"], "the losses of different models cannot be compared, so name a metric"),
    ],
)
def test_bad_input_is_answered_before_the_first_trial(nnlab, own_folder: Path, words: list[str], problem: str) -> None:
    status, _, error = nnlab("search", *words)
    assert status == 2, error
    assert problem in error
    assert len(error.splitlines()) == 1
    assert len(error) < 800
    assert not list(own_folder.iterdir())


def test_a_search_goes_on_with_its_own_words_alone(nnlab, whole: dict) -> None:
    for words, problem in (
        (["optimizer.lr=log(1e-3,1)"], "give the same words or none"),
        (["--sampler", "random"], "began with --sampler tpe"),
        (["--pruner", "none"], "began with --pruner median"),
        (["--metric", "psnr"], "began with --metric validation/loss"),
    ):
        status, _, error = nnlab("search", "-o", "found", *words)
        assert (status, problem in error) == (2, True), error
    assert nnlab("search", "-o", "found", "device=cpu")[0] == 0
    assert "goes on with: nnlab search -o found" in nnlab("resume", "found")[2]
    Path("other").mkdir()
    Path("other/file").write_text("mine")
    assert "exists already and is no search" in nnlab(*SEARCH[:-1], "other")[2]


def test_what_a_stranger_wrote_is_not_followed(nnlab, whole: dict, own_folder: Path) -> None:
    plan = json.loads(Path("found/search.json").read_text())
    for word in ("hydra.run.dir=/tmp/x", "outputs=x", "data.root=x", "-m", "+x=y"):
        Path("found/search.json").write_text(json.dumps({**plan, "words": [*plan["words"], word], "trials": 9}))
        status, out, error = nnlab("search", "-o", "found")
        assert (status, "search.json: " in error) == (2, True), (word, error)
        assert " of 9: " not in out
    for broken in ({}, [], {**plan, "metrics": []}, {**plan, "trials": "x"}, {**plan, "more": 1}):
        Path("found/search.json").write_text(json.dumps(broken))
        assert "not the plan of a search" in nnlab("search", "-o", "found")[2]
        assert "not the plan of a search" in nnlab("show", "found")[2]
    Path("found/search.json").write_text(json.dumps(plan))
    (own_folder / "outside").write_text("mine")
    Path("found/journal.log").unlink()
    Path("found/journal.log").symlink_to(own_folder / "outside")
    assert "journal.log: is a link" in nnlab("search", "-o", "found")[2]
    assert (own_folder / "outside").read_text() == "mine"


def test_a_search_is_removed_whole(nnlab, whole: dict) -> None:
    status, _, error = nnlab("rm", "found", "--yes")
    assert status == 0, error
    assert not Path("found").exists()


def test_without_optuna_the_command_that_installs_it_is_told(nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnlab.extras.installed", lambda module: False)
    assert "pip install 'nnlab[search]'" in nnlab(*SEARCH)[2]


def test_a_lock_is_held_by_one(own_folder: Path) -> None:
    with one_at_a_time(own_folder / "journal.log"):
        assert (own_folder / "claim.lock").exists()
    assert not list(own_folder.iterdir())


def test_the_line_of_the_best_ignores_what_was_pruned() -> None:
    trials = charts.Trials(np.arange(4), np.array([5.0, 1.0, 4.0, 900.0]), np.array([False, True, False, False]), "loss")
    low, high = trials.margins()
    assert low == 1.0
    assert high < 900, "one that is far worse does not press the others together"
    for picture in (
        charts.history(trials),
        charts.importance({"a": [0.7], "b": [0.3]}, ["loss"]),
        charts.values({"lr": [1e-3, 1e-2, 1e-4, 1e-1], "f": ["x", "y", "x", "y"]}, ["lr"], trials),
        charts.front(np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0]]), [0, 1, 2], np.array([True, True, False]), ("a", "b")),
    ):
        assert picture.ndim == 3
        assert picture.dtype == np.uint8
