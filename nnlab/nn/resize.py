"""Images of another size and number of channels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def fits(x: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether `enlarged` can make images of this shape of images (N, C, H, W)."""
    return x.shape[1:] == tuple(shape) or x.shape[1] in (1, shape[0])


def enlarged(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Images (N, C, H, W) → (N, *shape): a single channel is repeated, the size is changed by bicubic interpolation.

    Whatever has the shape already is returned itself. Raises ValueError if the channels do not fit.
    """
    if x.shape[1:] == tuple(shape):
        return x
    channels, *size = shape
    if not fits(x, shape):
        raise ValueError(f"images of {x.shape[1]} channels do not become images of {channels}")
    if tuple(x.shape[2:]) != tuple(size):
        x = functional.interpolate(x, size, mode="bicubic")
    return x if x.shape[1] == channels else x.expand(-1, channels, -1, -1)


def enlarged_likewise(x: Tensor, small: tuple[int, ...], large: tuple[int, ...]) -> Tensor:
    """Images (N, C, H, W) enlarged as much as images of the shape `small` (C, h, w) become `large` (C′, h′, w′); bicubic."""
    sides = (side * after // before for side, before, after in zip(x.shape[2:], small[1:], large[1:], strict=True))
    return enlarged(x, (x.shape[1], *sides))
