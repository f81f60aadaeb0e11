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


def one_line(error: BaseException) -> str:
    """An error's text, whose line breaks would break a message."""
    return " ".join(str(error).split())


def explain(error: OSError, path: Path) -> str:
    """An error of the file system as a sentence."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return f"{path}: the disk is full. Make room, then go on with: nnlab resume {path}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.filename or path}: not writable ({error.strerror}). Choose another folder with outputs=…"
    return f"{error.filename or path}: {error.strerror or error}"
