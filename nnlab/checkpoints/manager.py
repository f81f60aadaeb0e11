"""Which checkpoints a run keeps: the last, the best, the best of each stage, and those of certain steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from nnlab.checkpoints import checkpoint
from nnlab.recording.recorder import Recorder
from nnlab.runs.files import copy, own
from nnlab.runs.folder import RunFolder


class CheckpointManager:
    """The checkpoints of a run folder, written by the recorder's thread and read when that has written all."""

    def __init__(self, folder: RunFolder, recorder: Recorder) -> None:
        self.folder, self.recorder = folder, recorder
        self.path = folder.checkpoints

    def save(self, name: str, state: Callable[[], dict], status: dict) -> None:
        """Write the state that `state()` brings from the device, and then the facts for status.json.

        One of the same name that still waits to be written is dropped for it: a disk may be slower than an epoch.
        """
        self.recorder.post(partial(self._write, name, state, status), replaces=name)

    def _write(self, name: str, state: Callable[[], dict], status: dict) -> None:
        # in the thread, the files are as long now as when the state was taken
        checkpoint.save({**state(), "lengths": self.recorder.file_offsets()}, self.path / f"{name}.pt")
        self.folder.write_status("running", **status)

    def best(self) -> dict | None:
        """The state with the best monitored figure of this stage."""
        self.recorder.drain()
        return checkpoint.load(self.path, "best") if (self.path / "best.pt").exists() else None

    def close_stage(self, stage: str) -> dict | None:
        """The best state of a stage, which stays as best-STAGE.pt while the next one has a best of its own.

        None if it is gone: a kill between the best of a later step and the next last.pt leaves neither that nor the one before.
        """
        self.recorder.drain()
        best, kept = self.path / "best.pt", self._of(stage)
        if best.exists():
            best.replace(kept)
        return checkpoint.load(self.path, kept.stem) if kept.exists() else None

    def begin_from(self, state: dict) -> None:
        """Make a checkpoint that a run goes back to its last one."""
        last = self.path / "last.pt"
        if not last.exists() or checkpoint.step_of(last) != state["progress"]["step"]:
            trainer = {key: value for key, value in state["trainer"].items() if key != "judge"}
            checkpoint.save({**{key: value for key, value in state.items() if key != "format"}, "trainer": trainer}, last)

    def delete_after(self, step: int, stage: str, best_step: int) -> None:
        """Remove what was saved after a step that a run goes back to, and bring back the best that it knew then."""
        for path in own(self.path).glob("*.pt"):
            number = path.stem.removeprefix("step-")
            if number.isdigit() and int(number) > step:
                path.unlink()
        best, kept = self.path / "best.pt", self._of(stage)
        if best.exists() and checkpoint.step_of(best) != best_step:
            best.unlink()
        if not best.exists() and kept.exists() and checkpoint.step_of(kept) == best_step:
            copy(kept, best)

    def _of(self, stage: str) -> Path:
        return self.path / f"best-{stage}.pt"
