"""Models that learn by passes: statistics are summed over the dataset, then the model is updated. EM, k-means, closed forms."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from torch import Tensor

from nnlab.data.spec import Batch, DataSpec
from nnlab.model.base import Model

Statistics = dict[str, Tensor]


class PassModel(Model):
    """Base of the models that learn from sums of statistics over the whole dataset.

    So a set larger than memory, or several processes, need no other algorithm.
    """

    converged = False
    reads_bytes: ClassVar[bool] = False
    """Whether `e_step` takes images as the bytes that are stored, times `batch.scale`."""
    exchanged: ClassVar[tuple[str, ...]] = ()
    """The statistics that `m_step` needs from all processes; empty: all."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)

    @abstractmethod
    def e_step(self, batch: Batch, sums: Statistics | None) -> Statistics:
        """The statistics so far plus those of this batch; sums in float64."""

    @abstractmethod
    def m_step(self, sums: Statistics) -> dict[str, Tensor]:
        """Update the model from the statistics of a whole pass. Returns named terms, scalars, for the record."""

    def merge(self, parts: list[Statistics]) -> Statistics:
        """The statistics of a whole pass, from those of several processes that read a part of the rows each: their sums."""
        return {name: sum(part[name] for part in parts) for name in parts[0]}

    def fit(self, batches: Iterable[Batch]) -> dict[str, Tensor]:
        """One pass: the statistics of all batches, then the update. Returns what `m_step` returns."""
        sums = None
        for batch in batches:
            sums = self.e_step(batch, sums)
        return self.m_step(sums)

    def carry_over(self, sums: Statistics) -> Statistics | None:
        """What of a pass's statistics the next one begins with: what its rows, read in the same order, made then.

        Nothing, unless a model says otherwise; and nothing where the values are drawn anew at each reading.
        """
