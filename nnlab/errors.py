"""What can be expected to go wrong. `cli` shows each of these as a short message; anything else is a bug with a traceback."""

from __future__ import annotations

import errno
from pathlib import Path


class NnlabError(Exception):
    """Base of the expected errors; `status` is the exit status of the command."""

    status = 1


class BadInput(NnlabError):
    """A usage, a config or a file that cannot be used. Holds every problem found, each naming its place and remedy."""

    status = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

    def __reduce__(self):  # a launcher may carry it between processes
        return type(self), self.problems


class RunFailed(NnlabError):
    """The run started and could not go on: it diverged, the disk is full, …"""


class Interrupted(NnlabError):
    """Ctrl-C or SIGTERM; the run was saved."""

    status = 130


def printable(text: object) -> str:
    """A text from a file, a folder or a class's name, made harmless for a terminal, a page or a log.

    Control characters, terminal sequences, line breaks, invisible and bidirectional marks are shown as \\x1b, \\u202e, ….
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def one_line(error: BaseException) -> str:
    """An error's text, whose line breaks would break a message."""
    return " ".join(str(error).split())


def explain(error: OSError, path: Path) -> str:
    """An error of the file system as a sentence."""
    place = error.filename or path
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return f"{place}: the disk is full; make room and try again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
        return f"{place}: not writable ({error.strerror}); choose another place"
    return f"{place}: {error.strerror or error}"
