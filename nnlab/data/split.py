"""The arrays of a dataset, and its splits on the device."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from nnlab.data.source import FileArray, Resident, Source
from nnlab.data.spec import DataSpec, Part
from nnlab.nn.spaced import evenly_spaced


@dataclass
class Other:
    """A part of the examples beside target and label: its description, and its values for the training and the test set.

    train, test  (N, …) uint8, float32 or int64, one row for each row of the part `of`. Of a text (L,) they may be (N, K, L): K
                 captions of each image, of which a batch has one; unused ones are 0, and the last
    scale        the value for a model is the stored value times `scale`; by default 1/255 for an image of bytes, else 1
    paired       whether row i belongs to row i of `of`; else it is another set of examples, of any length
    of           the part to whose rows its rows belong: the target, or an unpaired part, whose label it is, say
    aligned_test  of an unpaired part: whether row i of the test set does belong to row i of the target, as the true answer
    """

    part: Part
    train: Tensor | FileArray
    test: Tensor | FileArray
    scale: float | None = None
    paired: bool = True
    of: str = "target"
    aligned_test: bool = False

    def __post_init__(self) -> None:
        if self.scale is None:
            self.scale = 1 / 255 if self.part.kind == "image" and self.train.dtype == torch.uint8 else 1.0

    @property
    def described(self) -> Part:
        """The part, which says of itself whether its label is one of the target."""
        stranger = self.part.kind == "label" and not (self.paired and self.of == "target")
        return replace(self.part, of_target=False) if stranger else self.part

    @property
    def drawn(self) -> bool:
        """Whether an example has several texts, of which a batch has one."""
        return self.part.kind == "text" and self.train.ndim == len(self.part.shape) + 2


@dataclass
class Arrays:
    """The contents of a dataset's files: in memory, or where they lie in a file.

    x        (N, *shape) uint8, or float32 for real values; a table as loaded may be float64
    y        (N,) int64 class numbers, or None
    scale    the value for a model is the stored value times `scale`
    columns  names of a table's columns
    mean, std  (D,) of the columns of a standardised table
    dynamic_binarization  whether the value is the probability of a 1, which is drawn at each reading
    range    the numbers of the file that become 0 and 1, if the scale does not say it
    others   further parts by name; `input` is what a model sees instead of the target
    """

    x_train: Tensor | FileArray
    y_train: Tensor | None
    x_test: Tensor | FileArray
    y_test: Tensor | None
    classes: tuple[str, ...] = ()
    scale: float = 1 / 255
    columns: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    dynamic_binarization: bool = False
    range: tuple[float, float] | tuple[()] = ()
    others: dict[str, Other] = field(default_factory=dict)


@dataclass
class Split:
    """Rows of the parts of examples. Training and validation share the arrays: a split does not copy images.

    sources  the parts by name, as `target` and `label`; one row is one example in all that are paired
    rows     (n,) int64, into the sources
    unpaired  rows (m,) int64 of each part that does not belong to the target row by row; their number is another
    shared    for each part that belongs to an unpaired part row by row: the name of that part
    aligned   names of the parts, unpaired in training, that in this split belong to the target row by row
    drawn     names of the texts of which an example has several, (K, L): a batch has one of them, drawn at each reading
    dynamic_binarization  a value is the probability of a 1: `values` returns the probabilities, and each reading of a batch
                          draws bits from them
    """

    sources: dict[str, Source]
    rows: Tensor
    dynamic_binarization: bool = False
    unpaired: dict[str, Tensor] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)
    aligned: frozenset[str] = frozenset()
    drawn: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, x: Tensor, y: Tensor | None = None, rows: Tensor | None = None, scale: float = 1.0, dynamic: bool = False
    ) -> Split:
        """A split of arrays in memory: values (N, *shape), labels (N,), and rows of them; by default all."""
        sources: dict[str, Source] = {"target": Resident(x, scale)}
        if y is not None:
            sources["label"] = Resident(y)
        return cls(sources, torch.arange(len(x), device=x.device) if rows is None else rows, dynamic)

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, name: str, x: Tensor) -> None:
        """Add a part that was computed, (M, …) on the device: a row for each of the M rows of the sources."""
        self.sources = {**self.sources, name: Resident(x)}

    def __contains__(self, name: str) -> bool:
        """Whether the examples have a part."""
        return name in self.sources

    @property
    def target(self) -> Source:
        """What a model learns to produce."""
        return self.sources["target"]

    @property
    def device(self) -> torch.device:
        """Where batches are."""
        return self.target.device

    @property
    def resident(self) -> bool:
        """Whether all parts are on the device."""
        return all(source.resident for source in self.sources.values())

    @property
    def labelled(self) -> bool:
        """Whether the examples have labels."""
        return "label" in self.sources

    @property
    def features(self) -> int:
        """The number of values per example."""
        return self.target.features

    @property
    def is_binary(self) -> bool:
        """Whether all values are 0 or 1."""
        return self.target.dtype == torch.uint8 and self.target.scale == 1

    def spread(self, n: int) -> Tensor:
        """(n,) evenly spaced rows (all if there are fewer), since files are often sorted by class."""
        return self.at(evenly_spaced(len(self), n))

    def at(self, places: Tensor) -> Tensor:
        """The rows at these places of the split: indices (n,) int64 from 0, or a mask (len(self),) bool."""
        return self.rows[places.to(self.rows.device)]

    def values(self, rows: Tensor, part: str = "target") -> Tensor:
        """(n, *shape) float32: the target, or another part, at these rows of its source, gathered and cast."""
        return self.sources[part].values(rows)

    def labels(self, rows: Tensor, part: str = "label") -> Tensor | None:
        """The labels (n,) int64 of rows (n,), or those of another part, as `b_label`; None where there are none."""
        return self.sources[part].raw(rows) if part in self.sources else None


@dataclass
class Data:
    """A dataset on the device.

    held_out  the test examples of the classes that `data.classes` excludes; their labels index `held_out_classes`
    remarks messages about how the files were read, shown at the start of a run
    """

    spec: DataSpec
    train: Split
    validation: Split
    test: Split
    held_out: Split
    held_out_classes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def split(self, name: str) -> Split:
        """The split of this name: train, validation, test or held_out."""
        return getattr(self, name)

    def classes_of(self, name: str) -> tuple[str, ...]:
        """The names that the labels of the split of this name index."""
        return self.held_out_classes if name == "held_out" else self.spec.classes
