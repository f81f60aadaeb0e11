"""An array inside an .npz; its header is checked before memory is allocated."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nnlab.errors import shortened


@contextmanager
def opened(path: Path, name: str) -> Iterator[tuple[BinaryIO, tuple[int, ...], np.dtype, bool]]:
    """An array inside an .npz: the file after its header, its shape, its type, and whether it is stored by columns."""
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_column, dtype = read(file)
        held = archive.getinfo(f"{name}.npy").file_size - file.tell()
        if math.prod(shape) * dtype.itemsize != held:  # before memory is allocated
            raise ValueError(f"the header of {name} says shape {shortened(shape)}, but it has {held:,} bytes")
        yield file, shape, dtype, by_column
