"""The description of data for a model, part by part; and a batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from math import prod
from typing import Any, Literal

import torch
from torch import Tensor

from nnlab.config.stored import restored
from nnlab.errors import shortened

MOST = 2**28  # largest number of values per example: a gigabyte as float32


Kind = Literal["image", "table", "label", "text", "box", "points"]


class Values:
    """What the values of a part say about themselves; the base of `Part` and `DataSpec`, which have the fields."""

    shape: tuple[int, ...]
    low: float
    high: float
    bounded: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def features(self) -> int:
        """The number of values per example: the product of `shape`."""
        return prod(self.shape)

    @property
    def value_range(self) -> float:
        """high − low, or 1 if all values are equal: the unit of errors and noises."""
        return (self.high - self.low) or 1.0

    @property
    def in_unit_interval(self) -> bool:
        """Whether all values must lie within [0, 1], and not only those of the training data."""
        return self.bounded and self.low >= 0 and self.high <= 1

    def original(self, x: Tensor) -> Tensor:
        """(N, *shape) values of a model → the file's units: mean + std · x.

        In float64 if the device has it; data that were not standardised do not change.
        """
        if not self.mean:
            return x
        wide = torch.float32 if x.device.type == "mps" else torch.float64
        mean, std = (torch.tensor(values, dtype=wide, device=x.device) for values in (self.mean, self.std))
        return x.to(wide) * std + mean


@dataclass(frozen=True)
class Part(Values):
    """One tensor of an example, as a model sees it.

    kind     image (C, H, W), table (D,), label () int64, text (L,) int64 numbers of words,
             box (4,) left, top, width, height in pixels of the target, or (D, 4) of several objects,
             points (P, 2) x, y in pixels of the target; the left upper corner of its first pixel is (0, 0), and (−1, −1) is
             a point that is missing
    names    of a label the classes, of a table the columns, of a text the words, where 0 is the padding and 1 every other word
    low, high, bounded, mean, std   as in `DataSpec`
    of_target   False of a label that cannot be read from the target: it belongs to another part, or names a group of examples
    """

    kind: Kind
    shape: tuple[int, ...]
    names: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    bounded: bool = True
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    of_target: bool = True


@dataclass(frozen=True)
class DataSpec(Values):
    """The data as a model sees them, so that a model is built without its dataset.

    An example has named parts. The fields from `kind` to `std` describe its `target`, what a model learns to produce; most
    models know no other part. `parts` describes the others: what a dataset brings besides, such as `input` or `caption`, and
    `corrupted`, if a noise makes another image the input, such as edges or a smaller one.

    shape    (C, H, W) of an image, (D,) of a row of a table
    classes  names of the classes; empty without labels
    low, high  smallest and largest value; 0 and 1 for an image that is stored as bytes
    bounded  whether low and high are limits (images), or only the extremes of the training data (tables)
    columns  names of a table's columns, if it has any
    range    the integers of an image's file that become 0 and 1; empty if they are not scaled
    digest   of the values and labels as they were loaded, to recognize another dataset of the same name
    splits   digest of the splits
    mean, std  (D,) of a standardised table, in the file's units; else empty
    """

    name: str
    kind: Literal["image", "table"]
    shape: tuple[int, ...]
    classes: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    bounded: bool = True
    columns: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    digest: str = ""
    splits: str = ""
    range: tuple[float, ...] = ()
    parts: dict[str, Part] = field(default_factory=dict)

    @property
    def target(self) -> Part:
        """What a model learns to produce."""
        return Part(self.kind, self.shape, self.columns, self.low, self.high, self.bounded, self.mean, self.std)

    @property
    def given(self) -> Part:
        """What a noise changes: the dataset's `input`, or the target where it has none."""
        return self.parts.get("input") or self.target

    @property
    def input(self) -> Part:
        """What a model sees, after the noise."""
        return self.parts.get("corrupted") or self.given

    @property
    def resizes(self) -> bool:
        """Whether input and target differ in shape."""
        return self.input.shape != self.shape

    @property
    def paired(self) -> bool:
        """Whether the input is another kind of example than the target: the data hold both, or a noise makes it so."""
        return "input" in self.parts or "corrupted" in self.parts

    def of_given(self) -> DataSpec:
        """The description of data that hold nothing but `given`, as a user's own inputs do."""
        if "input" not in self.parts:
            return self
        own = self.given
        values = {name: getattr(own, name) for name in ("kind", "shape", "low", "high", "bounded", "mean", "std")}
        return replace(self, **values, columns=own.names, parts={})

    def __getitem__(self, name: str) -> Part:
        """A part by name. Raises KeyError if the data do not have it."""
        if name == "label" and self.classes:
            return Part("label", (), self.classes)
        return {"target": self.target, "input": self.input, **self.parts}[name]

    def __contains__(self, name: str) -> bool:
        return name in ("target", "input", *self.parts) or (name == "label" and bool(self.classes))

    @property
    def beyond_unit_interval(self) -> str:
        """The end of a message for a model that needs values within [0, 1]."""
        if not self.bounded and self.low >= 0 and self.high <= 1:
            return f"values that cannot leave [0, 1], and those of {self.name} only happen to lie there"
        return f"values within [0, 1], {self.name} has {self.low:g} … {self.high:g}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """(D,) of a table: its columns' names, or their numbers without names."""
        return self.columns or tuple(f"column {i}" for i in range(self.features))

    def state(self) -> dict:
        """As plain values, for a checkpoint."""
        plain = as_lists(asdict(self))
        if not self.parts:
            del plain["parts"]
        return plain

    @classmethod
    def from_state(cls, state: dict) -> DataSpec:
        """The inverse of `state`; fields that an older checkpoint lacks get their defaults. Raises ValueError."""
        own = dict(state)
        nodes = own.pop("parts", {})
        if not isinstance(nodes, dict) or not all(
            isinstance(name, str) and isinstance(node, dict) for name, node in nodes.items()
        ):
            raise ValueError(f"its parts are {shortened(repr(nodes))}")
        spec = replace(restored(cls, own), parts={name: restored(Part, node) for name, node in nodes.items()})
        for part in (spec, *spec.parts.values()):
            if not 0 < part.features <= MOST or not all(map(math.isfinite, (part.low, part.high))):
                raise ValueError(f"its data have the shape {shortened(part.shape)} and values {part.low} … {part.high}")
        if not spec.shape:
            raise ValueError("its data have the shape ()")
        return spec


