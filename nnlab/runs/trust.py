"""Checks that a run folder has only files and folders. No torch.

A link, a pipe or a device among the files of a run that came from somebody else may lead anywhere, or never end.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from nnlab.errors import BadInput, printable

MOST, DEEPEST = 100_000, 16  # files in a run folder, and folders inside each other: beyond, it is none of nnlab's


def trouble(folder: Path, entries: Iterable[os.DirEntry] | None = None) -> str | None:
    """What is wrong with the files below a folder, in a sentence; None if nothing is. Nothing is opened, no link followed.

    entries  what lies in it; then the folders inside are not looked into, as in a list of thousands of runs
    """
    if entries is not None:
        return next((problem for entry in entries if (problem := odd(entry))), None)
    count, waiting = 0, [(os.fspath(folder), 0)]
    while waiting:
        place, depth = waiting.pop()
        try:
            inside = list(os.scandir(place))
        except OSError as error:
            return f"{printable(place)}: cannot be looked into ({error.strerror})"
        for entry in inside:
            if problem := odd(entry):
                return problem
            if entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, depth + 1))
        count += len(inside)
        if count > MOST or depth > DEEPEST:
            return f"{printable(folder)}: too many files or folders for a run"
    return None


def odd(entry: os.DirEntry) -> str | None:
    """What is wrong with an entry of a folder that is neither a file nor a folder; None of one that is."""
    if entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False):
        return None
    kind = "a link" if entry.is_symlink() else "a pipe, a socket or a device"
    return f"{printable(Path(entry.path))}: {kind}, which a run folder must not hold; remove it first"


def refuse(folder: Path) -> None:
    """Raise BadInput unless a run folder holds files and folders alone."""
    if problem := trouble(folder):
        raise BadInput(problem)
