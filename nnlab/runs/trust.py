"""Checks that a run folder has only files and folders. No torch.

A link, a pipe or a device among the files of a run that came from somebody else may lead anywhere, or never end.
"""

from __future__ import annotations

import os
from pathlib import Path

from nnlab.errors import BadInput, printable

MOST, DEEPEST = 100_000, 16  # files in a run folder, and folders inside each other: beyond, it is none of nnlab's


def trouble(folder: Path, deep: bool = True) -> str | None:
    """What is wrong with the files below a folder, in a sentence; None if nothing is. Nothing is opened, no link followed.

    deep  also with those in the folders inside, which a list of thousands of runs does not look into
    """
    count, waiting = 0, [(os.fspath(folder), 0)]
    while waiting:
        place, depth = waiting.pop()
        try:
            entries = list(os.scandir(place))
        except OSError as error:
            return f"{printable(place)}: cannot be looked into ({error.strerror})"
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if deep:
                    waiting.append((entry.path, depth + 1))
            elif not entry.is_file(follow_symlinks=False):
                kind = "a link" if entry.is_symlink() else "a pipe, a socket or a device"
                return f"{printable(entry.path)}: {kind}, which a run folder must not hold; remove it first"
        count += len(entries)
        if count > MOST or depth > DEEPEST:
            return f"{printable(folder)}: too many files or folders for a run"
    return None


def refuse(folder: Path) -> None:
    """Raise BadInput unless a run folder holds files and folders alone."""
    if problem := trouble(folder):
        raise BadInput(problem)