def as_lists(value: Any) -> Any:
    """The same plain value with lists for tuples."""
    if isinstance(value, dict):
        return {key: as_lists(each) for key, each in value.items()}
    return [as_lists(each) for each in value] if isinstance(value, tuple | list) else value


@dataclass
class Batch:
    """A batch on the device.

    input   (N, …) what the model sees: the clean data, corrupted by the noise
    target  (N, *shape) the clean data; the same tensor as `input` without noise
    mask    (N, *shape) bool, true where the noise changed the input; None without noise, or if it makes another image
    label   (N,) int64; None without labels
    erased  whether the values under the mask are lost completely, as in a hole
    scale   factor of the stored values: 1, except if a model reads images as stored bytes
    extra   (N, …) further parts by name: `view_2`, `caption`, …
    """

    input: Tensor
    target: Tensor
    mask: Tensor | None = None
    label: Tensor | None = None
    erased: bool = False
    scale: float = 1.0
    extra: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, name: str) -> Tensor:
        """A part by name. Raises KeyError if the batch does not have it."""
        return {**self.tensors(), **self.extra}[name]

    def tensors(self) -> dict[str, Tensor]:
        """Input, target, mask and label, as far as there are."""
        named = {"input": self.input, "target": self.target, "mask": self.mask, "label": self.label}
        return {name: part for name, part in named.items() if part is not None}

    def map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """The batch with the function's result for each tensor."""
        extra = {name: function(part) for name, part in self.extra.items()}
        return replace(self, **{name: function(part) for name, part in self.tensors().items()}, extra=extra)

    def tensor_split(self, parts: int, each: int = 1) -> list[Batch]:
        """The batch in this many parts of nearly equal size, between which no group of `each` examples is cut."""
        groups, more = divmod(len(self) // each, parts)
        ends = [each * (groups * i + min(i, more)) for i in range(1, parts)]
        return [self.map(lambda x, i=i: x.tensor_split(ends)[i]) for i in range(parts)]
