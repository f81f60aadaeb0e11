"""Runs as a table of plain text. No torch."""

from __future__ import annotations

import shlex
import time
from typing import Any

from nnlab.errors import printable
from nnlab.runs.find import short_id
from nnlab.runs.folder import RunFolder

HEAD = ("id", "model", "data", "status", "epoch", "time", "best metric", "began", "what differs")
WIDEST = 40  # letters of what differs


def aligned(lines: list[tuple[str, ...]]) -> str:
    lines = [tuple(printable(cell) for cell in line) for line in lines]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def row(status: dict, folder: RunFolder) -> tuple[str, ...]:
    """The cells of a run, under HEAD."""
    minutes, seconds = divmod(round(status.get("seconds", 0)), 60)
    began = time.strftime("%m-%d %H:%M", time.localtime(status["began"])) if "began" in status else ""
    return (
        short_id(status),
        status.get("model", "?"),
        status.get("data", "?"),
        status.get("status", "?"),
        f"{status.get('epoch', 0):.4g}",
        f"{minutes}:{seconds:02d}",
        figure(status),
        began,
        clipped(" ".join([*(f"#{tag}" for tag in status.get("tags", [])), *differs(status)])),
    )


def clipped(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def differs(status: dict) -> list[str]:
    """What was typed for a run besides its model and data: the recipe, and the values that are not the defaults."""
    command = status.get("command")
    try:
        words = shlex.split(command)[2:] if isinstance(command, str) else []
    except ValueError:  # of a stranger's file
        return []
    return [word for word in words if not word.startswith(("model=", "data=", "tags=", "hydra.", "outputs="))]


def facts(status: dict, folder: RunFolder) -> dict[str, Any]:
    """A run as JSON has it."""
    known = ("model", "data", "status", "epoch", "step", "seconds", "best", "began", "tags", "command", "parameters")
    choices = status.get("choices") or {}
    return {
        "id": short_id(status),
        "folder": str(folder.path),
        **{key: status[key] for key in known if key in status},
        "experiment": choices.get("experiment"),
        "differs": differs(status),
    }


def figure(status: dict) -> str:
    return "  ".join(f"{name} {value:.5g}" for name, value in status.get("best", {}).items())


def worst_first(status: dict) -> tuple[bool, float, float]:
    """A key that sorts runs from the worst to the best; those without a figure come before all."""
    values = list(status.get("best", {}).values())
    if not values:
        return (False, 0.0, status.get("began", 0.0))
    return (True, values[0] if status.get("higher_is_better") else -values[0], status.get("began", 0.0))
