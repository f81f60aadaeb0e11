"""nnlab runs: all runs, their state and their best figure. Reads the status files alone."""

from __future__ import annotations

import fnmatch
import shutil
import sys
from pathlib import Path

from nnlab.commands.arguments import parser
from nnlab.runs.find import find, outputs
from nnlab.runs.folder import RunFolder, as_json
from nnlab.runs.table import HEAD, USUAL, aligned, facts, fitted, row, worst_first
from nnlab.runs.trust import trouble


def main(argv: list[str]) -> int:
    made = parser("runs", "All runs under a folder, the newest last.", "runs", "runs '*vae*' --sort", run=False)
    made.add_argument("pattern", nargs="*", help="keep runs whose model, data, tag or folder matches, e.g. '*vae'")
    made.add_argument("--root", type=Path, help="by default NNLAB_OUTPUTS, or outputs")
    made.add_argument("--sort", action="store_true", help="by the best figure, the best last, instead of by time")
    made.add_argument("--json", action="store_true", help="everything about each run, with its folder, as JSON")
    asked = made.parse_args(argv)

    root = asked.root or outputs()
    rows, left_out = [], []
    for folder in find(root):
        if problem := trouble(folder.path):
            left_out.append(problem)
            continue
        status = folder.read_status()
        names = [status.get("model", ""), status.get("data", ""), *status.get("tags", []), str(folder.path)]
        if not asked.pattern or any(fnmatch.fnmatch(name, pattern) for pattern in asked.pattern for name in names):
            rows.append((status, folder))
    for problem in left_out:
        print(f"nnlab: left out: {problem}", file=sys.stderr)
    if asked.json:
        print(as_json([facts(status, folder) for status, folder in ordered(rows, asked.sort)]), end="")
        return 0
    if not rows:
        print(f"no runs under {root}" + (" that match" if asked.pattern else "; train one: nnlab train model=vae data=digits"))
        return 0
    width = shutil.get_terminal_size((USUAL, 24)).columns
    print(aligned(fitted([HEAD, *(row(status, folder) for status, folder in ordered(rows, asked.sort))], width)))
    return 0


def ordered(rows: list[tuple[dict, RunFolder]], by_figure: bool) -> list[tuple[dict, RunFolder]]:
    return sorted(rows, key=lambda run: worst_first(run[0]) if by_figure else run[0].get("began", 0.0))
