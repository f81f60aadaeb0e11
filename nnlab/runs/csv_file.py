"""A table as a CSV file that a spreadsheet opens and does not run. No torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from nnlab.runs.files import replacing

FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the start of a formula


def cell(value: object) -> str:
    """A value as a cell; a text that a spreadsheet would run as a formula stands behind a ', as one would type it there."""
    text = str(value)
    return f"'{text}" if text.startswith(FORMULAS) and not is_number(text) else text


def is_number(text: str) -> bool:
    """Whether Python reads the text as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Rows of cells as UTF-8, one per line. Raises OSError."""
    with replacing(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
        csv.writer(text, lineterminator="\n").writerows([cell(value) for value in row] for row in rows)
        text.flush()
        text.detach()
