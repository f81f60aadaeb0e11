"""A user's own arrays in an .npz or .npy file, as images or as a table, in memory or read from the disk as needed."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from nnlab.data.dataset import Share
from nnlab.data.images import Images
from nnlab.data.member import header_of, located, opened
from nnlab.data.parts import classes_of, to_dict, with_test
from nnlab.data.readings import Channels, Range, Reading, axis_of, channels_first, channels_remark, read, reading_of, scale_of
from nnlab.data.source import FileArray, chunks_of
from nnlab.data.split import Arrays
from nnlab.data.table import Table
from nnlab.errors import BadInput, one_line

DAMAGED = (ValueError, OSError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error)
SHAPES = "images (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels, or a table (N, D)"


class Npz(Images, Table):
    """A user's arrays in one .npz file: `x_train`, and optionally `y_train`, `x_test`, `y_test`; or `x_train` as an .npy file.

    Images are (N, H, W), (N, H, W, C) or (N, C, H, W); a table is (N, D).
    Without `x_test` the test split is a share `test` of each class.

    range     the numbers of an image that become 0 and 1; auto: by type and values (`readings.reading_of`);
              None: not scaled
    channels  the axis of the channels, if the shape does not say it
    storage   memory: the examples are read once; disk: those of a batch are read when it is needed; auto: memory if they fit
    """

    def __init__(
        self,
        *,
        file: str,
        test: Share = 0.1,
        range: Range = "auto",
        channels: Channels = "auto",
        standardize: bool = False,
        storage: Literal["auto", "memory", "disk"] = "auto",
        **common,
    ) -> None:
        super().__init__(standardize=standardize, **common)
        self.file = self.root / file
        self.test = test
        self.range, self.channels = range, channels
        self.storage = storage

    @property
    def name(self) -> str:
        """The name of the file without its ending."""
        return self.file.stem

    def size(self) -> int:
        """Bytes of the arrays in memory, from their headers."""
        try:
            return sum(
                kept_bytes(name, shape, dtype)
                for name, (shape, dtype) in self._headers().items()
                if self.storage != "disk" or name.startswith("y_")
            )
        except FileNotFoundError as error:
            raise BadInput(f"data.file: no file {self.file}. Give one inside data.root, or an absolute path") from error
        except DAMAGED as error:
            raise self._unreadable(error) from error

    def read_from_disk(self) -> bool:
        """With storage auto: read the examples as needed from now on. Without it False."""
        if self.storage != "auto":
            return False
        self.storage = "disk"
        self.remark(f"{self.file.name} does not fit into memory: its examples are read from the disk as they are needed")
        return True

    @property
    def _is_npy(self) -> bool:
        return self.file.suffix == ".npy"

    def _headers(self) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        """The shape and the type of each array."""
        if self._is_npy:
            with self.file.open("rb") as file:
                header = header_of(file, self.file.stat().st_size, "x_train")
            return {"x_train": (header.shape, header.dtype)}
        with zipfile.ZipFile(self.file) as archive:
            names = [entry.filename.removesuffix(".npy") for entry in archive.infolist()]
        headers = {}
        for name in names:
            with opened(self.file, name) as (_, shape, dtype, _):
                headers[name] = (shape, dtype)
        return headers

    def _unreadable(self, error: BaseException) -> BadInput:
        if not self._is_npy and not zipfile.is_zipfile(self.file):
            return BadInput(f"data.file: {self.file} is no npz file ({one_line(error)}). Write one with numpy.savez")
        return BadInput(f"data.file: {self.file} cannot be read ({one_line(error)})")

    def load(self) -> Arrays:
        """The file's arrays as examples and labels. Raises BadInput with all their problems."""
        try:
            found = {name: self._read(name) for name in self._headers()}
            arrays = {name: x.mapped if isinstance(x, FileArray) else x for name, x in found.items()}
        except DAMAGED as error:
            raise self._unreadable(error) from error
        if "x_train" not in arrays:
            names = ", ".join(arrays) or "nothing"
            raise BadInput(f"data.file: {self.file} has no array 'x_train'; it holds {names}")
        problems = [p for key in ("x_train", "x_test") if key in arrays for p in check_values(key, arrays[key], self.channels)]
        for part in ("train", "test"):
            problems += check_labels(part, arrays)
        if "x_test" in arrays:
            problems += check_alike(arrays["x_train"], arrays["x_test"])
        if problems:
            raise BadInput(*problems)
        return self._arrays(found)

    def _read(self, name: str) -> np.ndarray | FileArray:
        """An array of the file; with storage disk only where its values are."""
        if self.storage == "disk" and name.startswith("x_"):
            offset, header = located(self.file, name)
            axis = axis_of(header.shape, self.channels) if len(header.shape) == 4 else None
            return FileArray.opened(self.file, offset, header.shape, header.dtype, axis)
        if self._is_npy:
            return np.load(self.file, allow_pickle=False)  # a pickle would run code
        with np.load(self.file, allow_pickle=False) as archive:
            return archive[name]

    def _arrays(self, arrays: Mapping[str, np.ndarray | FileArray]) -> Arrays:
        kept, scale, levels = self._examples([arrays[key] for key in ("x_train", "x_test") if key in arrays])
        y, classes = classes_of(to_dict(arrays["y_train"])) if "y_train" in arrays else (None, ())
        if len(kept) == 1:
            return replace(with_test(kept[0], y, self.test, classes, scale), range=levels)
        y_test = None
        if "y_test" in arrays and classes:
            index = {name: i for i, name in enumerate(classes)}
            names = [str(name) for name in to_dict(arrays["y_test"])]
            unknown = sorted(set(names) - set(index))
            if unknown:
                raise BadInput(f"data.file: y_test holds classes that y_train lacks: {', '.join(unknown[:5])}")
            y_test = torch.tensor([index[name] for name in names])
        return Arrays(kept[0], y, kept[1], y_test, classes, scale, range=levels)

    def _examples(
        self, parts: list[np.ndarray] | list[FileArray]
    ) -> tuple[list[Tensor] | list[FileArray], float, tuple[float, float] | tuple[()]]:
        """The examples, the scale of their values, and the numbers of the file that become 0 and 1."""
        on_disk = isinstance(parts[0], FileArray)
        values = [x.mapped for x in parts] if on_disk else parts
        if values[0].ndim == 2:
            return parts if on_disk else [torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64)) for x in parts], 1.0, ()
        reading = reading_of(values, self.range)
        self.remark(reading.remark, channels_remark(values[0].shape, self.channels))
        if on_disk:
            return parts, self._scale_on_disk(reading, values[0].dtype), reading.low_high or ()
        pairs = [read(channels_first(x, self.channels), reading) for x in values]
        return [x for x, _ in pairs], pairs[0][1], reading.low_high or ()

    def _scale_on_disk(self, reading: Reading, dtype: np.dtype) -> float:
        """The scale of images that stay on the disk. Raises BadInput if they would have to be converted."""
        scale = scale_of(dtype, reading)
        if scale is None:
            raise BadInput(
                f"data.storage: images of {dtype} in {self.file.name} are converted, which is done in memory; "
                "save them as uint8, or as float32 within [0, 1]"
            )
        return scale


