"""The output of a run: a progress bar on a terminal, plain lines in a pipe; train.log always gets the lines."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from nnlab.errors import printable
from nnlab.recording.patience import after_a_while
from nnlab.runs.files import appending


class Console:
    """Lines, and between them the state of the run.

    Lines are never wrapped, so that paths can be copied. If quiet, it writes only into train.log.

    outer  the console of a run for which this one is made, as a judge is: it shows the epochs of this one, and no other line
    """

    def __init__(
        self,
        log: Path | None = None,
        terminal: bool | None = None,
        quiet: bool = False,
        stream: TextIO | None = None,
        outer: Console | None = None,
    ) -> None:
        self._stream = stream
        self._quiet = quiet or outer is not None
        self._outer = outer
        self._log = appending(log) if log else None
        self._bar = None
        self._terminal = (stream or sys.stdout).isatty() if terminal is None else terminal

    def log(self, text: str) -> None:
        """Write only into train.log."""
        if self._log:
            self._log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {printable(text)}\n".encode())
            self._log.flush()

    def line(self, text: str) -> None:
        """Print one line; line breaks and control characters are shown escaped."""
        self.log(text)
        self.say(text)

    def row(self, text: str) -> None:
        """Print a row of the table of epochs, as a line."""
        self.log(text)
        (self._outer or self).say(text)

    def say(self, text: str) -> None:
        """The same, but not into train.log."""
        text = printable(text)
        if self._quiet:
            return
        try:
            if self._bar:
                self._bar.console.print(text, soft_wrap=True, highlight=False, markup=False)
            else:
                print(text, flush=True, file=self._stream)
        except BrokenPipeError:  # the reader has gone, as in `nnlab train … | head`; the run goes on, train.log has the lines
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def start(self, total: int, done: int) -> None:
        """Start the progress bar of a run of `total` updates."""
        if self._outer:
            self._outer.start(total, done)
        if not self._terminal or self._quiet:
            return
        import rich.console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TaskProgressColumn())
        shown_on = rich.console.Console(file=self._stream)
        self._bar = Progress(*columns, TextColumn("{task.fields[text]}"), console=shown_on, transient=True)
        self._task = self._bar.add_task("epoch", total=total, completed=done, text="")
        self._bar.start()

    def progress(self, step: int, epoch: str, text: str) -> None:
        """Move the bar to a step: the epoch is before it, the metrics are after it."""
        if self._outer:
            self._outer.progress(step, epoch, text)
        if self._bar:
            self._bar.update(self._task, completed=step, description=f"epoch {epoch}", text=text)

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show the current work: after the bar at once, else as a line if it takes long."""
        if self._outer:
            with self._outer.waiting(text):
                yield
        elif self._bar:
            self._bar.update(self._task, text=f"{text} …")
            yield
        else:
            with after_a_while(lambda: self.say(f"{text} …")):
                yield

    def stop(self) -> None:
        """Remove the line that shows the state of the run."""
        if self._outer:
            self._outer.stop()
        if self._bar:
            self._bar.stop()
            self._bar = None

    @contextmanager
    def noting(self, kind: type[Exception]) -> Iterator[None]:
        """Errors of this kind, which the command line will show, go into train.log as well."""
        try:
            yield
        except kind as error:
            self.log(str(error))
            raise

    def close(self) -> None:
        """Remove the state of the run and close train.log."""
        self.stop()
        if self._log:
            self._log.close()
            self._log = None
