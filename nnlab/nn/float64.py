"""float64 for sums that must not lose digits."""

from __future__ import annotations

from torch import Tensor


def to_float64(x: Tensor) -> Tensor:
    """In float64, on the same device; on the CPU if the device (Metal) has no float64."""
    return (x.cpu() if x.device.type == "mps" else x).double()
