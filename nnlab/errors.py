"""What can be expected to go wrong. `cli` shows each of these as a short message; anything else is a bug with a traceback."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path

LONGEST = 80  # characters of what was typed that a message repeats
PAGE = 700  # letters: more names than fill them are counted, not listed
LIKELY = 0.8  # likeness from which an unknown word is taken for a misspelt one of another kind

TORCH_WRITES = ("inline_container", "PytorchStreamWriter", "unexpected pos")  # where torch.save cannot write
TOO_LARGE = (  # of what torch and NumPy say where more memory is asked for than there is, or than can be counted
    "can't allocate memory",
    "out of memory",
    "Storage size calculation overflowed",
    "numel: integer multiplication overflow",
    "array is too big",
    "Maximum allowed dimension exceeded",
)


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


class ArgumentError(ValueError):
    """An argument of a layer or a model that cannot be used, such as `heads` that do not divide a width.

    argument  its name, as in the signature; empty where it is about several
    The step that builds objects from a config says where the argument stands in it.
    """

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument}: {problem}" if argument else problem)
        self.argument, self.problem = argument, problem

    def __reduce__(self):
        return type(self), (self.argument, self.problem)


class RunFailed(NnlabError):
    """The run started and could not go on: it diverged, the disk is full, …"""


class Interrupted(NnlabError):
    """Ctrl-C or SIGTERM; the run was saved."""

    status = 130


def printable(text: object) -> str:
    """A text from a file, a folder or a class's name, made harmless for a terminal, a page or a log.

    Control characters, terminal sequences, line breaks, invisible and bidirectional marks are shown as \\x1b, \\u202e, ….
    """
    text = str(text)
    if text.isprintable():  # as most are: a list of runs has 100,000 of them
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def near(name: str, legal: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The legal name that a misspelt one most resembles, if any does."""
    import difflib

    return next(iter(difflib.get_close_matches(str(name)[:LONGEST], list(legal), n=1, cutoff=cutoff)), None)


def nearest(name: str, legal: Iterable[str]) -> str:
    """A hint: the legal name that a misspelt one most resembles, or else all of them, if these are no page of names."""
    legal = sorted(legal)
    meant = near(name, legal)
    if meant:
        return f"did you mean '{meant}'?"
    listed = ", ".join(legal)
    if len(listed) > PAGE:
        return f"there are {len(legal)}"
    return f"legal here: {listed}" if legal else "nothing is legal here"


def shortened(text: object) -> str:
    """What was typed, made harmless and short enough for a message."""
    shown = printable(text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def one_line(error: BaseException) -> str:
    """An error's text, whose line breaks would break a message."""
    return " ".join(str(error).split())


def file_error(error: BaseException) -> OSError | None:
    """The error of the file system that an error is, or comes from; torch hides one behind a RuntimeError of its own."""
    if isinstance(error, NnlabError):
        return None
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError):
            return seen
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, RuntimeError) and any(text in str(error) for text in TORCH_WRITES):
        return OSError(errno.EIO, "a file could not be written whole; is the disk full?")
    return None


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, NumPy or torch says that memory did not suffice."""
    return isinstance(error, MemoryError) or any(text in str(error) for text in TOO_LARGE)


def because(error: BaseException) -> str:
    """Why a download failed, in brackets, where it was not for the lack of a network."""
    return f" ({explain(error, '')})" if isinstance(error, OSError) and error.errno else ""


def explain(error: OSError, path: Path | str) -> str:
    """An error of the file system as a sentence."""
    place = printable(error.filename or path)
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return f"{place}: the disk is full; make room and try again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
        return f"{place}: not writable ({error.strerror}); choose another place"
    return f"{place}: {error.strerror or error}"
