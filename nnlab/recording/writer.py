"""A thread that writes files while the run goes on."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

Job = Callable[[], None]


class BackgroundWriter:
    """Runs jobs one after another, in order.

    An error in a job is raised by the next call of any method, in the thread that calls it; jobs after it are not done.
    """

    def __init__(self) -> None:
        self._jobs: deque[tuple[Job, str | None]] = deque()
        self._changed = threading.Condition()
        self._busy = self._closed = False
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def post(self, job: Job, replaces: str | None = None) -> None:
        """Add a job. A waiting job with the same name in `replaces` is dropped: only the newer state is written."""
        with self._changed:
            self._raise()
            if replaces is not None:
                self._jobs = deque(waiting for waiting in self._jobs if waiting[1] != replaces)
            self._jobs.append((job, replaces))
            self._changed.notify_all()
        if self._thread is None:
            # no daemon: at the end of the process Python waits for it, so that nothing is lost
            self._thread = threading.Thread(target=self._work, name="nnlab writer")
            self._thread.start()

    def drain(self) -> None:
        """Wait until everything is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._error or not (self._jobs or self._busy))
            self._raise()

    def close(self) -> None:
        """Wait until everything is done, and end the thread."""
        try:
            self.drain()
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            if self._thread is not None:
                self._thread.join()
                self._thread = None

    def works_here(self) -> bool:
        """Whether this is called from a job."""
        return threading.current_thread() is self._thread

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._closed)
                if not self._jobs:
                    return
                job, _ = self._jobs.popleft()
                self._busy = True
            try:
                job()
            except BaseException as error:
                with self._changed:
                    self._error = error
                    self._jobs.clear()
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
