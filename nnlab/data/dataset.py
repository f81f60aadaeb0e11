"""A dataset: its files, its size, its arrays, and its three splits on the device."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from nnlab.config.constraints import SEED, AtLeast, Between, NonEmpty
from nnlab.data.classes import choose
from nnlab.data.identity import digest, splits_digest
from nnlab.data.spec import DataSpec
from nnlab.data.split import Arrays, Data, Split
from nnlab.errors import BadInput

Share = Annotated[float, Between(0, 0.9)]
STRATUM_SEED = 0x5EED


class Dataset(ABC):
    """Base of every dataset. A subclass gives its size in bytes (`size`) and reads it (`load`).

    root        folder of all datasets
    validation  number of training examples for validation; auto: 5,000 or a tenth, the smaller
    limit       at most this many of the training set and of the test set, chosen by `seed`
    train_size  trains on only this many of the training split, the same number per class if possible, chosen by `seed`
    seed        of the splits
    classes     numbers or names of the classes to learn from, in this order; the others are in no split
    """

    downloads: ClassVar[bool] = False  # whether missing files are downloaded into `folder`

    def __init__(
        self,
        *,
        root: str,
        validation: Literal["auto"] | Annotated[int, AtLeast(0)] = "auto",
        limit: Annotated[int, AtLeast(2)] | None = None,
        train_size: Annotated[int, AtLeast(2)] | None = None,
        seed: Annotated[int, SEED] = 0,
        classes: Annotated[list[int | str], NonEmpty()] | None = None,
    ) -> None:
        self.root = Path(root)
        self.validation = validation
        self.limit, self.train_size = limit, train_size
        self.seed = seed
        self.chosen = classes
        self.remarks: list[str] = []

    def remark(self, *sentences: str) -> None:
        """Store a message for the user about how the files were read; an empty message is ignored."""
        self.remarks += [sentence for sentence in sentences if sentence]

    @property
    def name(self) -> str:
        """The name of the dataset in messages and in its spec; by default the class's name."""
        return type(self).__name__

    @abstractmethod
    def size(self) -> int:
        """Bytes of the whole dataset on the device, known before it is loaded.

        Raises BadInput if the files are missing or wrong.
        """

    @abstractmethod
    def load(self) -> Arrays:
        """Read the files. Raises BadInput if they are missing, damaged or wrong."""
        ...

    def prepare(self, arrays: Arrays, train: Tensor) -> Arrays:
        """The arrays as they are stored; `train` (n,) are the training rows. By default as loaded."""
        return arrays

    def open(self, device: torch.device) -> Data:
        """The three splits on the device. Raises BadInput if the dataset is missing, damaged, or too large for the memory."""
        need, free = self.size(), free_memory(device)
        if need > free:
            raise BadInput(
                f"data: {self.name} takes {need / 2**30:.1f} GiB, {device} has {free / 2**30:.1f} GiB free. "
                "Use smaller images (data.size), another device, or a part of the files"
            )
        loaded = self.load()
        selected = choose(loaded, self.chosen, self.name)
        generator = torch.Generator().manual_seed(self.seed)
        train, validation = self._split_rows(selected.train, generator)
        train = train if self.train_size is None else self._subset(train, selected.arrays.y_train, generator)
        test, others = self._some(selected.test, generator), self._some(selected.held_out, generator)

        arrays = self.prepare(selected.arrays, train)
        levels = loaded.range or ((0.0, 255.0) if loaded.scale == 1 / 255 else ())
        marks = {"digest": digest(loaded), "splits": splits_digest(train, validation, test)}
        spec = replace(self._spec(arrays, train), **marks, range=levels)
        x, y = arrays.x_train.to(device), None if arrays.y_train is None else arrays.y_train.to(device)
        x_test, y_test = arrays.x_test.to(device), None if arrays.y_test is None else arrays.y_test.to(device)
        return Data(
            spec,
            Split(x, y, train.to(device), arrays.scale, arrays.dynamic_binarization),
            Split(x, y, validation.to(device), arrays.scale, arrays.dynamic_binarization),
            Split(x_test, y_test, test.to(device), arrays.scale, arrays.dynamic_binarization),
            Split(x_test, y_test, others.to(device), arrays.scale, arrays.dynamic_binarization),
            selected.held_out_classes,
            tuple(self.remarks),
        )

    def _some(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """At most `limit` of the rows, in the order of the file."""
        return rows[torch.randperm(len(rows), generator=generator)[: self.limit]].sort().values

    def _subset(self, rows: Tensor, y: Tensor | None, generator: torch.Generator) -> Tensor:
        """`train_size` of the rows, the same number per class up to a remainder, in the order of the file."""
        if self.train_size > len(rows):
            raise BadInput(f"data.train_size: {self.train_size} of {len(rows)} training examples")
        shuffled = rows[torch.randperm(len(rows), generator=generator)]
        turn = torch.arange(len(rows))  # the position of an example within its class, or in the whole set without classes
        for label in [] if y is None else y[shuffled].unique():
            own = y[shuffled] == label
            turn[own] = torch.arange(int(own.sum()))
        return shuffled[turn.argsort(stable=True)[: self.train_size]].sort().values

    def _split_rows(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rows for training and for validation, each in the order of the file."""
        order = rows[torch.randperm(len(rows), generator=generator)[: self.limit]]
        validation = min(5000, len(order) // 10) if self.validation == "auto" else self.validation
        if validation >= len(order):
            raise BadInput(f"data.validation: {validation} of {len(order)} training examples leaves none to train on")
        return order[validation:].sort().values, order[:validation].sort().values

    def _spec(self, arrays: Arrays, train: Tensor) -> DataSpec:
        x = arrays.x_train
        image = x.ndim == 4
        if x.dtype == torch.uint8:
            low, high, bounded = 0.0, 1.0, True
        else:  # real values: if all images of all splits are within [0, 1], these are the bounds
            bounded = image and all(bool((part >= 0).all() and (part <= 1).all()) for part in (x, arrays.x_test))
            low, high = (0.0, 1.0) if bounded else (x[train].min().item(), x[train].max().item())
        kind, shape = "image" if image else "table", tuple(x.shape[1:])
        return DataSpec(self.name, kind, shape, arrays.classes, low, high, bounded, arrays.columns, arrays.mean, arrays.std)


@contextmanager
def made_for(folder: Path) -> Iterator[None]:
    """If the body fails, remove the empty folders that it made on the way to `folder`."""
    absent = [part for part in (folder, *folder.parents) if not part.exists()]
    try:
        yield
    except BaseException:
        for part in absent:
            with suppress(OSError):
                part.rmdir()
        raise


def set_aside(y: Tensor | None, n: int, share: float) -> tuple[Tensor, Tensor]:
    """Rows for training and for a test split, for a dataset without one: a share of each class, always the same."""
    generator = torch.Generator().manual_seed(STRATUM_SEED)
    test = torch.zeros(n, dtype=torch.bool)
    for group in [torch.arange(n)] if y is None else [(y == c).nonzero().flatten() for c in y.unique()]:
        shuffled = group[torch.randperm(len(group), generator=generator)]
        test[shuffled[: round(share * len(group))]] = True
    return (~test).nonzero().flatten(), test.nonzero().flatten()


def free_memory(device: torch.device) -> int:
    """Free bytes of a device; on the CPU the kernel's MemAvailable."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # not Linux
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 2**62


def own_root() -> Path:
    """The user's own folder of datasets, NNLAB_DATA or datasets; a run's config does not change it."""
    return Path(os.environ.get("NNLAB_DATA") or "datasets")
