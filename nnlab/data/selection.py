"""Examples that a user selects from a split: by classes, or by a file of indices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nnlab.data.classes import class_index
from nnlab.data.datasets.npz import DAMAGED
from nnlab.data.spec import DataSpec
from nnlab.data.split import Split
from nnlab.errors import BadInput, one_line


@dataclass(frozen=True)
class Selection:
    """A selection: numbers of classes, or indices from a file.

    typed    as the user typed it
    option   the option it was given for
    classes  their numbers; None if a file lists the examples
    places   (n,) int64, ascending, in the split; None for classes
    name     for pictures and messages
    """

    typed: str
    option: str
    classes: tuple[int, ...] | None
    places: np.ndarray | None
    name: str

    def rows(self, split: Split, split_name: str) -> Tensor:
        """(n,) rows of the split's array. Raises BadInput if there are none, or if an index is out of range."""
        if self.classes is None:
            return split.at(torch.from_numpy(self._inside(len(split), split_name)))
        labels = split.labels(split.rows)
        if labels is None:
            raise BadInput(f"{self.option} {self.typed}: the {split_name} split has no labels; give a file of indices")
        rows = split.at(torch.isin(labels, torch.tensor(self.classes, device=labels.device)))
        if not len(rows):
            raise BadInput(f"{self.option} {self.typed}: the {split_name} split has no example of {self.name}")
        return rows

    def _inside(self, n: int, split_name: str) -> np.ndarray:
        beyond = self.places[(self.places < 0) | (self.places >= n)]
        if len(beyond):
            raise BadInput(f"{self.option} {self.typed}: it lists {beyond[0]}; the {split_name} split has examples 0 … {n - 1}")
        return self.places


def selection(typed: str, option: str, spec: DataSpec) -> Selection:
    """Classes by name, or else by number, as in `3,5` or `sneaker`; or a file of indices. Raises BadInput if it is neither.

    A name may be written in small letters. A file has one integer per line, or is an array of integers from numpy.save.
    """
    path = Path(typed)
    if path.suffix.lower() in (".npy", ".txt") or path.is_file():
        places = listed(path, option)
        return Selection(typed, option, None, places, path.stem)
    if not spec.classes:
        raise BadInput(f"{option} {typed}: {spec.name} has no labels to choose by; give a file of indices")
    # a name may have a comma in it
    parts = [typed] if typed.lower() in (name.lower() for name in spec.classes) else typed.split(",")
    numbers = dict.fromkeys(class_index(part.strip(), spec.classes, spec.name, f"{option} {typed}") for part in parts)
    return Selection(typed, option, tuple(numbers), None, ", ".join(spec.classes[number] for number in numbers))


def listed(path: Path, option: str) -> np.ndarray:
    """(n,) int64 the indices of a file, each once, ascending. Raises BadInput if there are none, or other values."""
    if not path.is_file():
        raise BadInput(f"{option} {path}: no such file")
    try:
        indices = of_array(path) if path.suffix.lower() == ".npy" else of_lines(path, option)
    except (*DAMAGED, OverflowError) as error:
        raise BadInput(f"{option} {path}: cannot be read as indices ({one_line(error)}); write one per line") from error
    if not isinstance(indices, np.ndarray) or indices.ndim != 1 or (indices.size and indices.dtype.kind not in "iu"):
        shown = f"{indices.dtype} of shape {indices.shape}" if isinstance(indices, np.ndarray) else "several arrays"
        raise BadInput(f"{option} {path}: holds {shown}; expected indices, whole numbers of shape (n,)")
    if not indices.size:
        raise BadInput(f"{option} {path}: holds no index; expected one per line")
    return np.unique(indices.astype(np.int64))


def of_array(path: Path) -> np.ndarray:
    """The array of a .npy. It is mapped first, which fails if the file is shorter than its header says."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    return np.array(array) if isinstance(array, np.ndarray) else array


def of_lines(path: Path, option: str) -> np.ndarray:
    """The integers of a text file, one per line, (n,) int64. Raises BadInput with a line that is not an integer."""
    numbers = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            numbers += [int(line)] if line.strip() else []
        except ValueError:
            raise BadInput(f"{option} {path}, line {number}: expected a whole number, got '{line.strip()[:40]}'") from None
    return np.array(numbers, np.int64)
