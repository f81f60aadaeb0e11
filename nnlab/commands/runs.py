"""nnlab runs: all runs, their state and their best metric. Reads only the status files, and summaries to sort by a figure."""

from __future__ import annotations

import fnmatch
import math
import shutil
import sys
from argparse import Namespace
from pathlib import Path

from nnlab.commands.arguments import make_parser
from nnlab.errors import BadInput, nearest, printable, shortened
from nnlab.runs.find import found, outputs
from nnlab.runs.folder import RunFolder
from nnlab.runs.table import HEAD, USUAL, aligned, fitted, metadata, row, worst_first
from nnlab.runs.text_formats import as_json
from nnlab.runs.trust import trouble

BEST = "best"
FILTERS = ("model", "data", "status", "tag")
Runs = list[tuple[dict, RunFolder]]


def main(argv: list[str]) -> int:
    """Print the runs under a folder, as a table or as JSON. Returns the exit status."""
    examples = ("runs", "runs '*vae*' --sort", "runs --data mnist --status completed --sort test/psnr")
    parser = make_parser("runs", "All runs under a folder, the newest last.", *examples, run=False)
    parser.add_argument("pattern", nargs="*", help="keep runs whose model, data, tag, note or folder matches, e.g. '*vae'")
    for name in FILTERS:
        parser.add_argument(f"--{name}", metavar="PATTERN", help=f"keep runs whose {name} matches")
    parser.add_argument("--root", type=Path, help="by default NNLAB_OUTPUTS, or outputs")
    by = "by a figure such as test/psnr, the largest last; without FIGURE by the best metric, the best last"
    parser.add_argument("--sort", nargs="?", const=BEST, metavar="FIGURE", help=f"instead of by time: {by}")
    parser.add_argument("--json", action="store_true", help="everything about each run, with its folder, as JSON")
    args = parser.parse_args(argv)

    root = args.root or outputs()
    kept = chosen(root, args)
    values = {}
    if args.sort not in (None, BEST) and kept:
        values = figures(kept, args.sort)
        kept.sort(key=lambda run: (run[1].path in values, values.get(run[1].path, 0.0), run[0].get("began", 0.0)))
    else:
        kept.sort(key=lambda run: worst_first(run[0]) if args.sort else run[0].get("began", 0.0))
    if args.json:
        found = [metadata(status, folder) for status, folder in kept]
        print(as_json([{**run, args.sort: values.get(Path(run["folder"]))} if values else run for run in found]), end="")
        return 0
    if not kept:
        filtered = args.pattern or any(getattr(args, name) for name in FILTERS)
        print(f"no runs under {root}" + (" that match" if filtered else "; train one: nnlab train model=vae data=digits"))
        return 0
    lines = [HEAD, *(row(status, folder) for status, folder in kept)]
    if values:  # before the last column, which is cut to the width of the terminal
        cells = [printable(args.sort), *(f"{values[f.path]:.5g}" if f.path in values else "" for _, f in kept)]
        lines = [(*line[:-1], cell, line[-1]) for line, cell in zip(lines, cells, strict=True)]
    print(aligned(fitted(lines, shutil.get_terminal_size((USUAL, 24)).columns)))
    return 0


def chosen(root: Path, args: Namespace) -> Runs:
    """The runs under a folder that match a pattern, if there are any, and every filter. Says which are left out, and why."""
    kept = []
    for folder, entries in found(root):
        if problem := trouble(folder.path, entries):
            print(f"nnlab: left out: {problem}", file=sys.stderr)
            continue
        status = folder.read_status()
        names = {"model": [status.get("model", "")], "data": [status.get("data", "")], "tag": status.get("tags", [])}
        anything = [*names["model"], *names["data"], *names["tag"], status.get("note", ""), str(folder.path)]
        names["status"] = [status.get("status", "")]
        wanted = [([getattr(args, name)], names[name]) for name in FILTERS if getattr(args, name)]
        wanted += [(args.pattern, anything)] if args.pattern else []
        if all(any(fnmatch.fnmatch(text, one) for one in patterns for text in texts) for patterns, texts in wanted):
            kept.append((status, folder))
    return kept


def figures(runs: Runs, name: str) -> dict[Path, float]:
    """The figure of each run that has it, by the run's folder: one of its summary, or a number of its status.

    Raises BadInput if no run has it.
    """
    values, known = {}, set()
    for status, folder in runs:
        amounts = {key: value for key, value in status.items() if isinstance(value, int | float)}
        found = {**amounts, **status.get("best", {}), **folder.read_summary().get("final", {})}
        known |= found.keys()
        if name in found and math.isfinite(found[name]):
            values[folder.path] = float(found[name])
    if not values:
        raise BadInput(f"--sort: no run here has {shortened(name)}; {nearest(name, known)}")
    return values
