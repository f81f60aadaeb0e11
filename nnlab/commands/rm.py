"""nnlab rm: remove run folders. Imports no torch."""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from nnlab.commands.arguments import make_parser
from nnlab.errors import BadInput, RunFailed, explain, printable
from nnlab.runs import search
from nnlab.runs.find import as_typed, resolve
from nnlab.runs.folder import RunFolder
from nnlab.runs.lock import JOBS, LOCK, locked
from nnlab.runs.sweep import PLAN, REFUSED, REPORT, TABLES, members, planned

OF_SWEEP = (PLAN, *TABLES, REPORT, "images", "multirun.yaml", ".submitit", LOCK, JOBS)  # beside its jobs
OWN = (*OF_SWEEP, *search.FILES)


def main(argv: list[str]) -> int:
    """Remove run folders, or sweeps, after asking. Returns the exit status. Raises BadInput for other folders."""
    parser = make_parser(
        "rm", "Remove runs with all their files, after asking.", "rm last", "rm 5508a8 last~2 --yes", run=False
    )
    parser.add_argument("run", nargs="+", metavar="RUN", help="folders of runs or of sweeps, ids of nnlab runs, or 'last'")
    parser.add_argument("-y", "--yes", action="store_true", help="without asking")
    args = parser.parse_args(argv)

    folders = list(dict.fromkeys(Path(run) if is_sweep(run) else resolve(run).path for run in args.run))
    for path in folders:
        if is_sweep(path):
            refuse_others(path)
        for folder in runs_of(path):
            refuse(folder)
    for path in folders:
        print(f"{printable(as_typed(path))}  {size(RunFolder(path)):,} bytes")
    if not args.yes and not agreed(len(folders)):
        print("nothing is removed")
        return 0
    for path in folders:
        try:
            with ExitStack() as held:
                if is_sweep(path):
                    held.enter_context(locked(path))  # a sweep that trains, also between two of its jobs
                for folder in runs_of(path):
                    held.enter_context(folder.locked())  # a run that trains keeps its folder
                shutil.rmtree(path)
        except OSError as error:
            raise RunFailed(explain(error, path)) from error
    return 0


def is_sweep(path: str | Path) -> bool:
    """Whether a path is the folder of a sweep, which lists its jobs in sweep.json."""
    return planned(Path(path)) is not None


def runs_of(path: Path) -> list[RunFolder]:
    """The jobs of a sweep that have begun; or the run itself."""
    return [folder for _, folder in members(path)] if is_sweep(path) else [RunFolder(path)]


def refuse_others(sweep: Path) -> None:
    """Raise BadInput if the folder of a sweep holds what no sweep makes."""
    for path in sorted(sweep.iterdir()):
        left = path.name.startswith(".") and path.suffix == ".tmp"  # by a kill
        if path.name not in OWN and path.suffix != REFUSED and not left and not (path.name.isdigit() and path.is_dir()):
            raise BadInput(f"{printable(path)}: is not part of a sweep; move it, or remove the jobs one by one")


def refuse(folder: RunFolder) -> None:
    """Raise BadInput if a folder is no run, or trains now."""
    folder.read_config()
    if folder.read_status().get("status") == "running":
        raise BadInput(f"{folder.path}: is training; stop it first")


def size(folder: RunFolder) -> int:
    """How many bytes the files of a run folder take."""
    return sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file())


def agreed(count: int) -> bool:
    """Whether the user says yes; where nobody can be asked, it is a no."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise BadInput("rm: nobody can be asked here; add --yes")
    return input(f"remove {'this' if count == 1 else f'these {count}'}? [y/N] ").strip().lower() in ("y", "yes")
