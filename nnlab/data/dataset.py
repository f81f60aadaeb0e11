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
from nnlab.data.classes import choose, class_indices, cut, repeated
from nnlab.data.identity import digest, splits_digest
from nnlab.data.source import FileArray, Mapped, Resident, Source, extremes
from nnlab.data.spec import DataSpec
from nnlab.data.split import Arrays, Data, Other, Split
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
    imbalance   by number or name of a class, the share of its training examples that are kept, chosen by `seed`; 0 leaves the
                class out. The test set stays as it is
    oversample  repeat the training examples of the rarer classes until all classes have as many as the largest
    extra       a file of further examples for the training split alone (`data/extra.py`)
    """

    downloads: ClassVar[bool] = False  # whether missing files are downloaded into `folder`
    parts: ClassVar[tuple[str, ...]] = ()
    """The names of the parts that its examples have besides target and label."""

    def __init__(
        self,
        *,
        root: str,
        validation: Literal["auto"] | Annotated[int, AtLeast(0)] = "auto",
        limit: Annotated[int, AtLeast(2)] | None = None,
        train_size: Annotated[int, AtLeast(2)] | None = None,
        seed: Annotated[int, SEED] = 0,
        classes: Annotated[list[int | str], NonEmpty()] | None = None,
        imbalance: dict[int | str, Annotated[float, Between(0, 1)]] | None = None,
        oversample: bool = False,
        extra: str | None = None,
    ) -> None:
        self.root = Path(root)
        self.validation = validation
        self.limit, self.train_size = limit, train_size
        self.seed = seed
        self.chosen, self.imbalance, self.oversample = classes, imbalance, oversample
        self.extra = self.root / extra if extra else None
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

    def original(self, arrays: Arrays) -> Arrays:
        """What the dataset is known by, of what it has loaded: without training examples that others were made into."""
        return arrays

    def open(self, device: torch.device) -> Data:
        """The three splits on the device. Raises BadInput if the dataset is missing, damaged, or too large for the memory."""
        need, free = self.size(), free_memory(device)
        if need > free and not self.read_from_disk():
            raise BadInput(
                f"data: {self.name} takes {need / 2**30:.1f} GiB, {device} has {free / 2**30:.1f} GiB free. "
                "Use smaller images (data.size), another device, a part of the files, or data=npz, which can read from the disk"
            )
        loaded = self.load()
        selected = choose(loaded, self.chosen, self.name)
        generator = torch.Generator().manual_seed(self.seed)
        learned_from = selected.train
        if self.imbalance:
            if self.train_size is not None:
                raise BadInput("data.train_size: draws as many of each class, which undoes data.imbalance; leave one out")
            numbers = class_indices(list(self.imbalance), loaded.classes, self.name, "data.imbalance")
            shares = {loaded.classes[i]: share for i, share in zip(numbers, self.imbalance.values(), strict=True)}
            learned_from = cut(selected.train, selected.arrays, shares, self.name, self.seed)
        train, validation = self._split_rows(learned_from, generator)
        share = len(validation) / (len(train) + len(validation))
        train = train if self.train_size is None else self._subset(train, selected.arrays.y_train, generator)
        if self.oversample:
            train = repeated(train, selected.arrays, self.name)
        # from where a whole training split would leave the generator, so that they do not depend on how it is cut
        whole = torch.Generator().manual_seed(self.seed)
        self._split_rows(selected.train, whole)
        test, others = self._some(selected.test, whole), self._some(selected.held_out, whole)

        arrays = self.prepare(selected.arrays, train)
        levels = loaded.range or ((0.0, 255.0) if loaded.scale == 1 / 255 else ())
        marks = {"digest": digest(self.original(loaded)), "splits": splits_digest(train, validation, test)}
        spec = replace(self._spec(arrays, train), **marks, range=levels)
        check_rows(arrays, self.name)
        learned = sources(arrays, "train", device)
        tested = sources(arrays, "test", device)
        parts = ((learned, train), (learned, validation), (tested, test), (tested, others))
        shared = {name: other.of for name, other in arrays.others.items() if other.of != "target"}
        drawn = frozenset(name for name, other in arrays.others.items() if other.drawn)
        splits = [
            Split(source, place(rows, source["target"]), arrays.dynamic_binarization, shared=shared, drawn=drawn)
            for source, rows in parts
        ]
        for name in (name for name, other in arrays.others.items() if not other.paired):
            rows = self._unpaired_rows(arrays.others[name], share, whole)
            for split, own in zip(splits, rows, strict=True):
                if own is None:
                    split.aligned |= {name}
                else:
                    split.unpaired[name] = place(own, split.sources[name])
        return Data(spec, *splits, selected.held_out_classes, tuple(self.remarks))

    def read_from_disk(self) -> bool:
        """Leave the examples on the disk and read them as needed, if this dataset can; else False."""
        return False

    def _unpaired_rows(self, other: Other, share: float, generator: torch.Generator) -> tuple[Tensor | None, ...]:
        """Rows of another set of examples for the four splits, None where they are those of the target.

        Validation gets the same share of it as of the target, but leaves an example to train on.
        """
        order = torch.randperm(len(other.train), generator=generator)[: self.limit]
        held = min(round(share * len(order)), len(order) - 1)
        train = order[held:][: self.train_size]
        test = None if other.aligned_test else self._some(torch.arange(len(other.test)), generator)
        return train.sort().values, order[:held].sort().values, test, test

    def _some(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """At most `limit` of the rows, in the order of the file."""
        return rows[torch.randperm(len(rows), generator=generator)[: self.limit]].sort().values

    def _subset(self, rows: Tensor, y: Tensor | None, generator: torch.Generator) -> Tensor:
        """`train_size` of the rows, the same number per class up to a remainder, in the order of the file."""
        if self.train_size > len(rows):
            raise BadInput(
                f"data.train_size: {self.train_size} of {len(rows)} training examples is too many; give fewer, or leave it out"
            )
        shuffled = rows[torch.randperm(len(rows), generator=generator)]
        turn = torch.arange(len(rows))  # the position of an example within its class, or in the whole set without classes
        for label in [] if y is None else y[shuffled].unique():
            own = y[shuffled] == label
            turn[own] = torch.arange(int(own.sum()))
        kept = shuffled[turn.argsort(stable=True)[: self.train_size]].sort().values
        if y is not None and (lost := len(y[rows].unique()) - len(y[kept].unique())):
            self.remark(f"data.train_size: {self.train_size} examples leave {lost} classes without one")
        return kept

    def _split_rows(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rows for training and for validation, each in the order of the file."""
        order = rows[torch.randperm(len(rows), generator=generator)[: self.limit]]
        validation = self.validation_of(len(order))
        return order[validation:].sort().values, order[:validation].sort().values

    def validation_of(self, n: int) -> int:
        """How many of n training examples are for validation. Raises BadInput if none would be left."""
        validation = min(5000, n // 10) if self.validation == "auto" else self.validation
        if validation >= n:
            raise BadInput(f"data.validation: {validation} of {n} training examples leaves none to train on")
        return validation

    def _spec(self, arrays: Arrays, train: Tensor) -> DataSpec:
        x = arrays.x_train
        kind, shape = "image" if x.ndim == 4 else "table", tuple(x.shape[1:])
        limits = bounds(x, arrays.x_test, train)
        spec = DataSpec(self.name, kind, shape, arrays.classes, *limits, arrays.columns, arrays.mean, arrays.std)
        return replace(spec, parts={key: other.described for key, other in arrays.others.items()})


def bounds(x: Tensor | FileArray, x_test: Tensor | FileArray, train: Tensor | None = None) -> tuple[float, float, bool]:
    """The smallest and the largest value, and whether they are limits; of the training rows (n,) alone where they are not."""
    if x.dtype == torch.uint8:
        return 0.0, 1.0, True
    # real values: if all images of all splits are within [0, 1], these are the bounds
    if x.ndim == 4 and all(low >= 0 and high <= 1 for low, high in map(extremes, (x, x_test))):
        return 0.0, 1.0, True
    return *extremes(x, train), False


def sources(arrays: Arrays, name: Literal["train", "test"], device: torch.device) -> dict[str, Source]:
    """The parts of the training or of the test examples on a device; a table on the disk is standardised at each reading."""
    moments = [torch.tensor(each, dtype=torch.float64) for each in (arrays.mean, arrays.std)] if arrays.mean else []

    def source(x: Tensor | FileArray, scale: float, *moments: Tensor) -> Source:
        return Mapped(x, device, scale, *moments) if isinstance(x, FileArray) else Resident(x.to(device), scale)

    found = {"target": source(getattr(arrays, f"x_{name}"), arrays.scale, *moments)}
    y = getattr(arrays, f"y_{name}")
    found |= {} if y is None else {"label": Resident(y.to(device))}
    return {**found, **{key: source(getattr(other, name), other.scale) for key, other in arrays.others.items()}}


def check_rows(arrays: Arrays, name: str) -> None:
    """Raise BadInput unless every part has one row for each example that it belongs to."""
    for key, other in arrays.others.items():
        whole = {name: getattr(arrays, f"x_{name}") for name in ("train", "test")}
        if other.of != "target":
            whole = {name: getattr(arrays.others[other.of], name) for name in whole}
        # an unpaired part belongs to other rows; its test rows may be aligned
        for which in ("train", "test") if other.paired else ("test",) if other.aligned_test else ():
            rows, expected = len(getattr(other, which)), len(whole[which])
            if rows != expected:
                of = "" if other.of == "target" else f" of {other.of}"
                raise BadInput(f"data: {name} has {rows:,} rows of {key} for {expected:,} {which} examples{of}; each needs one")


def place(rows: Tensor, source: Source) -> Tensor:
    """Rows where they are needed: of a file on the CPU, so that no step waits for the device."""
    return rows.to(source.device) if source.resident else rows


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
