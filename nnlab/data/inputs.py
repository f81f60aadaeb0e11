"""What a trained model is shown: inputs in order, clean, with what is known of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nnlab.data.dataset import Split
from nnlab.data.feed import Feed
from nnlab.data.images import bernoulli
from nnlab.data.spec import Batch, DataSpec
from nnlab.errors import BadInput
from nnlab.noise import NoNoise


@dataclass
class Inputs:
    """Inputs in order, clean, with what is known of each.

    name     as a sentence calls them
    batches  on the device, read as one goes along them, once
    keys     (n,) their numbers in the split or the array, or the names of their files
    labels   (n,) int64, or None
    """

    name: str
    batches: Iterable[Batch]
    keys: np.ndarray
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)


def of_split(split: Split, name: str, spec: DataSpec, generator: torch.Generator) -> Inputs:
    """A split; `generator` draws its bits where they are drawn at each reading."""
    labels = split.labels(split.rows)
    batches = Feed(split, NoNoise(spec)).in_order(generator)
    known = None if labels is None else labels.cpu().numpy()
    return Inputs(f"{name} split", batches, np.arange(len(split)), known, spec.classes)


@dataclass
class Reader:
    """Values from a file → a batch of what a model has learned to read.

    binarize   how the images it learned from were binarized, if they were (`data.binarize`)
    generator  draws the bits
    """

    spec: DataSpec
    binarize: str | None
    device: torch.device
    generator: torch.Generator

    @property
    def chunk(self) -> int:
        """How many are read together, as `evaluation_batch` has it."""
        return max(1, min(1000, 2**22 // self.spec.features))

    def batch(self, stored: Tensor, scale: float, place: str, start: int = 0) -> Batch:
        """(n, *shape) as stored, the rows from `start` of the array at `place`.

        Raises BadInput if values are not finite, or beyond the limits that the model knows.
        """
        spec = self.spec
        if spec.mean:
            mean, std = (torch.tensor(figures, dtype=torch.float64) for figures in (spec.mean, spec.std))
            stored = (stored.double() - mean) / std
        x = stored.to(torch.float32) * scale
        if not x.isfinite().all():
            row = start + int((~x.isfinite()).flatten(1).any(1).nonzero()[0])
            raise BadInput(f"{place}[{row}] holds values that are not finite in float32; fill or remove that row")
        if spec.bounded and (x.min() < spec.low or x.max() > spec.high):
            raise BadInput(
                f"{place} holds {x.min():g} … {x.max():g}, but the model learned from {spec.low:g} … {spec.high:g}; "
                "bytes stand for 0 … 1, all other numbers for themselves"
            )
        x = x.to(self.device)
        if self.binarize:
            x = (x >= 0.5).float() if self.binarize == "threshold" else bernoulli(x, self.generator)
        return Batch(x, x)
