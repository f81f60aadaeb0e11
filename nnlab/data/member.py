"""An array inside an .npz, or in a .npy; its header is checked before memory is allocated."""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from nnlab.errors import shortened


class Header(NamedTuple):
    """What the header of an array says: its shape, whether it is stored by columns, and its type."""

    shape: tuple[int, ...]
    by_column: bool
    dtype: np.dtype


@contextmanager
def opened(path: Path, name: str) -> Iterator[tuple[BinaryIO, tuple[int, ...], np.dtype, bool]]:
    """An array inside an .npz: the file after its header, its shape, its type, and whether it is stored by columns."""
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
        header = header_of(file, archive.getinfo(f"{name}.npy").file_size, name)
        yield file, header.shape, header.dtype, header.by_column


def header_of(file: BinaryIO, size: int, name: str) -> Header:
    """The header of an array; the file stands after it then.

    Raises ValueError if it holds objects, or if the file of `size` bytes ends before it.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    header = Header(*read(file))
    if header.dtype.hasobject:
        raise ValueError(f"{name} holds objects; arrays of objects are not allowed")
    held = size - file.tell()
    if math.prod(header.shape) * header.dtype.itemsize != held:  # before memory is allocated
        raise ValueError(f"the header of {name} says shape {shortened(header.shape)}, but it has {held:,} bytes")
    return header


def located(path: Path, name: str) -> tuple[int, Header]:
    """Where the values of an array begin in the bytes of an .npz or a .npy, and its header.

    Raises ValueError if they do not lie there as they are, row by row.
    """
    if path.suffix == ".npy":
        with path.open("rb") as file:
            header = header_of(file, path.stat().st_size, name)
            offset = file.tell()
    else:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(f"{name}.npy")
            if info.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{name} is compressed, and cannot be read a part at a time; write it with numpy.savez")
            with archive.open(info) as file:
                header = header_of(file, info.file_size, name)
                offset = file.tell()
        with path.open("rb") as file:  # 30 bytes, the name and other fields stand before a member of a zip file
            file.seek(info.header_offset + 26)
            offset += info.header_offset + 30 + sum(struct.unpack("<HH", file.read(4)))
    if header.by_column:
        raise ValueError(f"{name} is stored by columns; write it with numpy.ascontiguousarray")
    return offset, header
