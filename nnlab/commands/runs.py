"""nnlab runs: all runs, their state and their best metric. Reads only the status files."""

from __future__ import annotations

import fnmatch
import shutil
import sys
from pathlib import Path

from nnlab.commands.arguments import make_parser
from nnlab.runs.find import find, outputs
from nnlab.runs.folder import RunFolder
from nnlab.runs.table import HEAD, USUAL, aligned, fitted, metadata, row, worst_first
from nnlab.runs.text_formats import as_json
from nnlab.runs.trust import trouble


def main(argv: list[str]) -> int:
    """Print the runs under a folder, as a table or as JSON. Returns the exit status."""
    parser = make_parser("runs", "All runs under a folder, the newest last.", "runs", "runs '*vae*' --sort", run=False)
    parser.add_argument("pattern", nargs="*", help="keep runs whose model, data, tag, note or folder matches, e.g. '*vae'")
    parser.add_argument("--root", type=Path, help="by default NNLAB_OUTPUTS, or outputs")
    parser.add_argument("--sort", action="store_true", help="sort by the best metric, the best last, instead of by time")
    parser.add_argument("--json", action="store_true", help="everything about each run, with its folder, as JSON")
    args = parser.parse_args(argv)

    root = args.root or outputs()
    rows, left_out = [], []
    for folder in find(root):
        if problem := trouble(folder.path, deep=False):
            left_out.append(problem)
            continue
        status = folder.read_status()
        names = [
            status.get("model", ""),
            status.get("data", ""),
            *status.get("tags", []),
            status.get("note", ""),
            str(folder.path),
        ]
        if not args.pattern or any(fnmatch.fnmatch(name, pattern) for pattern in args.pattern for name in names):
            rows.append((status, folder))
    for problem in left_out:
        print(f"nnlab: left out: {problem}", file=sys.stderr)
    if args.json:
        print(as_json([metadata(status, folder) for status, folder in ordered(rows, args.sort)]), end="")
        return 0
    if not rows:
        print(f"no runs under {root}" + (" that match" if args.pattern else "; train one: nnlab train model=vae data=digits"))
        return 0
    width = shutil.get_terminal_size((USUAL, 24)).columns
    print(aligned(fitted([HEAD, *(row(status, folder) for status, folder in ordered(rows, args.sort))], width)))
    return 0


def ordered(rows: list[tuple[dict, RunFolder]], by_figure: bool) -> list[tuple[dict, RunFolder]]:
    """Runs by the time when they began; with `by_figure` by their best figure, the best last."""
    return sorted(rows, key=lambda run: worst_first(run[0]) if by_figure else run[0].get("began", 0.0))
