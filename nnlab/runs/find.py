"""Finding runs under an outputs folder. No torch."""

from __future__ import annotations

import math
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from nnlab.errors import BadInput
from nnlab.runs.folder import RunFolder
from nnlab.runs.trust import refuse

DEPTH = 5  # outputs/sweeps/<stamp>/<job>, outputs/<model>/<data>/<stamp>, and a folder or two of the user's own
TRACKERS = ("mlflow", "wandb")  # folders of an outputs folder that hold what trackers keep, and no runs

LAST = re.compile(r"last(?:~(\d{1,6}))?")
ID = re.compile(r"[0-9a-f]{3,6}")  # of which a few digits are enough where no other begins so


def outputs() -> Path:
    """The folder of all runs: NNLAB_OUTPUTS, or outputs."""
    return Path(os.environ.get("NNLAB_OUTPUTS", "outputs"))


def find(root: str | Path) -> Iterator[RunFolder]:
    """Every run under a folder; the inside of a run is not searched."""
    return (folder for folder, _ in found(root))


def found(root: str | Path, depth: int = DEPTH) -> Iterator[tuple[RunFolder, list[os.DirEntry]]]:
    """The same, each with what lies in its folder: of thousands of runs, looking twice takes time.

    A link to a folder is followed where the user has put it, directly under his own `outputs`, and nowhere else.
    """
    try:
        entries = list(os.scandir(root))
    except OSError:
        return
    if any(entry.name == "status.json" for entry in entries):
        yield RunFolder(Path(root)), entries
    elif depth:
        links = depth == DEPTH and Path(root) == outputs()
        skipped = TRACKERS if depth == DEPTH else ()
        for entry in entries:
            if not entry.name.startswith(".") and entry.name not in skipped and entry.is_dir(follow_symlinks=links):
                yield from found(entry.path, depth - 1)


def resolve(run: str, root: Path | None = None, before: float = math.inf) -> RunFolder:
    """RUN as every verb takes it: a folder, a short id of `nnlab runs`, or `last` for the newest (before a time), `last~1`, ….

    Raises BadInput if there is none, or if a link, a pipe or a device is among its files.
    """
    folder = named(run, root, before)
    if any(os.path.lexists(path) for path in (folder.config, folder.status)):  # not a folder of runs
        refuse(folder.path)
    return folder


def named(run: str, root: Path | None, before: float) -> RunFolder:
    """The run of RUN: a folder; `last`, `last~2` (two runs before); or the start of a run's short id."""
    folder, root = RunFolder(Path(run)), root or outputs()
    if folder.path.is_dir():
        return folder
    back = LAST.fullmatch(run)
    if back is None and not ID.fullmatch(run):
        raise BadInput(f"{run}: no such run folder; nnlab runs lists the runs, 'last' stands for the newest")
    known = [(folder.read_status(), folder) for folder in find(root)]
    runs = [(status, folder) for status, folder in known if status.get("began", 0) < before]
    if back is None:
        return by_id(run, runs)
    number = int(back[1] or 0)
    runs.sort(key=lambda pair: pair[0].get("began", 0))
    if not runs:
        raise BadInput(f"{run}: no run under '{root}'; train one with nnlab train")
    if number >= len(runs):
        raise BadInput(f"{run}: there are {len(runs)} runs under '{root}'; nnlab runs lists them")
    return runs[-1 - number][1]


def by_id(run: str, runs: list[tuple[dict, RunFolder]]) -> RunFolder:
    """The run whose id begins so. Raises BadInput if there is none, or more than one."""
    matches = [folder for status, folder in runs if short_id(status).startswith(run)]
    if not matches:
        raise BadInput(f"{run}: no such run folder or id; nnlab runs lists the runs, 'last' stands for the newest")
    if len(matches) > 1:
        raise BadInput(f"{run}: the ids of {len(matches)} runs start with this; type more of it, or the folder")
    return matches[0]


def short_id(status: dict) -> str:
    """Six hexadecimal digits that never change, from the time and the process of the run's start."""
    process = status.get("process") or {}
    key = f"{status.get('began')} {status.get('model')} {status.get('host')}" if "began" in status else str(process)
    return f"{zlib.crc32(key.encode(errors='surrogateescape')):08x}"[:6]


def as_typed(path: Path) -> Path:
    """A path as a user would type it: relative if it is inside the current folder."""
    path = path.absolute()
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
