"""nnlab runs: all runs, their state and their best figure. Reads the status files alone."""

from __future__ import annotations

import fnmatch
import time
from pathlib import Path

from nnlab.commands.arguments import parser
from nnlab.runs.find import as_typed, find, outputs


def main(argv: list[str]) -> int:
    made = parser("runs", "All runs under a folder, the newest last.", "runs", "runs '*vae*' --sort", run=False)
    made.add_argument("pattern", nargs="*", help="keep runs whose model, data, tag or folder matches, e.g. '*vae'")
    made.add_argument("--root", type=Path, help="by default NNLAB_OUTPUTS, or outputs")
    made.add_argument("--sort", action="store_true", help="by the best figure, the best last, instead of by time")
    asked = made.parse_args(argv)

    root = asked.root or outputs()
    rows = []
    for folder in find(root):
        status = folder.read_status()
        names = [status.get("model", ""), status.get("data", ""), *status.get("tags", []), str(folder.path)]
        if not asked.pattern or any(fnmatch.fnmatch(name, pattern) for pattern in asked.pattern for name in names):
            rows.append((status, folder))
    if not rows:
        print(f"no runs under {root}" + (" that match" if asked.pattern else "; train one: nnlab train model=vae data=digits"))
        return 0
    rows.sort(key=lambda row: sort_key(row[0]) if asked.sort else (0.0, row[0].get("began", 0.0)))
    lines = [("model", "data", "status", "epoch", "time", "best figure", "began", "folder")]
    lines += [describe(status, str(as_typed(folder.path))) for status, folder in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return 0


def sort_key(status: dict) -> tuple[float, float]:
    """Runs without a figure first; then from the worst to the best, which for a loss is the lowest."""
    figures = list(status.get("figures", {}).values())
    worst_first = -figures[0] if figures and not status.get("higher_is_better") else (figures[0] if figures else -1e300)
    return (worst_first, status.get("began", 0.0))


def describe(status: dict, folder: str) -> tuple[str, ...]:
    figures = status.get("figures", {})
    best = "  ".join(f"{name.removeprefix('best ')} {value:.5g}" for name, value in figures.items())
    minutes, seconds = divmod(round(status.get("seconds", 0)), 60)
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(status["began"])) if "began" in status else ""
    tags = "".join(f" #{tag}" for tag in status.get("tags", []))
    return (
        status.get("model", "?"),
        status.get("data", "?"),
        status.get("status", "?"),
        f"{status.get('epoch', 0):.4g}",
        f"{minutes}:{seconds:02d}",
        best,
        began,
        folder + tags,
    )
