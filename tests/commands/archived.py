"""Codes in a file, and what they are decoded to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def there_and_back(nnlab, *typed: str) -> tuple[np.ndarray, dict]:
    """Encode what is typed by the last run, decode to an array; the array, and the figures of the encoding."""
    status, out, error = nnlab("compress", "last", *typed, "-o", "codes.npz")
    assert status == 0, error
    assert out.splitlines()[-2:] == ["codes.json", "codes.npz"]
    status, out, error = nnlab("decompress", "last", "codes.npz", "-o", "back.npz")
    assert (status, out) == (0, "back.npz\n"), error
    with np.load("back.npz") as found:
        return found["x"], json.loads(Path("codes.json").read_text())
