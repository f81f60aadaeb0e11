"""Who may write into a folder: one process, or several of the same search. No torch."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nnlab.errors import BadInput
from nnlab.runs.files import appending

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK = ".lock"


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
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):  # else a file system without locks
                    raise BadInput(f"{path}: another process is training here; wait for it, or stop it first") from error
        yield
