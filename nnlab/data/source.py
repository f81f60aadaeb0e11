"""Where examples live: an array on the device, or a file that is read as needed."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from nnlab.errors import BadInput

CHUNK = 2**26  # bytes of a file that are in memory together
IN_MODELS = {torch.uint8: torch.uint8, torch.float32: torch.float32, torch.float64: torch.float32}
NUMPY = {torch.uint8: np.uint8, torch.float32: np.float32, torch.float64: np.float64}


class Source(ABC):
    """An array of examples (N, *shape), of which rows are gathered.

    shape   of one example
    dtype   of the stored values
    scale   a value for the model is the stored value times `scale`
    device  where gathered rows are
    """

    resident: ClassVar[bool]
    """Whether the whole array is on the device, so that a CUDA graph can gather from it."""
    shape: tuple[int, ...]
    dtype: torch.dtype
    scale: float
    device: torch.device

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def raw(self, rows: Tensor) -> Tensor:
        """(n, *shape) as stored, on the device, of rows (n,) int64. Raises BadInput if a file has changed."""

    @abstractmethod
    def sequential(self, rows: Tensor) -> Tensor:
        """The same for rows in ascending order; it avoids a copy where it can."""

    def cast(self, raw: Tensor) -> Tensor:
        """(n, *shape), the values for a model, of stored values: float32, but labels and words stay int64."""
        if self.dtype == torch.int64:
            return raw
        return raw.to(torch.float32) if self.scale == 1 else raw * self.scale  # a byte times a number is a float32

    def values(self, rows: Tensor) -> Tensor:
        """(n, *shape) float32 of rows (n,)."""
        return self.cast(self.raw(rows))

    @property
    def features(self) -> int:
        """The number of values per example."""
        return math.prod(self.shape)


class Resident(Source):
    """An array on the device. All splits share it."""

    resident = True

    def __init__(self, x: Tensor, scale: float = 1.0) -> None:
        self.x, self.scale = x, scale
        self.shape, self.dtype, self.device = tuple(x.shape[1:]), x.dtype, x.device

    def __len__(self) -> int:
        return len(self.x)

    def raw(self, rows: Tensor) -> Tensor:
        return self.x.index_select(0, rows if rows.device == self.device else rows.to(self.device))

    def sequential(self, rows: Tensor) -> Tensor:
        together = rows.device.type == "cpu" and rows[-1] - rows[0] == len(rows) - 1
        return self.x[rows[0] : rows[-1] + 1] if together else self.raw(rows)


@dataclass(frozen=True)
class FileArray:
    """An array inside a file, which is mapped into memory: the kernel reads the pages that are used, and drops them again.

    path     the file
    offset   of the first value, in bytes
    stored   (N, …) the shape in the file
    kind     the type in the file
    axis     of the channels of images; 3 is moved to 1
    index    (n,) the rows of the array that count, in this order; None: all
    version  size, modification time and number of the file when it was opened
    """

    path: Path
    offset: int
    stored: tuple[int, ...]
    kind: np.dtype
    axis: int | None = None
    index: np.ndarray | None = None
    version: tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def opened(cls, path: Path, offset: int, stored: tuple[int, ...], kind: np.dtype, axis: int | None) -> FileArray:
        """The array, with the file's version now. Raises ValueError if the file ends before the array does."""
        array = cls(path, offset, stored, kind, axis, version=version_of(path))
        end = offset + math.prod(stored) * kind.itemsize
        if array.version[0] < end:
            raise ValueError(f"it has {array.version[0]:,} bytes, its array ends at {end:,}")
        return array

    def __len__(self) -> int:
        return self.stored[0] if self.index is None else len(self.index)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, *shape) of the rows as examples."""
        return len(self), *self.examples(np.empty((0, *self.stored[1:]), np.uint8)).shape[1:]

    @property
    def ndim(self) -> int:
        """The number of dimensions of `shape`."""
        return len(self.shape)

    @property
    def dtype(self) -> torch.dtype:
        """The type of an example's values in memory."""
        if self.kind in (np.uint8, np.bool_):
            return torch.uint8
        return torch.float32 if self.ndim == 4 else torch.float64

    def __getitem__(self, rows: Tensor) -> FileArray:
        """These rows (n,) of the array, still in the file."""
        kept = rows.numpy() if self.index is None else self.index[rows.numpy()]
        return replace(self, index=kept)

    def check(self) -> None:
        """Raise BadInput if the file is not as it was when it was opened: reading a shorter one would kill the process."""
        now = version_of(self.path)
        if now == self.version:
            return
        what = "has changed" if now[0] else "is gone"
        if 0 < now[0] < self.version[0]:
            what = f"has been cut short, from {self.version[0]:,} to {now[0]:,} bytes"
        raise BadInput(f"{self.path}: {what} since it was opened; give back the file as it was, and start or resume the run")

    @cached_property
    def mapped(self) -> np.memmap:
        """(N, …) the whole array; nothing is read yet."""
        return np.memmap(self.path, self.kind, mode="r", offset=self.offset, shape=self.stored)

    def examples(self, x: np.ndarray) -> np.ndarray:
        """Rows of the array in the form of examples: images as (n, C, H, W)."""
        if x.ndim == 3:
            return x[:, None]
        return x.transpose(0, 3, 1, 2) if self.axis == 3 else x

    def read(self, rows: np.ndarray | slice) -> Tensor:
        """(n, *shape) of these rows, in the type `dtype`. Raises BadInput if the file has changed."""
        self.check()
        x = self.mapped[rows if self.index is None else self.index[rows]]
        return torch.from_numpy(np.array(self.examples(x), dtype=NUMPY[self.dtype], order="C"))

    def chunks(self) -> Iterator[Tensor]:
        """All rows in order, a part of them in memory at a time."""
        step = max(1, CHUNK // (self.kind.itemsize * math.prod(self.stored[1:])))
        for start in range(0, len(self), step):
            yield self.read(slice(start, start + step))


class Mapped(Source):
    """A file that is read as needed, so that an array may be larger than the memory.

    mean, std  (D,) float64 of a table that is standardised at each reading
    """

    resident = False

    def __init__(
        self,
        array: FileArray,
        device: torch.device,
        scale: float = 1.0,
        mean: Tensor | None = None,
        std: Tensor | None = None,
    ) -> None:
        self.array, self.device, self.scale = array, device, scale
        self.mean, self.std = mean, std
        self.shape, self.dtype = array.shape[1:], torch.uint8 if array.dtype == torch.uint8 else torch.float32

    def __len__(self) -> int:
        return len(self.array)

    def raw(self, rows: Tensor) -> Tensor:
        x = self.array.read(rows.cpu().numpy())
        if self.mean is not None:
            x = (x - self.mean) / self.std
        x = x.to(self.dtype)
        if self.device.type == "cuda":
            return x.pin_memory().to(self.device, non_blocking=True)
        return x.to(self.device)

    def sequential(self, rows: Tensor) -> Tensor:
        return self.raw(rows)


def chunks_of(x: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The rows of an array, a part of them in memory at a time, each part with the number of its first row."""
    step = max(1, CHUNK // (x.dtype.itemsize * math.prod(x.shape[1:])))
    for start in range(0, len(x), step):
        yield start, x[start : start + step]


def extremes(x: Tensor | FileArray, rows: Tensor | None = None) -> tuple[float, float]:
    """The smallest and the largest value of an array, or of these rows of it; of a file as a model sees them, in float32."""
    if isinstance(x, Tensor):
        low, high = (x if rows is None else x[rows]).aminmax()
        return low.item(), high.item()
    whole = x if rows is None else x[rows]
    parts = [(part.min().item(), part.max().item()) for part in (part.to(IN_MODELS[x.dtype]) for part in whole.chunks())]
    return min(low for low, _ in parts), max(high for _, high in parts)


def version_of(path: Path) -> tuple[int, int, int]:
    """Size in bytes, time of the last change in ns, and number of a file; zeros if there is none."""
    try:
        now = os.stat(path)
    except OSError:
        return 0, 0, 0
    return now.st_size, now.st_mtime_ns, now.st_ino
