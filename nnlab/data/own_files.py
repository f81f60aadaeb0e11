"""A user's own files as inputs of a trained model: a folder of images, or an .npz, read like the model's data."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nnlab.data.datasets.npz import DAMAGED
from nnlab.data.image_files import FORMATS, images_under, is_image, read_image
from nnlab.data.inputs import Inputs, Reader, Reiterable, spread
from nnlab.data.member import opened
from nnlab.data.parts import classes_of, to_dict
from nnlab.data.readings import BITS, BYTES, Reading, axis_of, channels_first, read
from nnlab.data.spec import Batch, DataSpec
from nnlab.errors import BadInput, one_line, printable

ARRAYS = {"x": "y", "x_train": "y_train"}  # of an .npz: the inputs, and optionally their labels


def of_path(path: Path, reader: Reader, most: int | None = None) -> Inputs:
    """Inputs from a folder of images, one image, or an .npz; at most `limit` of them, evenly spaced.

    Raises BadInput if it is none of these, or does not fit the model.
    """
    if path.is_dir():
        check_images_fit(path, reader.spec)
        names = [file.relative_to(path).as_posix() for file in images_under(path)]
        if not names:
            raise BadInput(f"{path}: holds no image. Known formats: {FORMATS}")
        return of_images(path, [names[i] for i in spread(len(names), most)], reader)
    if not path.is_file():
        raise BadInput(f"{path}: no such folder or file")
    if is_image(path):
        check_images_fit(path, reader.spec)
        return of_images(path.parent, [path.name], reader)
    if not zipfile.is_zipfile(path):
        raise BadInput(f"{path}: expected a folder of images, an image, or an .npz with an array 'x'")
    return of_npz(path, reader, most)


# -- image files ------------------------------------------------------------------------------------------------------


def check_images_fit(path: Path, spec: DataSpec) -> None:
    """Raise BadInput unless the model takes images."""
    if spec.kind != "image" or not spec.in_unit_interval:
        kind = f"rows of {spec.features} columns" if spec.kind == "table" else f"images of values {spec.low:g} … {spec.high:g}"
        files = "a folder of image files" if path.is_dir() else "an image file"
        raise BadInput(f"{path}: {files}, but the model takes {kind}; give an .npz with an array 'x'")


def of_images(folder: Path, names: list[str], reader: Reader) -> Inputs:
    """Images of a folder, resized to the model's size; the subfolders are their classes.

    They are decoded chunk by chunk, so memory grows only with the list of names.
    """
    spec = reader.spec
    read = partial(read_image, size=spec.shape[1:], grayscale=spec.shape[0] == 1)

    def batches() -> Iterator[Batch]:
        with ThreadPoolExecutor() as pool:  # PIL releases Python's lock while it decodes
            for start in range(0, len(names), reader.chunk):
                files = [folder / name for name in names[start : start + reader.chunk]]
                pixels = np.stack(list(pool.map(read, files)))
                yield reader.batch(torch.from_numpy(pixels), 1 / 255, f"{folder}")

    labels, classes = None, ()
    if all("/" in name for name in names):
        labels, classes = numbered(np.array([printable(name.split("/")[0]) for name in names]), spec)
    name = str(folder / names[0]) if len(names) == 1 else str(folder)
    return Inputs(name, Reiterable(batches, reader.generator), np.array(names), reader.bits(8), labels, classes)


def numbered(labels: np.ndarray, spec: DataSpec) -> tuple[np.ndarray, tuple[str, ...]]:
    """(n,) labels of any kind as numbers (n,) int64 with their names; the model's classes if all labels are among them."""
    y, classes = classes_of(labels)
    if not set(classes) <= set(spec.classes):
        return y.numpy(), classes
    return np.array([spec.classes.index(name) for name in classes])[y.numpy()], spec.classes


# -- an .npz ----------------------------------------------------------------------------------------------------------


