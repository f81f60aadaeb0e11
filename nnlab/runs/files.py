"""Writing files: never through a link, and so that a reader (or a kill) never meets half a file. No torch.

A run folder may come from a stranger, who may have put links there under the names that nnlab writes. Every file that
nnlab writes is therefore either a new one that nnlab created beside and renamed (`replacing`, `write_whole`), or one that
was opened for appending without following a link (`appending`).
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has neither
NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # a named pipe without a reader would block for ever
BINARY = getattr(os, "O_BINARY", 0)
TEMPORARY = ".tmp"


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file to write into, which takes the place of `path` when all is written and flushed to the disk.

    If something fails, what was there before stays. A link at `path` is replaced, not followed. Raises OSError.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | BINARY, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file in one go. Text is UTF-8. Raises OSError."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def appending(path: Path) -> IO[bytes]:
    """A file to append to, created if absent. Raises OSError if it is a link, a pipe, a device or a folder.

    A file that has a second name elsewhere (a hard link) is first replaced by a copy, so that only this name changes.
    """
    with suppress(FileNotFoundError):
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.ELOOP, "not a regular file: nnlab writes into no link, pipe or device", str(path))
        if found.st_nlink > 1:
            write_whole(path, path.read_bytes())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | NO_FOLLOW | NO_WAIT | BINARY, 0o666)
    return os.fdopen(descriptor, "ab")
