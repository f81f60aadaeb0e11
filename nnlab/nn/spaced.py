"""Evenly spaced places."""

from __future__ import annotations

import torch
from torch import Tensor


def evenly_spaced(n: int, most: int) -> Tensor:
    """At most `most` of the places 0 … n − 1, (m,) int64, at even distances, both ends among them.

    So that a part stands for the whole: files often come sorted by class.
    """
    return torch.linspace(0, n - 1, min(n, most), dtype=torch.float64).round().long()
