"""The trials of a search as their folders show them: whose metrics count, and in which order they stand."""

from __future__ import annotations

import json
from pathlib import Path

from nnlab.runs.folder import RunFolder
from nnlab.runs.objective import Objective, measured
from nnlab.runs.search import Plan, front, results, table

LOSS, PSNR = Objective("loss"), Objective("psnr", higher_is_better=True)


def trial(number: int, status: str, figures: list[tuple[float, float]], best_step: int | None = None) -> RunFolder:
    """A trial with these losses and PSNRs at steps 1, 2, …; of a stage before, it has better ones that do not count."""
    folder = RunFolder(Path("found", str(number)))
    (folder.path / ".hydra").mkdir(parents=True)
    folder.path.joinpath(".hydra/overrides.yaml").write_text(f"- model=ae\n- optimizer.lr=0.00{number}\n")
    folder.status.write_text(json.dumps({"status": status, "epoch": 2.0, "seconds": 3.0}))
    records = [{"step": 0, "split": "validation", "stage": "layer_1", "loss": 0.0, "psnr": 99.0}]
    for step, (loss, psnr) in enumerate(figures, 1):
        records += [
            {"step": step, "split": "train", "loss": 0.0},
            {"step": step, "split": "validation", "loss": loss, "psnr": psnr},
        ]
    folder.metrics.write_text("".join(json.dumps(record) + "\n" for record in records))
    if best_step is not None:
        folder.summary.write_text(json.dumps({"best_step": best_step}))
    return folder


def plan(*metrics: Objective) -> Plan:
    return Plan(["model=ae"], ["optimizer.lr"], list(metrics), "tpe", "median", 9)


def test_the_metrics_are_those_of_the_weights_that_are_kept() -> None:
    overfitted = trial(0, "completed", [(3.0, 10.0), (1.0, 12.0), (2.0, 14.0)], best_step=2)
    assert measured(overfitted, [LOSS]) == [1.0]
    assert measured(overfitted, [LOSS, PSNR]) == [1.0, 12.0], "not the best PSNR, which other weights have"
    assert measured(overfitted, [Objective("kl")]) == []
    assert measured(trial(1, "running", [(3.0, 10.0), (4.0, 9.0)]), [LOSS]) == [4.0]
    assert measured(trial(2, "completed", [(3.0, 10.0), (4.0, 9.0)], best_step=0), [LOSS]) == [4.0], "no monitor: the last"
    assert measured(trial(3, "failed", []), [LOSS]) == []


def test_the_best_is_last_and_complete() -> None:
    for number, (status, figures) in enumerate(
        [
            ("completed", [(2.0, 9.0)]),
            ("pruned", [(0.5, 9.0)]),
            ("failed", []),
            ("completed", [(1.0, 5.0)]),
            ("pruned", [(7.0, 1.0)]),
        ]
    ):
        trial(number, status, figures)
    path = Path("found")
    (path / "sweep.json").write_text(json.dumps({"jobs": [["optimizer.lr=0.001"]] * 6}))
    assert [result.number for result in results(path, plan(LOSS))] == [2, 4, 1, 0, 3]
    assert [result.number for result in results(path, plan(PSNR))] == [2, 4, 1, 3, 0]
    head, *rows = table(path, plan(LOSS))
    assert head == ("trial", "status", "optimizer.lr", "validation/loss", "epoch", "seconds")
    assert rows[0] == ("5", "no run", "0.001", "", "", "")
    assert rows[-1] == ("3", "completed", "0.003", "1", "2", "3")


def test_on_the_front_are_those_that_no_other_beats() -> None:
    points = [(1.0, 9.0), (2.0, 12.0), (2.0, 11.0), (3.0, 12.0), (4.0, 20.0), (0.5, 30.0)]
    for number, point in enumerate(points):
        trial(number, "pruned" if number == 5 else "completed", [point])
    found = results(Path("found"), plan(LOSS, PSNR))
    assert {result.number for result in front(found, [LOSS, PSNR])} == {0, 1, 4}
    assert [result.number for result in found][-3:] == [4, 1, 0], "the best of the first metric last"
