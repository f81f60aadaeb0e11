"""A run that is watched: what its watcher is told, and how it ends when it is pruned."""

from __future__ import annotations

from pathlib import Path

from conftest import QUIET, built, same_bits, small, weights

from nnlab.experiment.run import run_experiment
from nnlab.recording.console import Console
from nnlab.runs.folder import RunFolder

WORDS = [*small("ae"), "trainer.steps=8", "trainer.evaluate_every=2 steps", "trainer.save_every=4 steps", *QUIET]


def train(name: str, watch, *words: str) -> RunFolder:
    folder = RunFolder(Path(name))
    folder.path.mkdir()
    run_experiment(built(*(words or WORDS)), folder, Console(quiet=True), watch=watch)
    return folder


def validated(folder: RunFolder) -> list[dict]:
    return [record for record in folder.read_metrics() if record["split"] == "validation"]


def test_it_is_told_of_each_evaluation_and_changes_nothing() -> None:
    told = []
    watched = train("watched", lambda percent, values: bool(told.append((percent, values))))
    plain = train("plain", None)
    assert [percent for percent, _ in told] == [25, 50, 75, 100]
    assert [values["loss"] for _, values in told] == [record["loss"] for record in validated(watched)]
    assert same_bits(weights(watched), weights(plain))
    assert watched.metrics.read_bytes() == plain.metrics.read_bytes()
    assert watched.read_status()["status"] == "completed"


def test_of_a_run_in_stages_it_sees_the_last_alone() -> None:
    told = []
    words = [*small("stacked_ae"), "trainer.steps=4", "trainer.evaluate_every=2 steps", "data.limit=200", *QUIET]
    folder = train("stages", lambda percent, values: bool(told.append(percent)), *words)
    assert {record.get("stage") for record in validated(folder)} > {None}
    assert told == [50, 100]


def test_a_pruned_run_is_short_has_no_test_metrics_and_can_be_trained_to_its_end(nnlab) -> None:
    pruned, whole = train("pruned", lambda percent, values: percent >= 50), train("whole", None)
    status, summary = pruned.read_status(), pruned.read_summary()
    assert (status["status"], status["step"], summary["status"]) == ("pruned", 4, "pruned")
    assert status["best"] == {"validation/loss": min(record["loss"] for record in validated(pruned))}
    assert validated(pruned) == validated(whole)[:2]
    assert not pruned.read_test_figures()
    assert "pruned" in nnlab("runs", "--root", ".", "--status", "pruned")[1]
    for verb in ("show", "evaluate", "reconstruct", "curves"):
        code, _, error = nnlab(verb, "pruned")
        assert code == 0, (verb, error)
    code, _, error = nnlab("resume", "pruned")
    assert code == 0, error
    assert same_bits(weights(pruned), weights(whole))
    assert pruned.read_status()["status"] == "completed"


def test_at_its_end_a_run_is_complete_and_not_pruned() -> None:
    assert train("late", lambda percent, values: percent == 100).read_status()["status"] == "completed"
