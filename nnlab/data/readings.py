"""How the numbers of an array become the values of a model, if there is more than one way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from nnlab.data.source import chunks_of
from nnlab.errors import BadInput

Range = Literal["auto"] | tuple[float, float] | None
Channels = Literal["auto", "first", "last"]
BITS = (0.0, 1.0)
BYTES = (0.0, 255.0)
WORDS = (0.0, 65535.0)


@dataclass(frozen=True)
class Reading:
    """A reading of images: `low` … `high` of the file become 0 … 1; None does not scale.

    remark  a message for the user, if another reading was possible
    """

    low_high: tuple[float, float] | None
    remark: str = ""


def reading_of(arrays: Sequence[np.ndarray], setting: Range, key: str = "data.range") -> Reading:
    """The reading of images (N, …) of one file, by their type and values, or by the value of `key`.

    Bytes are 0 … 255; if there are only 0 and 1, they are bits. Other integers, also stored as floats, are 0 … 255 or
    0 … 65535, the smaller that fits. All other floats are not scaled. Raises BadInput if values are out of the range of
    `key`.
    """
    if setting != "auto":
        return _asked(arrays, setting, key)
    kind = arrays[0].dtype
    if kind == np.bool_:
        return Reading(BITS)
    low, high = min(float(x.min()) for x in arrays), max(float(x.max()) for x in arrays)
    whole = kind.kind in "ui" or all(bool((part == np.floor(part)).all()) for x in arrays for _, part in chunks_of(x))
    if not whole or low < 0 or high > WORDS[1]:
        within = low >= 0 and high <= 1
        note = f"images of {kind} with {low:g} … {high:g} are taken as they are; {key}=[{low:g},{high:g}] scales them to 0 … 1"
        return Reading(None, "" if within else note)
    if high <= 1:
        note = f"images of {kind} with only 0 and 1 are taken as bits; {key}=[0,255] takes them as gray levels"
        return Reading(BITS, "" if kind.kind == "f" else note)
    taken = BYTES if high <= BYTES[1] else WORDS
    note = f"images of {kind} are taken as levels of 0 … {taken[1]:g}; {key}=none takes the numbers as they are"
    return Reading(taken, "" if kind == np.uint8 else note)


def _asked(arrays: Sequence[np.ndarray], bounds: tuple[float, float] | None, key: str) -> Reading:
    if bounds is None:
        return Reading(None)
    low, high = bounds
    if not low < high:
        raise BadInput(f"{key}: expected [low,high] with low below high, got [{low:g},{high:g}]")
    least, most = min(float(x.min()) for x in arrays), max(float(x.max()) for x in arrays)
    if least < low or most > high:
        raise BadInput(f"{key}: the file holds {least:g} … {most:g}, beyond [{low:g},{high:g}]; give a range that holds them")
    return Reading((float(low), float(high)))


def scale_of(kind: np.dtype, reading: Reading) -> float | None:
    """The scale of images that are stored as they are: bits, bytes, and numbers that are not scaled; else None."""
    if kind.kind in "bui" and reading.low_high in (BITS, BYTES):
        return 1 / reading.low_high[1] if kind.itemsize == 1 else None
    return 1.0 if reading.low_high is None else None


def read(x: np.ndarray, reading: Reading) -> tuple[Tensor, float]:
    """(N, C, H, W) as they are stored, and their scale: bytes and bits stay bytes, the rest is float32."""
    whole = x.dtype.kind in "bui"
    if whole and reading.low_high in (BITS, BYTES):
        return torch.from_numpy(np.ascontiguousarray(x, dtype=np.uint8)), 1 / reading.low_high[1]
    if reading.low_high is None:
        return torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)), 1.0
    low, high = reading.low_high
    scaled = (np.ascontiguousarray(x, dtype=np.float32) - np.float32(low)) / np.float32(high - low)
    return torch.from_numpy(scaled), 1.0


def axis_of(shape: tuple[int, ...], channels: Channels) -> int | None:
    """The axis of (N, …, …, …) with 1 or 3 channels: 3 (last) or 1 (first); the last if both fit, None if neither."""
    axes = {"auto": (3, 1), "last": (3,), "first": (1,)}[channels]
    return next((axis for axis in axes if shape[axis] in (1, 3)), None)


def channels_remark(shape: tuple[int, ...], channels: Channels) -> str:
    """A message if the channels could be the first or the last axis."""
    if channels != "auto" or len(shape) != 4 or not (shape[1] in (1, 3) and shape[3] in (1, 3)):
        return ""
    return f"arrays of shape {shape} are taken as (N, H, W, C); data.channels=first takes them as (N, C, H, W)"


def channels_first(x: np.ndarray, channels: Channels) -> np.ndarray:
    """Images of any of the shapes as (N, C, H, W)."""
    if x.ndim == 3:
        return x[:, None]
    return x.transpose(0, 3, 1, 2) if axis_of(x.shape, channels) == 3 else x
