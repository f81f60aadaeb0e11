"""Evenly spaced places."""

from __future__ import annotations

import torch
from torch import Tensor


def evenly_spaced(n: int, most: int) -> Tensor:
    """At most `most` of the places 0 … n − 1, (m,) int64, evenly spaced, with both ends.

    So that a part represents the whole: files are often sorted by class.
    """
    return torch.linspace(0, n - 1, min(n, most), dtype=torch.float64).round().long()
