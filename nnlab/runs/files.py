"""Writing files: never through a link, and never half a file, also after a kill. No torch.

A run folder from somebody else may have links under the names that nnlab writes. So every file that nnlab writes is a new
one (`creating`), usually under a temporary name and then renamed (`replacing`, `write_whole`, `copy`), or it is opened for
appending without following a link (`appending`). Its folder must not be a link (`own`).
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has neither
NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # a named pipe without a reader would block for ever
BINARY = getattr(os, "O_BINARY", 0)
CHUNK = 2**20  # bytes that are read at once of a file that grows meanwhile
LONGEST = 200  # characters of a file's name
TEMPORARY = ".tmp"
ABANDONED = 3600.0  # seconds after which nobody is still writing a temporary file


def harmless(name: str) -> str:
    """A file's name out of a text from elsewhere: not hidden, no option of a command, nothing to a shell or a terminal."""
    name = re.sub(r"[^\w .,+=@~-]", "_", name)[:LONGEST]
    return f"_{name}" if name.startswith((".", "-", "~", " ")) or not name else name


def creating(path: Path) -> IO[bytes]:
    """A new file to write into. Raises OSError if there is anything of that name, be it a link that leads nowhere."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | BINARY, 0o666), "wb")


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file to write into, which takes the place of `path` when all is written and flushed to the disk.

    If something fails, what was there before stays. A link at `path` is replaced, not followed. Raises OSError.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    made = creating(beside)
    try:
        with made as file:
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
        file.write(content.encode(errors="backslashreplace") if isinstance(content, str) else content)


def appending(path: Path) -> IO[bytes]:
    """A file to append to, created if absent. Raises OSError if it is a link, a pipe, a device or a folder.

    A file that has a second name elsewhere (a hard link) is first replaced by a copy, so that only this name changes.
    """
    with suppress(FileNotFoundError):
        facts = os.lstat(path)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.ELOOP, "not a regular file: nnlab writes into no link, pipe or device", str(path))
        if facts.st_nlink > 1:
            write_whole(path, path.read_bytes())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | NO_FOLLOW | NO_WAIT | BINARY, 0o666)
    return os.fdopen(descriptor, "ab")


def opened(path: Path) -> IO[bytes]:
    """A file to read from. Raises OSError if it is a link, a pipe or a device."""
    return os.fdopen(descriptor(path)[0], "rb")


def descriptor(path: Path) -> tuple[int, int]:
    """The descriptor of a file to read from, and its size in bytes. Raises OSError if it is a link, a pipe or a device."""
    number = os.open(path, os.O_RDONLY | NO_FOLLOW | NO_WAIT | BINARY)
    facts = os.fstat(number)
    if not stat.S_ISREG(facts.st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return number, facts.st_size


def read(path: Path, most: int) -> bytes:
    """The content of a file of at most `most` bytes. Raises OSError if it is longer, a link, a pipe or a device."""
    number, size = descriptor(path)
    try:
        if size > most:
            raise OSError(errno.EFBIG, f"longer than {most:,} bytes", str(path))
        content = os.read(number, size + 1)  # without a file object: thousands of small files are read in a second
        while part := os.read(number, CHUNK):
            content += part
        return content
    finally:
        os.close(number)


def beginning(path: Path, most: int) -> bytes:
    """The first `most` bytes of a file. Raises OSError if it is a link, a pipe or a device."""
    with opened(path) as file:
        return file.read(most)


def copy(source: Path, path: Path) -> None:
    """Write `path` whole, with what stands in `source`. Raises OSError, also where that is a link."""
    with os.fdopen(os.open(source, os.O_RDONLY | NO_FOLLOW | NO_WAIT | BINARY), "rb") as file, replacing(path) as made:
        shutil.copyfileobj(file, made)


def own(folder: Path) -> Path:
    """A folder that nnlab writes into, made if absent. Raises OSError if it is a link, which may lead anywhere."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "is a link: nnlab writes into no folder that is one", str(folder))
    return folder


def flush(folder: Path) -> None:
    """See to it that the names in a folder are on the disk, where the file system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def clear(folder: Path, at_once: bool = False) -> None:
    """Remove the temporary files that a kill has left in a folder: those that nobody has touched for an hour, or all."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            if entry.name.startswith(".") and entry.name.endswith(TEMPORARY):
                age = time.time() - entry.stat(follow_symlinks=False).st_mtime
                if at_once or age > ABANDONED:
                    os.unlink(entry.path)


@contextmanager
def all_or_none(folder: Path) -> Iterator[Path]:
    """A folder to write into, whose files become those of `folder` at the end; if anything fails, none is left."""
    place = folder.absolute()
    near = next(parent for parent in (place, *place.parents) if parent.exists())  # where moving a file copies nothing
    with tempfile.TemporaryDirectory(dir=near, prefix=".nnlab-") as made:
        yield Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        for each in sorted(Path(made).iterdir()):
            os.replace(each, folder / each.name)
