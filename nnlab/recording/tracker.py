"""What keeps the results of a run: TensorBoard's event file always, and beside it a tracker such as MLflow, if one is chosen.

A tracker of one's own is a subclass of `Tracker` and a YAML in configs/recorder that names it.
"""

from __future__ import annotations

import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from nnlab.errors import one_line, printable
from nnlab.recording.writer import BackgroundWriter
from nnlab.runs.files import write_whole
from nnlab.runs.text_formats import as_json, read_json

IDENTITY = "tracker.json"  # of a run folder: which run of the tracker it is
KNOWN = re.compile(r"[\w-]{1,64}")  # ids as the trackers give them; the file may come from a stranger
LONGEST = 300  # characters of a tracker's reason
PATIENCE = 10.0  # seconds after the end of a run, from which on a line tells that its tracker still works


@dataclass(frozen=True)
class RunFacts:
    """What a tracker is told of a run.

    folder      of the run
    outputs     the folder of all runs, where a tracker keeps what is no run
    name        of the run: the number of a job of a sweep and what tells it apart; else its folder, below `outputs`
    sweep       the folder of its sweep, below `outputs`; empty without one
    config      the whole config, as YAML
    parameters  what runs are compared by, under flat names such as optimizer.lr
    about       short texts: model, data, command, commit, …
    tags, note  the user's own words
    scheduled   names of numbers that a schedule changes, such as lr
    judged      names of the judge's figures
    recorded    what is recorded already, under names such as validation/loss: of a run that goes on
    """

    folder: Path
    outputs: Path
    name: str = ""
    sweep: str = ""
    config: str = ""
    parameters: Mapping[str, float | str | bool] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    note: str = ""
    scheduled: frozenset[str] = frozenset()
    judged: frozenset[str] = frozenset()
    recorded: tuple[str, ...] = ()


class Tracker(ABC):
    """Takes the results of one run. Its constructor only checks what was typed; `start` opens what it writes into."""

    @abstractmethod
    def start(self, facts: RunFacts, identity: str | None) -> str | None:
        """Begin a run, or go on with the one of this identity. Returns the identity to go on with, None if it needs none."""

    @abstractmethod
    def metrics(self, values: dict[str, float], step: int) -> None:
        """Metrics of a step, each under its name, such as validation/loss."""

    @abstractmethod
    def picture(self, name: str, picture: np.ndarray, png: bytes, step: int) -> None:
        """A picture (H, W, 3) uint8 of the weights of a step; `png` is the same, encoded, with all frames of an animation."""

    @abstractmethod
    def text(self, name: str, text: str, step: int) -> None:
        """A remark about a step."""

    @abstractmethod
    def finish(self, status: str) -> None:
        """The run has ended with a status of status.json: completed, interrupted, diverged or failed. It may go on later."""


class Detached(Tracker):
    """A tracker in a thread of its own, without which the run goes on.

    Servers are slow, and may be gone: training waits for none of the calls, and the first failure is told and is the last.

    name  of the tracker, for messages
    tell  shows a line to the user
    """

    def __init__(self, tracker: Tracker, name: str, tell: Callable[[str], None]) -> None:
        self.tracker, self.name, self.tell = tracker, name, tell
        self._writer = BackgroundWriter()
        self._failed = False

    def start(self, facts: RunFacts, identity: str | None = None) -> None:
        """The identity is kept in the run folder, and read from there."""
        self._post(partial(self._start, facts))

    def _start(self, facts: RunFacts) -> None:
        path = facts.folder / IDENTITY
        identity = self.tracker.start(facts, known(path, self.name))
        if identity and identity != known(path, self.name):
            write_whole(path, as_json({self.name: identity}))

    def metrics(self, values: dict[str, float], step: int) -> None:
        self._post(partial(self.tracker.metrics, values, step))

    def picture(self, name: str, picture: np.ndarray, png: bytes, step: int) -> None:
        self._post(partial(self.tracker.picture, name, picture, png, step))

    def text(self, name: str, text: str, step: int) -> None:
        self._post(partial(self.tracker.text, name, text, step))

    def finish(self, status: str) -> None:
        self._post(partial(self.tracker.finish, status))

    def close(self) -> None:
        """Wait until the tracker has taken everything; a line tells what is waited for, if that takes long."""
        patience = threading.Timer(PATIENCE, lambda: self.tell(f"waiting for {self.name}, which still takes the results …"))
        patience.daemon = True
        patience.start()
        try:
            self._writer.close()
        finally:
            patience.cancel()

    def _post(self, call: Callable[[], object]) -> None:
        if not self._failed:
            self._writer.post(partial(self._try, call))

    def _try(self, call: Callable[[], object]) -> None:
        if self._failed:
            return
        try:
            call()
        except BaseException as error:  # whatever a library of somebody else raises, also when it asks Python to exit
            self._failed = True
            reason = printable(one_line(error))[:LONGEST] or type(error).__name__
            self.tell(f"{self.name} failed: {reason}")
            self.tell(f"the run goes on without {self.name}; its folder and TensorBoard have everything")


def known(path: Path, name: str) -> str | None:
    """The identity of a run in the tracker of this name, from the run folder's file; None if there is none that can be one."""
    stored = read_json(path)
    identity = stored.get(name) if isinstance(stored, dict) else None
    return identity if isinstance(identity, str) and KNOWN.fullmatch(identity) else None
