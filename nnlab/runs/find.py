"""Finding runs under an outputs folder. No torch."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from nnlab.errors import BadInput
from nnlab.runs.folder import RunFolder
from nnlab.runs.trust import refuse

DEPTH = 5  # outputs/sweeps/<stamp>/<job>, outputs/<model>/<data>/<stamp>, and a folder or two of the user's own


def outputs() -> Path:
    """The folder of all runs: NNLAB_OUTPUTS, or outputs."""
    return Path(os.environ.get("NNLAB_OUTPUTS", "outputs"))


def find(root: Path, depth: int = DEPTH) -> Iterator[RunFolder]:
    """Every run under a folder; the inside of a run is not searched.

    A link to a folder is followed where the user has put it, directly under his own `outputs`, and nowhere else.
    """
    try:
        entries = list(os.scandir(root))
    except OSError:
        return
    if any(entry.name == "status.json" for entry in entries):
        yield RunFolder(Path(root))
    elif depth:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=Path(root) == outputs()):
                yield from find(Path(entry.path), depth - 1)


def resolve(run: str, root: Path | None = None, before: float = math.inf) -> RunFolder:
    """RUN as every verb takes it: a folder, or `last` for the run that was started last (before a time).

    Raises BadInput if there is none, or if a link, a pipe or a device is among its files.
    """
    found = named(run, root, before)
    if any(os.path.lexists(path) for path in (found.config, found.status)):  # not a folder of runs
        refuse(found.path)
    return found


def named(run: str, root: Path | None, before: float) -> RunFolder:
    if run != "last" or Path(run).is_dir():
        folder = RunFolder(Path(run))
        if not folder.path.is_dir():
            raise BadInput(f"{run}: no such run folder; nnlab runs lists the runs, 'last' stands for the newest")
        return folder
    root = root or outputs()
    runs = [(folder.read_status().get("began", 0), folder) for folder in find(root)]
    runs = [run for run in runs if run[0] < before]
    if not runs:
        raise BadInput(f"last: no run under '{root}'; train one with nnlab train")
    return max(runs, key=lambda pair: pair[0])[1]


def as_typed(path: Path) -> Path:
    """A path as a person would type it: relative where it lies under the current folder."""
    path = path.absolute()
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
