"""Inputs of a trained model: in order, with their labels and names. Noise is applied only if it makes another image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nnlab.data.feed import BatchBuilder
from nnlab.data.images import bernoulli
from nnlab.data.noise.base import Noise
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.nn.spaced import evenly_spaced


@dataclass
class Inputs:
    """Inputs in order, with their labels and names.

    name     for messages
    batches  on the device, read when needed; each iteration gives the same
    keys     (n,) their indices in the split or the array, or the names of their files
    bits     of one value in its original form: 8 for a pixel, 1 for a binarized one
    labels   (n,) int64, or None
    """

    name: str
    batches: Iterable[Batch]
    keys: np.ndarray
    bits: int
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)


class Reiterable:
    """The items of a generator function; each iteration gives the same, with the same random numbers."""

    def __init__(self, read: Callable[[], Iterator[Batch]], generator: torch.Generator) -> None:
        self.read, self.generator, self.state = read, generator, generator.get_state()

    def __iter__(self) -> Iterator[Batch]:
        self.generator.set_state(self.state)
        return self.read()


def of_split(split: Split, name: str, spec: DataSpec, generator: torch.Generator, noise: Noise | None = None) -> Inputs:
    """Inputs from a split; `generator` draws the bits if they are drawn at each reading.

    noise  that the model cannot do without, since it makes another image the input
    """
    labels, feed = split.labels(split.rows), BatchBuilder(split, noise)
    batches = Reiterable(lambda: feed.sequential(generator), generator)
    known = None if labels is None else labels.cpu().numpy()
    bits = 1 if split.is_binary or split.dynamic_binarization else 8 * split.target.dtype.itemsize
    return Inputs(f"{name} split", batches, np.arange(len(split)), bits, known, spec.classes)


def spread(n: int, most: int | None) -> np.ndarray:
    """At most this many of 0 … n − 1, int64, evenly spaced, as in `Split.spread`; None: all."""
    return evenly_spaced(n, n if most is None else most).numpy()


def together(spec: DataSpec) -> int:
    """The batch size, as `eval_batch_size`."""
    return max(1, min(1000, 2**22 // spec.features))


@dataclass
class Reader:
    """Converts values from a file to a batch for a model.

    binarize   `data.binarize` of the model's training
    generator  draws the bits
    noise      that makes another image the input, if the model was trained with one
    """

    spec: DataSpec
    binarize: str | None
    device: torch.device
    generator: torch.Generator
    noise: Noise | None = None

    @property
    def chunk(self) -> int:
        """The number of rows that are read together."""
        return together(self.spec)

    def bits(self, stored: int) -> int:
        """Bits per value, if a value is stored with this many."""
        return 1 if self.binarize else stored

    def batch(self, stored: Tensor, scale: float, place: str, rows: Sequence[int] | np.ndarray = ()) -> Batch:
        """(n, *shape) as stored, with the rows (n,) of the array at `place`; not needed for image files.

        Raises BadInput if values are not finite, or out of the model's range.
        """
        spec = self.spec
        if spec.mean:
            mean, std = (torch.tensor(figures, dtype=torch.float64) for figures in (spec.mean, spec.std))
            stored = (stored.double() - mean) / std
        x = stored.to(torch.float32) * scale
        if not x.isfinite().all():
            row = int((~x.isfinite()).flatten(1).any(1).nonzero()[0])
            raise BadInput(f"{place}[{rows[row]}] holds values that are not finite in float32; fill or remove that row")
        if spec.bounded and (x.min() < spec.low or x.max() > spec.high):
            raise BadInput(
                f"{place} holds {x.min():g} … {x.max():g}, but the model learned from {spec.low:g} … {spec.high:g}; "
                "bytes become 0 … 1, other numbers are not scaled"
            )
        x = x.to(self.device)
        if self.binarize:
            x = (x >= 0.5).float() if self.binarize == "threshold" else bernoulli(x, self.generator)
        return Batch(x if self.noise is None else self.noise(x, self.generator)[0], x)
