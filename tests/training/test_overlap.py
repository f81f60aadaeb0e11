"""Records made while the device goes on, checkpoints written by a thread: the same files as without."""

from __future__ import annotations

import threading

import pytest
import torch
from conftest import train

from nnlab.checkpoints import checkpoint
from nnlab.checkpoints.snapshot import snapshot
from nnlab.training.loop import Loop
from nnlab.training.options import Cadences, UpdateOptions

SHORT = ["model=vae", "data=digits", "data.limit=300", "trainer.batch_size=20", "trainer.epochs=3", "trainer.log_every=4 steps"]


def ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: records of the training terms are made one event late."""
    before = Loop.__init__

    def init(self, *args) -> None:
        before(self, *args)
        self.runs_ahead = True

    monkeypatch.setattr(Loop, "__init__", init)


def timeless(records: list[dict]) -> list[dict]:
    return [{key: value for key, value in record.items() if key != "time"} for record in records]


@pytest.mark.parametrize("evaluate", ["1 epoch", "7 steps"])
def test_a_late_record_is_the_record(monkeypatch, evaluate):
    at_once = train("at_once", *SHORT, f"trainer.evaluate_every={evaluate}")
    ahead(monkeypatch)
    late = train("late", *SHORT, f"trainer.evaluate_every={evaluate}")
    assert timeless(late.read_metrics()) == timeless(at_once.read_metrics())
    assert late.read_summary()["final"] == at_once.read_summary()["final"]


def test_a_value_that_is_not_finite_is_found_in_its_update_though_late(monkeypatch):
    from nnlab.training.diagnosis import Diverged

    messages = []
    for name in ("at_once", "late"):
        if name == "late":
            ahead(monkeypatch)
        with pytest.raises(Diverged) as error:
            train(name, *SHORT, "optimizer=sgd", "optimizer.lr=1e9")
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_a_snapshot_is_of_the_moment(tmp_path):
    weights = {"a": torch.zeros(3), "nested": [{"b": torch.ones(2)}, 4, "text"]}
    taken = snapshot(weights, torch.device("cpu"))
    weights["a"].fill_(7)
    weights["nested"][0]["b"].fill_(7)
    found = taken()
    assert found["a"].eq(0).all()
    assert found["nested"][0]["b"].eq(1).all()
    assert found["nested"][1:] == [4, "text"]


def test_training_goes_on_while_a_checkpoint_is_written_and_the_checkpoint_is_of_its_own_step(monkeypatch):
    """A disk so slow that all of the run is over before the first checkpoint is written."""
    over, save, steps = threading.Event(), checkpoint.save, []
    run = Loop.run

    def slow(state: dict, path) -> None:
        assert over.wait(60)
        steps.append(state["progress"]["step"])
        weights = state["trainer"]["optimizer"][""]["state"][0]["step"] if state["trainer"]["optimizer"][""]["state"] else 0
        assert weights == steps[-1]  # Adam's count of steps: the state is of one moment
        save(state, path)

    def walk(self) -> str:
        drain, self.recorder.drain = self.recorder.drain, lambda: None
        try:
            status = run(self)
        finally:
            self.recorder.drain = drain
            over.set()
        self.recorder.drain()
        return status

    monkeypatch.setattr(checkpoint, "save", slow)
    monkeypatch.setattr(Loop, "run", walk)
    folder = train("slow", *SHORT)
    assert steps[0] == 0
    assert sorted(set(steps)) == [0, folder.read_metrics()[-1]["step"]]  # of those that waited the newest were written
    assert folder.read_status()["status"] == "completed"


def test_cadences_know_when_a_record_is_all_that_is_due():
    looks = {"evaluate_every": "20 steps", "show_every": "never", "save_every": "never"}
    options = UpdateOptions(epochs=2, log_every="5 steps", **looks)
    every = Cadences(options, steps_per_epoch=50)
    assert [step for step in range(1, 61) if every.due(every.log, step, 60) and every.only_log(step, 60)] == [
        5, 10, 15, 25, 30, 35, 45, 55
    ]  # fmt: skip
    assert [every.next(step, 60) for step in (0, 5, 48, 59)] == [5, 10, 50, 60]
