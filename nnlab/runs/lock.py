"""Who may write into a folder: one process, or several that share a search or the rest of a sweep. No torch."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nnlab.errors import BadInput
from nnlab.runs.files import appending

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK, JOBS = ".lock", ".jobs"
TAKEN = (errno.EWOULDBLOCK, errno.EACCES)  # by another process; other errors are of a file system without locks


@contextmanager
def locked(path: Path, shared: bool = False) -> Iterator[None]:
    """Lock a folder for this process, or with the others that `shared` it. The system ends a lock with its process.

    Raises BadInput if another process has it, and OSError if the folder cannot be written.
    """
    with appending(path / LOCK) as file:
        if fcntl:
            try:
                fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in TAKEN:
                    raise BadInput(f"{path}: another process is training here; wait for it, or stop it first") from error
        yield


@contextmanager
def sharing(sweep: Path) -> Iterator[Callable[[int], bool]]:
    """A function that takes a job of a sweep by its number: whether this process has it now, and no other one.

    Each job is a byte of a file, which a process locks until it is done with the sweep. Raises OSError.
    """
    with appending(sweep / JOBS) as file:

        def take(number: int) -> bool:
            try:
                if fcntl:
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
            except OSError as error:
                return error.errno not in TAKEN
            return True

        yield take
