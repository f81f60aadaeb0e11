"""What torch computes less exactly, or more slowly, than it need be."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def doubled(x: Tensor) -> Tensor:
    """In float64, on its device; on the CPU where the device (Metal) has none."""
    return (x.cpu() if x.device.type == "mps" else x).double()


def softplus(x: Tensor) -> Tensor:
    """log(1 + eˣ) = max(x, 0) − log σ(|x|), with the absolute error of a float32 near 1. For use without autograd.

    On a CPU torch's own takes five times as long.
    """
    if x.device.type != "cpu":
        return F.softplus(x)
    return x.relu().sub_(x.abs().sigmoid_().log_())
