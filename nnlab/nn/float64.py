"""float64 where sums must not lose digits."""

from __future__ import annotations

from torch import Tensor


def to_float64(x: Tensor) -> Tensor:
    """In float64, on its device; on the CPU where the device (Metal) has none."""
    return (x.cpu() if x.device.type == "mps" else x).double()
