"""A tracker beside TensorBoard: it gets what the run's own files get, and no run fails because of it."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import QUIET, same_bits, small, train, weights

from nnlab.errors import BadInput
from nnlab.extras import installed, require
from nnlab.recording import events, mlflow, tracker
from nnlab.recording.recorder import Recorder
from nnlab.recording.tracker import Detached, RunFacts, Tracker, known
from nnlab.runs.folder import STATES, RunFolder
from nnlab.runs.sweep import PLAN, name_of

WORDS = [*small("vae"), "data.limit=60", "trainer.epochs=2", *QUIET]


class Kept(Tracker):
    """Keeps what it is told; fails or waits at a method, if told so."""

    def __init__(self, fails: str = "", error: BaseException | None = None, gate: threading.Event | None = None) -> None:
        self.fails, self.error, self.gate = fails, error or OSError("the server is gone"), gate
        self.calls: list[tuple[Any, ...]] = []

    def note(self, method: str, *values: Any) -> None:
        if self.gate:
            self.gate.wait(30)
        self.calls.append((method, *values))
        if method == self.fails:
            raise self.error

    def start(self, facts: RunFacts, identity: str | None) -> str:
        self.note("start", facts, identity)
        return identity or "abc-1"

    def metrics(self, values: dict[str, float], step: int) -> None:
        self.note("metrics", values, step)

    def picture(self, name: str, picture: np.ndarray, png: bytes, step: int) -> None:
        self.note("picture", name, picture, png, step)

    def text(self, name: str, text: str, step: int) -> None:
        self.note("text", name, text, step)

    def finish(self, status: str) -> None:
        self.note("finish", status)

    def of(self, method: str) -> list[tuple[Any, ...]]:
        return [call[1:] for call in self.calls if call[0] == method]


def tracked(monkeypatch: pytest.MonkeyPatch, kept: Tracker | None, name: str, *words: str, **more) -> RunFolder:
    """A run with this tracker."""
    monkeypatch.setattr("nnlab.experiment.run.build_tracker", lambda config: kept)
    return train(name, *words, **more)


def flat(folder: RunFolder) -> dict[tuple[str, int], float]:
    """Every metric of metrics.jsonl, by SPLIT/NAME and step."""
    about = ("step", "epoch", "split", "n", "checkpoint_step")
    return {
        (f"{record['split']}/{name}", record["step"]): value
        for record in folder.read_metrics()
        for name, value in record.items()
        if name not in about and isinstance(value, float | int)
    }


def test_a_tracker_gets_what_the_run_records_and_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    alone, beside = train("alone", *WORDS), tracked(monkeypatch, kept, "beside", *WORDS)
    assert same_bits(weights(alone), weights(beside))
    assert alone.metrics.read_bytes() == beside.metrics.read_bytes()
    ((facts, identity),) = kept.of("start")
    assert identity is None
    assert facts.parameters["optimizer.lr"] == beside.read_config()["optimizer"]["lr"]
    assert facts.parameters["model.latent_dim"] == 4
    assert "model:" in facts.config
    given = {(name, step): value for values, step in kept.of("metrics") for name, value in values.items()}
    best = {(f"best/{name}", beside.read_summary()["best_step"]): v for name, v in beside.read_status()["best"].items()}
    assert best
    assert {key: flat(beside)[key] for key in given.keys() - best.keys()} == {
        key: value for key, value in given.items() if key not in best
    }
    assert {"train/loss", "validation/loss", "test/loss"} <= {name for name, _ in given}
    assert {key: given[key] for key in best} == best
    assert kept.of("finish") == [("completed",)]
    assert json.loads((beside.path / tracker.IDENTITY).read_text()) == {"Kept": "abc-1"}
    assert not (alone.path / tracker.IDENTITY).exists()


def test_pictures_and_remarks_are_told_with_their_step(tmp_path: Path) -> None:
    kept, folder = Kept(), RunFolder(tmp_path)
    recorder = Recorder(folder, kept)
    picture = np.zeros((4, 4, 3), np.uint8)
    recorder.pictures({"sample": picture}, step=7, epoch=1.0, titles=False)
    recorder.text("remarks", "a\x1b[31mline", step=8)
    recorder.close()
    ((name, seen, png, step),) = kept.of("picture")
    assert (name, step) == ("sample", 7)
    assert np.array_equal(seen, picture)
    assert png.startswith(b"\x89PNG")
    assert kept.of("text") == [("remarks", "a\\x1b[31mline", 8)]


@pytest.mark.parametrize("method", ["start", "metrics", "finish"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SystemExit(1), RuntimeError("x" * 9000)])
def test_a_tracker_that_fails_is_told_once_and_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], method: str, error: BaseException
) -> None:
    kept = Kept(method, error)
    run = tracked(monkeypatch, kept, "run", *WORDS, pictures=False)
    assert run.read_status()["status"] == "completed"
    assert len(kept.of(method)) == 1, "nothing more is asked of it"
    assert kept.calls[-1][0] == method
    said = capsys.readouterr().out
    assert said.count("Kept failed: ") == said.count("the run goes on without Kept") == 1
    assert max(map(len, said.splitlines())) < 800
    assert flat(run), "its own files are whole"


def test_training_waits_for_no_tracker(tmp_path: Path) -> None:
    gate = threading.Event()
    kept, folder = Kept(gate=gate), RunFolder(tmp_path)
    recorder = Recorder(folder, kept)
    recorder.start(RunFacts(tmp_path, tmp_path))
    for step in range(20):
        recorder.metrics("train", {"loss": 1.0}, step=step, epoch=0.0)
    recorder.drain()
    assert len(folder.read_metrics()) == 20
    assert not kept.calls
    gate.set()
    recorder.close()
    assert [step for _, step in kept.of("metrics")] == list(range(20)), "nothing is lost, in order"


def test_a_run_that_ends_tells_what_it_waits_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tracker, "PATIENCE", 0.05)
    gate, said = threading.Event(), []

    def tell(line: str) -> None:
        said.append(line)
        gate.set()

    recorder = Recorder(RunFolder(tmp_path), Kept(gate=gate), tell)
    recorder.start(RunFacts(tmp_path, tmp_path))
    recorder.close()
    assert said == ["waiting for Kept, which still takes the results …"]


def test_a_run_that_goes_on_is_the_same_run_of_its_tracker(monkeypatch: pytest.MonkeyPatch, nnlab) -> None:
    first, second = Kept(), Kept()
    tracked(monkeypatch, first, "run", *WORDS, pictures=False)
    monkeypatch.setattr("nnlab.experiment.run.build_tracker", lambda config: second)
    status, _, error = nnlab("resume", "run", "trainer.epochs=3")
    assert status == 0, error
    ((facts, identity),) = second.of("start")
    assert identity == "abc-1"
    assert {"train/loss", "validation/loss"} <= set(facts.recorded)
    steps = [step for values, step in second.of("metrics") if "train/loss" in values]
    assert min(steps) > max(step for values, step in first.of("metrics") if "train/loss" in values)


@pytest.mark.parametrize("status", ["diverged", "interrupted"])
def test_the_end_of_a_run_is_told_as_it_was(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    kept = Kept()
    words = [*WORDS, "optimizer.lr=1e30"] if status == "diverged" else WORDS
    if status == "interrupted":
        monkeypatch.setattr("nnlab.training.loop.Loop.evaluate", interrupt)
    with pytest.raises(BaseException):  # noqa: B017, PT011 (a second Ctrl-C is no Exception)
        tracked(monkeypatch, kept, "run", *words, pictures=False)
    assert RunFolder(Path("run")).read_status()["status"] == status
    assert kept.of("finish") == [(status,)]


def interrupt(self) -> bool:
    raise KeyboardInterrupt


@pytest.mark.parametrize("stored", ['{"Kept": "../../etc"}', '{"Kept": 3}', '["Kept"]', "{", '{"Kept": ""}', '{"other": "a"}'])
def test_a_file_that_names_no_run_is_as_none(stored: str, tmp_path: Path) -> None:
    (tmp_path / tracker.IDENTITY).write_text(stored)
    assert known(tmp_path / tracker.IDENTITY, "Kept") is None


def test_the_identity_is_written_through_no_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / tracker.IDENTITY).symlink_to(tmp_path / "elsewhere")
    detached = Detached(Kept(), "Kept", print)
    detached.start(RunFacts(tmp_path, tmp_path))
    detached.close()
    assert (tmp_path / "elsewhere").read_text() == "mine"


def test_a_missing_package_is_answered_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch, nnlab) -> None:
    with pytest.raises(BadInput, match=r"pip install 'nnlab\[mlflow\]'"):
        require("recorder=mlflow", "mlflow", "json", "no_such_package")
    require("recorder=mlflow", "mlflow", "json")
    monkeypatch.setattr("nnlab.extras.installed", lambda module: False)
    for name in ("mlflow", "wandb"):
        status, _, error = nnlab("train", f"recorder={name}")
        assert status == 2
        assert f"pip install 'nnlab[{name}]'" in error
    assert not Path("outputs").exists()


def test_a_folder_of_that_name_is_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("some_tracker").mkdir()
    monkeypatch.setattr(sys, "path", [str(Path.cwd()), *sys.path])
    assert not installed("some_tracker")
    assert not installed("some_package_that_nobody_has")
    assert installed("numpy")


def test_a_job_is_called_by_its_number_and_what_tells_it_apart(tmp_path: Path) -> None:
    sweep = tmp_path / "sweeps" / "a"
    sweep.mkdir(parents=True)
    jobs = [["model=vae", "seed=1", "optimizer.lr=0.1"], ["model=vae", "seed=2", "optimizer.lr=0.1"]]
    (sweep / PLAN).write_text(json.dumps({"jobs": jobs}))
    assert name_of(sweep / "1", tmp_path) == ("1 seed=2", "sweeps/a")
    assert name_of(sweep / "2", tmp_path) == ("sweeps/a/2", "")
    assert name_of(tmp_path / "vae" / "digits" / "now", tmp_path) == ("vae/digits/now", "")
    assert name_of(Path("/elsewhere/runs/now"), tmp_path) == ("runs/now", "")


def test_every_end_of_a_run_has_a_word_in_each_tracker() -> None:
    """A run that `nnlab search` prunes has ended, too; an interrupted one may go on, which TensorBoard shows as no end."""
    ends = set(STATES) - {"running"}
    assert mlflow.ENDED.keys() == ends
    assert events.ENDED.keys() == ends - {"interrupted"}
