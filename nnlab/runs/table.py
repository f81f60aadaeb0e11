"""Runs as a table of plain text. No torch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from nnlab.errors import printable
from nnlab.runs.find import short_id
from nnlab.runs.folder import RunFolder
from nnlab.runs.shell import shelled

HEAD = ("id", "model", "data", "recipe", "tags", "status", "epoch", "time", "best metric", "began", "what differs")
USUAL, LEAST = 100, 12  # letters of a line where there is no terminal, and of what differs at the least


def aligned(lines: list[tuple[str, ...]]) -> str:
    """Lines of cells as text, each column as wide as its widest cell."""
    lines = [tuple(printable(cell) for cell in line) for line in lines]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def row(status: dict, folder: RunFolder) -> tuple[str, ...]:
    """The cells of a run, under HEAD."""
    began = time.strftime("%m-%d %H:%M", time.localtime(status["began"])) if "began" in status else ""
    return (
        short_id(status),
        status.get("model", "?"),
        status.get("data", "?"),
        recipe(status),
        " ".join(status.get("tags", [])),
        status.get("status", "?"),
        f"{status.get('epoch', 0):.4g}",
        seconds(status.get("seconds", 0)),
        figure(status),
        began,
        " ".join(differs(status)),
    )


def recipe(status: dict) -> str:
    """The experiment that was chosen, if one was."""
    name = (status.get("choices") or {}).get("experiment", "none")
    return "" if name == "none" else str(name)


def fitted(lines: list[tuple[str, ...]], width: int) -> list[tuple[str, ...]]:
    """Lines without the columns that are blank in each row below the head, the last column cut to what is left of a width."""
    head, *rows = [tuple(printable(cell) for cell in line) for line in lines]
    kept = [i for i in range(len(head)) if any(row[i] for row in rows)]
    lines = [tuple(line[i] for i in kept) for line in (head, *rows)]
    if kept[-1] != len(head) - 1:
        return lines
    before = sum(max(len(line[i]) for line in lines) + 2 for i in range(len(kept) - 1))
    return [(*line[:-1], clipped(line[-1], max(LEAST, width - before))) for line in lines]


def clipped(text: str, width: int) -> str:
    """A text of at most `width` letters; of a longer one the beginning and an ellipsis."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def differs(status: dict) -> list[str]:
    """What was typed for a run besides its model and data: the recipe, and the values that are not the defaults."""
    command = status.get("command")
    try:
        words = shelled(command)[2:] if isinstance(command, str) else []
    except ValueError:  # of a stranger's file
        return []
    return [
        word for word in words if not word.startswith(("model=", "data=", "tags=", "experiment=", "hydra.", "outputs=", "-"))
    ]


def metadata(status: dict, folder: RunFolder) -> dict[str, Any]:
    """A run as JSON has it."""
    known = (
        "model",
        "data",
        "status",
        "epoch",
        "step",
        "seconds",
        "best",
        "began",
        "tags",
        "note",
        "git",
        "command",
        "parameters",
    )
    return {
        "id": short_id(status),
        "folder": str(folder.path),
        **{key: status[key] for key in known if key in status},
        "experiment": recipe(status) or None,
        "differs": differs(status),
    }


def figure(status: dict) -> str:
    """The best figures of a status.json in one line."""
    return figures(status.get("best", {}))


def figures(values: Mapping[str, float], named: bool = True) -> str:
    """Values in one line, with five significant digits, each behind its name."""
    return "  ".join(f"{name} {value:.5g}" if named else f"{value:.5g}" for name, value in values.items())


def number(value: object) -> str:
    """A number with five significant digits, a count or a text as it is."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def seconds(value: float) -> str:
    """90 → 1:30."""
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def worst_first(status: dict) -> tuple[bool, float, float]:
    """A key that sorts runs from the worst to the best; those without a figure come before all."""
    values = list(status.get("best", {}).values())
    if not values:
        return (False, 0.0, status.get("began", 0.0))
    return (True, values[0] if status.get("higher_is_better") else -values[0], status.get("began", 0.0))
