"""How indices become a batch: gather, cast, augment, binarize, noise.

Only device code, without copies to the host, so that a CUDA graph can hold it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nnlab.data.augmentation.base import Augmentation
from nnlab.data.images import bernoulli
from nnlab.data.noise.base import Noise
from nnlab.data.spec import Batch
from nnlab.data.split import Split


def eval_batch_size(split: Split) -> int:
    """The batch size without gradients: smaller for large images, to save memory."""
    return max(1, min(1000, 2**22 // split.x[0].numel()))


@dataclass
class BatchBuilder:
    """Batches of a split, corrupted by a noise if there is one; training batches may be augmented."""

    split: Split
    noise: Noise | None = None
    augmentation: Augmentation | None = None

    def batch(self, rows: Tensor, generator: torch.Generator) -> Batch:
        """The batch of these rows of the split's array; `generator` is used for everything random."""
        clean = self.split.values(rows)
        if self.augmentation is not None:
            augmented = self.augmentation(clean, generator)
            # an enlarged image of bits must be bits again
            clean = augmented.round() if self.split.is_binary and augmented is not clean else augmented
        if self.split.dynamic_binarization:
            clean = bernoulli(clean, generator)
        if self.noise is None:
            return Batch(clean, clean, None, self.split.labels(rows))
        corrupted, mask = self.noise(clean, generator)
        return Batch(corrupted, clean, mask, self.split.labels(rows), erased=self.noise.erases)

    def raw(self, rows: Tensor) -> Batch:
        """The batch of these rows, in ascending order, as they are stored, not cast and not scaled; only for data without
        noise and without dynamic binarization. On the CPU consecutive rows are not copied.
        """
        together = rows.device.type == "cpu" and rows[-1] - rows[0] == len(rows) - 1
        x = self.split.x[rows[0] : rows[-1] + 1] if together else self.split.x.index_select(0, rows)
        return Batch(input=x, target=x, label=self.split.labels(rows), scale=self.split.scale)

    def permutation(self, seed: int, epoch: int) -> Tensor:
        """(n,) the rows in the order of an epoch: a permutation that depends only on the seed and the epoch.

        So a run that resumes in the middle of an epoch, or with more epochs, sees the same order.
        """
        generator = torch.Generator().manual_seed(hash_seed(seed, epoch))
        return self.split.rows[torch.randperm(len(self.split), generator=generator).to(self.split.rows.device)]

    def sequential(self, generator: torch.Generator, rows: Tensor | None = None) -> Iterator[Batch]:
        """Batches of the whole split, or of these rows of it, in the order of the file."""
        for part in (self.split.rows if rows is None else rows).split(eval_batch_size(self.split)):
            yield self.batch(part, generator)


def clean_batches(split: Split) -> Iterator[Batch]:
    """Batches of a whole split, cast to float, but not binarized and not corrupted, in the order of the file."""
    for rows in split.rows.split(eval_batch_size(split)):
        x = split.values(rows)
        yield Batch(input=x, target=x)


def hash_seed(seed: int, number: int) -> int:
    """One seed from two numbers; (0, 1) and (1, 0) give independent seeds (the finalizer of splitmix64)."""
    z = (seed * 0x9E3779B97F4A7C15 + number + 0xD1B54A32D192ED03) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return (z ^ (z >> 31)) % 2**63
