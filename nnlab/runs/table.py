"""Runs as a table of plain text. No torch."""

from __future__ import annotations

import time

from nnlab.errors import printable
from nnlab.runs.find import as_typed
from nnlab.runs.folder import RunFolder

HEAD = ("model", "data", "status", "epoch", "time", "best figure", "began", "folder")


def aligned(lines: list[tuple[str, ...]]) -> str:
    lines = [tuple(printable(cell) for cell in line) for line in lines]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def row(status: dict, folder: RunFolder) -> tuple[str, ...]:
    """The cells of a run, under HEAD."""
    minutes, seconds = divmod(round(status.get("seconds", 0)), 60)
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(status["began"])) if "began" in status else ""
    tags = "".join(f" #{tag}" for tag in status.get("tags", []))
    return (
        status.get("model", "?"),
        status.get("data", "?"),
        status.get("status", "?"),
        f"{status.get('epoch', 0):.4g}",
        f"{minutes}:{seconds:02d}",
        figure(status),
        began,
        f"{as_typed(folder.path)}{tags}",
    )


def figure(status: dict) -> str:
    return "  ".join(f"{name} {value:.5g}" for name, value in status.get("best", {}).items())


def worst_first(status: dict) -> tuple[bool, float, float]:
    """A key that sorts runs from the worst to the best; those without a figure come before all."""
    values = list(status.get("best", {}).values())
    if not values:
        return (False, 0.0, status.get("began", 0.0))
    return (True, values[0] if status.get("higher_is_better") else -values[0], status.get("began", 0.0))
