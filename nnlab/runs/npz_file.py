"""An .npz written array by array, and an array part by part: what it takes of the memory does not grow with the file."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from nnlab.errors import BadInput, explain
from nnlab.runs.files import replacing


@contextmanager
def archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """An .npz to write into: beside the file and renamed at the end, so that one that fails leaves what was there before.

    Raises BadInput if there is no writing there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file, zipfile.ZipFile(file, "w") as made:
            yield made
    except OSError as error:
        raise BadInput(explain(error, path)) from error


def write_array(into: zipfile.ZipFile, name: str, rows: int, parts: Iterable[np.ndarray]) -> None:
    """The array (rows, …) of its parts (n, …), under a name, as numpy.load reads it."""
    # an entry without a time: the same codes are the same bytes
    with into.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
        for number, part in enumerate(parts):
            if number == 0:
                kind = np.lib.format.dtype_to_descr(part.dtype)
                header = {"descr": kind, "fortran_order": False, "shape": (rows, *part.shape[1:])}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(part.tobytes())  # row by row, however it lies in memory