def check_values(key: str, x: np.ndarray, channels: Channels = "auto") -> list[str]:
    """Problems of an array of examples named `key`: its type, its shape, its channels, values that are not finite."""
    if x.dtype.kind not in "buif":
        return [f"data.file: {key} holds {x.dtype}; expected numbers"]
    if x.ndim not in (2, 3, 4) or 0 in x.shape:
        return [f"data.file: {key} has shape {x.shape}; expected {SHAPES}"]
    if x.ndim == 4 and axis_of(x.shape, channels) is None:
        remedy = {2: f"; of gray and alpha give {key}[..., :1]", 4: f"; of RGBA give {key}[..., :3]"}.get(x.shape[3], "")
        return [f"data.file: {key} has shape {x.shape}, without an axis of 1 or 3 channels{remedy}; expected {SHAPES}"]
    first, count = not_finite(x) if x.dtype.kind == "f" else ((), 0)
    if count:
        place = ", ".join(map(str, first))
        return [f"data.file: {key}[{place}] is {x[first]}; {count} values are not finite in float32. Fill or remove those rows"]
    return []


def not_finite(x: np.ndarray) -> tuple[tuple[int, ...], int]:
    """The place of the first value that is not finite in float32, and the number of such values."""
    first, count = (), 0
    for start, part in chunks_of(x):
        with np.errstate(over="ignore"):
            bad = np.argwhere(~np.isfinite(part.astype(np.float32)))  # kept as float32
        if len(bad) and not count:
            first = (start + int(bad[0][0]), *map(int, bad[0][1:]))
        count += len(bad)
    return first, count


def check_labels(part: str, arrays: dict[str, np.ndarray]) -> list[str]:
    """Problems of the labels of a part (train or test): labels without examples, another number of them, labels missing."""
    x, y = f"x_{part}", f"y_{part}"
    if y not in arrays:
        return []
    if x not in arrays or (part == "test" and "y_train" not in arrays):
        return [f"data.file: {y} is not used without {x} and y_train"]
    labels, n = arrays[y], arrays[x].shape[:1]
    if arrays[x].ndim and labels.shape not in (n, (*n, 1)):
        remedy = f"; for one-hot rows use {y}.argmax(1)" if labels.ndim == 2 and labels.shape[:1] == n else ""
        return [f"data.file: {y} has shape {labels.shape}; expected one label per row of {x}, {n}{remedy}"]
    missing = np.flatnonzero(labels != labels)  # NaN, and of dates NaT
    if len(missing):
        return [f"data.file: {y}[{missing[0]}] is {labels.flat[missing[0]]}, {len(missing)} such labels; remove those rows"]
    return []


def check_alike(x_train: np.ndarray, x_test: np.ndarray) -> list[str]:
    """Problems of test examples that differ from the training examples in the shape of a row or in type."""
    problems = []
    if x_test.shape[1:] != x_train.shape[1:]:
        problems.append(f"data.file: x_test has rows of shape {x_test.shape[1:]}, x_train {x_train.shape[1:]}")
    if x_test.dtype != x_train.dtype:
        problems.append(f"data.file: x_test is {x_test.dtype}, x_train is {x_train.dtype}")
    return problems


def kept_bytes(name: str, shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Bytes of an array in memory: bytes stay bytes, labels become int64, the rest float32."""
    if name.startswith("y_"):
        return 8 * math.prod(shape)
    return math.prod(shape) * (1 if len(shape) > 2 and dtype in (np.uint8, np.bool_) else 4)
