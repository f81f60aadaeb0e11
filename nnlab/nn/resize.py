"""Images of another size and number of channels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def enlarged(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Images (N, C, H, W) → (N, *shape): a single channel is repeated, the size is changed by bicubic interpolation.

    Whatever has the shape already is returned itself. Raises ValueError if the channels do not fit.
    """
    if x.shape[1:] == tuple(shape):
        return x
    channels, *size = shape
    if x.shape[1] not in (1, channels):
        raise ValueError(f"images of {x.shape[1]} channels do not become images of {channels}")
    if tuple(x.shape[2:]) != tuple(size):
        x = functional.interpolate(x, size, mode="bicubic")
    return x if x.shape[1] == channels else x.expand(-1, channels, -1, -1)