def of_npz(path: Path, reader: Reader, most: int | None = None) -> Inputs:
    """The array `x` or `x_train` of an .npz, read chunk by chunk, with its labels `y` or `y_train`; at most `limit` rows."""
    if not zipfile.is_zipfile(path):
        raise BadInput(f"{path}: is no .npz; write one by numpy.savez(FILE, x=…, y=…)")
    with readable(path), np.load(path, allow_pickle=False) as archive:  # a pickle would run code
        name = next((name for name in ARRAYS if name in archive.files), None)
        if name is None:
            raise BadInput(f"{path}: no array 'x' or 'x_train'; it holds {', '.join(archive.files) or 'nothing'}")
        given = None
        if ARRAYS[name] in archive.files:
            with opened(path, ARRAYS[name]):  # the header is right
                given = archive[ARRAYS[name]]
    with readable(path), opened(path, name) as (_, shape, dtype, _):
        check_fits(path, name, shape, dtype, reader.spec)
    if given is not None and given.shape not in (shape[:1], (*shape[:1], 1)):
        raise BadInput(f"{path}: {ARRAYS[name]} has shape {given.shape}; expected one label per row of {name}, {shape[:1]}")
    labels, classes = (None, ()) if given is None else numbered(to_dict(given), reader.spec)
    places = spread(shape[0], most)

    def batches() -> Iterator[Batch]:
        start = 0
        for part in chunks(path, name, reader.chunk):
            rows = places[slice(*np.searchsorted(places, [start, start + len(part)]))]
            if len(rows):
                yield reader.batch(*as_the_data(part[rows - start], reader.spec), f"{path}: {name}", rows)
            start += len(part)

    bits = reader.bits(1 if dtype == np.bool_ else 8 * dtype.itemsize)
    batches = Reiterable(batches, reader.generator)
    return Inputs(str(path), batches, places, bits, None if labels is None else labels[places], classes)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn errors of a damaged .npz into a BadInput that names the file."""
    try:
        yield
    except DAMAGED as error:
        raise BadInput(f"{path}: cannot be read ({one_line(error)})") from error


def chunks(path: Path, name: str, count: int) -> Iterator[np.ndarray]:
    """(count, …) rows of an array inside an .npz, one chunk in memory at a time; all of it if it is stored by columns."""
    with readable(path), opened(path, name) as (file, shape, dtype, by_column):
        if by_column:
            whole = np.frombuffer(bytearray(file.read()), dtype).reshape(shape, order="F")
            yield from (whole[start : start + count] for start in range(0, shape[0], count))
            return
        size = dtype.itemsize * math.prod(shape[1:])
        for start in range(0, shape[0], count):
            n = min(count, shape[0] - start)
            yield np.frombuffer(bytearray(file.read(n * size)), dtype).reshape(n, *shape[1:])


def as_the_data(x: np.ndarray, spec: DataSpec) -> tuple[Tensor, float]:
    """Rows of an array in the form of the model's data: (n, *shape), and their scale.

    Integers of an image are scaled as in the model's data; real numbers are not scaled. If the channels could be either
    axis, the axis is used that gives the model's shape.
    """
    if x.ndim <= 2:
        return torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64)), 1.0
    last = channels_first(x, "auto")
    images = last if tuple(last.shape[1:]) == spec.shape or x.ndim == 3 else channels_first(x, "first")
    levels = {"b": BITS, "f": None}.get(x.dtype.kind, spec.range or (BYTES if x.dtype == np.uint8 else None))
    return read(images, Reading(levels))


def check_fits(path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype, spec: DataSpec) -> None:
    """Raise BadInput unless an array fits the model."""
    if dtype.kind not in "buif":
        raise BadInput(f"{path}: {name} holds {dtype}; expected numbers")
    if not shape or not shape[0]:
        raise BadInput(f"{path}: {name} has shape {shape}, without a row")
    fits = len(shape) < 5 and (len(shape) != 4 or axis_of(shape, "auto") is not None)
    row, scale = as_the_data(np.zeros((1, *shape[1:]), dtype), spec) if fits else (None, 1.0)
    if row is None or tuple(row.shape[1:]) != spec.shape:
        raise BadInput(f"{path}: {name} has shape {shape}; this model takes {shapes(spec)}")
    if scale != 1 and not spec.in_unit_interval:
        raise BadInput(
            f"{path}: {name} holds bytes, which become 0 … 1, but the model learned from values {spec.low:g} … {spec.high:g}"
        )


def shapes(spec: DataSpec) -> str:
    """The shapes of arrays that fit, as `Npz` reads them."""
    if spec.kind == "table":
        return f"rows (N, {spec.features})"
    c, h, w = spec.shape
    return f"images (N, {h}, {w}, {c}) or (N, {c}, {h}, {w})" + (f" or (N, {h}, {w})" if c == 1 else "")
