from __future__ import annotations

import math
import zipfile
import zlib

import numpy as np
import torch
from torch import Tensor

from nnlab.data.dataset import Arrays, Share
from nnlab.data.images import Images
from nnlab.data.parts import classes_of, with_test
from nnlab.data.table import Table
from nnlab.errors import BadInput, one_line

DAMAGED = (ValueError, OSError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error)
SHAPES = "images (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels, or a table (N, D)"


class Npz(Images, Table):
    """A user's arrays in one .npz file: `x_train`, and where there are any `y_train`, `x_test`, `y_test`.

    Images are (N, H, W), (N, H, W, C) or (N, C, H, W), as bytes (0 … 255 stand for 0 … 1) or real numbers; a table is
    (N, D). Without `x_test` a share `test` of the rows is set aside, class by class.
    """

    def __init__(self, *, file: str, test: Share = 0.1, standardize: bool = False, **common) -> None:
        super().__init__(standardize=standardize, **common)
        self.file = self.root / file
        self.test = test

    @property
    def name(self) -> str:
        return self.file.stem

    def size(self) -> int:
        """Bytes of the arrays as they will be kept, read off their headers."""
        try:
            with zipfile.ZipFile(self.file) as archive:
                return sum(kept_bytes(archive, entry.filename) for entry in archive.infolist())
        except FileNotFoundError as error:
            raise BadInput(f"data.file: no file {self.file}. Give one inside data.root, or an absolute path") from error
        except DAMAGED as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: BaseException) -> BadInput:
        if not zipfile.is_zipfile(self.file):
            return BadInput(f"data.file: {self.file} is no npz file ({one_line(error)}). Write one with numpy.savez")
        return BadInput(f"data.file: {self.file} cannot be read ({one_line(error)}); arrays of objects are not allowed")

    def load(self) -> Arrays:
        try:
            with np.load(self.file, allow_pickle=False) as archive:  # a pickle would run code
                found = {key: archive[key] for key in archive.files}
        except DAMAGED as error:
            raise self._unreadable(error) from error
        if "x_train" not in found:
            names = ", ".join(found) or "nothing"
            raise BadInput(f"data.file: {self.file} has no array 'x_train'; it holds {names}")
        problems = [p for key in ("x_train", "x_test") if key in found for p in check_values(key, found[key])]
        for part in ("train", "test"):
            problems += check_labels(part, found)
        if "x_test" in found:
            problems += check_alike(found["x_train"], found["x_test"])
        if problems:
            raise BadInput(*problems)
        return self._arrays(found)

    def _arrays(self, found: dict[str, np.ndarray]) -> Arrays:
        x, scale = to_tensor(found["x_train"])
        y, classes = classes_of(found["y_train"]) if "y_train" in found else (None, ())
        if "x_test" not in found:
            return with_test(x, y, self.test, classes, scale)
        y_test = None
        if "y_test" in found and classes:
            index = {name: i for i, name in enumerate(classes)}
            unknown = sorted({str(name) for name in found["y_test"]} - set(index))
            if unknown:
                raise BadInput(f"data.file: y_test holds classes that y_train lacks: {', '.join(unknown[:5])}")
            y_test = torch.tensor([index[str(name)] for name in found["y_test"]])
        return Arrays(x, y, to_tensor(found["x_test"])[0], y_test, classes, scale)


def check_values(key: str, x: np.ndarray) -> list[str]:
    if x.dtype.kind not in "buif":
        return [f"data.file: {key} holds {x.dtype}; expected numbers"]
    if x.ndim not in (2, 3, 4) or 0 in x.shape:
        return [f"data.file: {key} has shape {x.shape}; expected {SHAPES}"]
    if x.ndim == 4 and channel_axis(x) is None:
        return [f"data.file: {key} has shape {x.shape}, without an axis of 1 or 3 channels; expected {SHAPES}"]
    with np.errstate(over="ignore"):
        bad = np.argwhere(~np.isfinite(x.astype(np.float32))) if x.dtype.kind == "f" else ()  # kept as float32
    if len(bad):
        place = ", ".join(str(i) for i in bad[0])
        return [
            f"data.file: {key}[{place}] is {x[tuple(bad[0])]}; {len(bad)} values are not finite in float32. "
            "Fill or remove those rows"
        ]
    return []


def check_labels(part: str, found: dict[str, np.ndarray]) -> list[str]:
    x, y = f"x_{part}", f"y_{part}"
    if y not in found:
        return []
    if x not in found or (part == "test" and "y_train" not in found):
        return [f"data.file: {y} has no use without {x} and y_train"]
    if found[x].ndim and found[y].shape != found[x].shape[:1]:
        return [f"data.file: {y} has shape {found[y].shape}; expected one label a row of {x}, {found[x].shape[:1]}"]
    return []


def check_alike(x_train: np.ndarray, x_test: np.ndarray) -> list[str]:
    problems = []
    if x_test.shape[1:] != x_train.shape[1:]:
        problems.append(f"data.file: x_test has rows of shape {x_test.shape[1:]}, x_train {x_train.shape[1:]}")
    if x_test.dtype != x_train.dtype:
        problems.append(f"data.file: x_test is {x_test.dtype}, x_train is {x_train.dtype}")
    return problems


def kept_bytes(archive: zipfile.ZipFile, name: str) -> int:
    """Of an array in an npz: bytes stay bytes, labels become int64, all else float32."""
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    if name.startswith("y_"):
        return 8 * math.prod(shape)
    return math.prod(shape) * (1 if len(shape) > 2 and dtype in (np.uint8, np.bool_) else 4)


def channel_axis(x: np.ndarray) -> int | None:
    return next((axis for axis in (3, 1) if x.shape[axis] in (1, 3)), None)


def to_tensor(x: np.ndarray) -> tuple[Tensor, float]:
    """(N, C, H, W), or (N, D) in float64 until it is standardised; with the scale of its values."""
    if x.ndim == 2:
        return torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64)), 1.0
    if x.ndim == 3:
        x = x[:, None]
    elif x.ndim == 4 and channel_axis(x) == 3:
        x = x.transpose(0, 3, 1, 2)
    if x.ndim == 4 and x.dtype == np.bool_:
        return torch.from_numpy(x.astype(np.uint8)), 1.0
    if x.ndim == 4 and x.dtype == np.uint8:
        return torch.from_numpy(np.ascontiguousarray(x)), 1 / 255
    return torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)), 1.0
