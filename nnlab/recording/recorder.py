"""Where the results of a run go: metrics.jsonl, images/, TensorBoard and a tracker, under the same names everywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from nnlab.errors import printable
from nnlab.plotting.picture import headed, png, save
from nnlab.recording.events import EventFile
from nnlab.recording.tracker import Detached, RunFacts, Tracker
from nnlab.recording.writer import BackgroundWriter
from nnlab.runs.files import appending, own
from nnlab.runs.folder import RunFolder, picture_facts
from nnlab.runs.text_formats import as_record


def named(split: str, stage: str = "") -> str:
    """What stands before the name of a figure: validation/, or of a stage that is not the last validation/layer_1/."""
    return f"{split}/{stage}/" if stage else f"{split}/"


def whole_lines(path: Path, length: int) -> int:
    """Bytes of the records at the beginning of metrics.jsonl, at most `length`, up to the first line that is damaged.

    A crash of the machine may leave half a line, and an edited file no longer has its records where they were.
    """
    end = 0
    with path.open("rb") as file:
        for line in file:
            if end + len(line) > length or not line.endswith(b"\n") or not as_record(line):
                break
            end += len(line)
    return end


class Recorder:
    """Appends to the files of a run folder, in a thread and in order.

    `file_offsets` and `truncate_to` let a resumed run go on where its checkpoint was.

    tracker  takes the same results, in a thread of its own
    tell     shows a line to the user, if the tracker fails
    """

    def __init__(self, folder: RunFolder, tracker: Tracker | None = None, tell: Callable[[str], None] = print) -> None:
        self.folder = folder
        self.events = EventFile(folder.path)
        self.tracker = Detached(tracker, type(tracker).__name__, tell) if tracker else None
        self.trackers: list[Tracker] = [
            *([self.tracker] if self.tracker else []),
            self.events,
        ]  # a full disk fails the last alone
        self.begun = False
        self._metrics = appending(folder.metrics)
        self._metrics.seek(0, os.SEEK_END)
        self._writer = BackgroundWriter()

    def post(self, job: Callable[[], None], replaces: str | None = None) -> None:
        """Run a job after all earlier writes; see `BackgroundWriter.post`."""
        self._writer.post(job, replaces)

    def drain(self) -> None:
        """Wait until everything is written. Raises the error of a failed job."""
        self._writer.drain()

    def start(self, facts: RunFacts) -> None:
        """Tell TensorBoard and the tracker of the run, before anything is recorded."""
        self.begun = True
        self.post(lambda: self._each(lambda tracker: tracker.start(facts, None)))

    def finish(self, status: str, best: dict[str, float], step: int) -> None:
        """Tell them, if they know of the run, how it has ended, and its best metric, by SPLIT/NAME, of a step's weights."""
        if not self.begun:
            return
        named = {f"best/{name}": value for name, value in best.items()}
        self.post(lambda: self._each(lambda tracker: (tracker.metrics(named, step), tracker.finish(status))))

    def _each(self, call: Callable[[Tracker], object]) -> None:
        for tracker in self.trackers:
            call(tracker)
        self.events.flush()

    def metrics(self, split: str, values: dict[str, float], *, stage: str = "", step: int, epoch: float, **metadata) -> None:
        """Write a line of metrics.jsonl, and each value as `split/name` into TensorBoard and the tracker."""
        own = {"stage": stage} if stage else {}
        record = {"step": step, "epoch": round(epoch, 4), "split": split, **own, **metadata, **values}
        line = (json.dumps(record, allow_nan=False) + "\n").encode()
        self.post(partial(self._write_metrics, line, {named(split, stage) + name: v for name, v in values.items()}, step))

    def _write_metrics(self, line: bytes, scalars: dict[str, float], step: int) -> None:
        self._metrics.write(line)
        self._metrics.flush()
        self._each(lambda tracker: tracker.metrics(scalars, step))

    def pictures(self, named: dict[str, np.ndarray], *, step: int, epoch: float, titles: bool = True) -> None:
        """Into TensorBoard and the tracker, and as images/NAME.png the newest; under a title, unless told otherwise.

        step, epoch  of the weights that the pictures are of
        """
        for name, picture in named.items():
            self.post(partial(self._write_picture, name, picture, step, epoch, titles))

    def _write_picture(self, name: str, picture: np.ndarray, step: int, epoch: float, titles: bool) -> None:
        title = self.folder.title()
        shown = headed(picture, title, f"epoch {epoch:.4g}" if epoch else "") if titles else picture
        save(shown, own(self.folder.images) / f"{name}.png", metadata=picture_facts(self.folder, title, step))
        content = png(shown)  # which does not depend on where the run is
        self._each(lambda tracker: tracker.picture(name, shown, content, step))

    def text(self, name: str, text: str, *, step: int = 0) -> None:
        """A remark for TensorBoard and the tracker, made harmless line by line."""
        harmless = "\n".join(map(printable, text.split("\n")))
        self.post(lambda: self._each(lambda tracker: tracker.text(name, harmless, step)))

    def file_offsets(self) -> dict[str, int]:
        """Of the files, in bytes, with all that was asked for before: in a job, before that job."""
        if not self._writer.works_here():
            self.drain()
        self._metrics.flush()
        return {"metrics": self._metrics.tell(), "events": self.events.length()}

    def truncate_to(self, lengths: dict[str, int]) -> list[str]:
        """Remove everything after a checkpoint that recorded these lengths. Returns the files that were shorter."""
        now = self.file_offsets()
        os.ftruncate(self._metrics.fileno(), whole_lines(self.folder.metrics, lengths["metrics"]))
        self._metrics.seek(0, os.SEEK_END)
        self.events.truncate_to(lengths["events"])
        names = {"metrics": self.folder.metrics.name, "events": self.events.path.name}
        return [name for key, name in names.items() if now[key] < lengths[key]]

    def close(self) -> None:
        """Write all that was asked for, and close the files, even if the writing failed."""
        with ExitStack() as stack:  # the last one first, and each even if one before it fails
            if self.tracker:
                stack.callback(self.tracker.close)
            stack.callback(self.events.close)
            stack.callback(self._metrics.close)
            stack.callback(self._writer.close)
