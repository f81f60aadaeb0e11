"""Training by passes: sum statistics over the training set, then update the model. EM, k-means, and closed forms."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.model import PassModel, Statistics
from nnlab.training.options import OnePassOptions, PassOptions
from nnlab.training.trainer import Trainer, TrainerContext


class PassTrainer(Trainer):
    """One step: the statistics of one batch; the last step of a pass also updates the model.

    Rows are read in the order of the file: the order changes only the rounding.
    """

    options = PassOptions
    description = "in passes over the whole set"
    precision = "float32, sums float64"
    model: PassModel

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        self._converged = False

    def start_stage(self, stage: int) -> None:
        super().start_stage(stage)
        self._converged = False

    @property
    def converged(self) -> bool:
        return self._converged

    @torch.no_grad()
    def train(self, step: int, n: int, stop: Callable[[], bool]) -> int:
        for i in range(step, step + n):
            if stop():
                return i - step
            rows, sums = self.sampler.sequential(i), self.memory.group("sums")
            sums = self.model.e_step(self.batch(rows), sums) if len(rows) else sums
            if (i + 1) % self.steps_per_epoch == 0:
                # copies: a term may be a view of sums that `keep` sets to 0 before the meter is read
                terms = {name: value.clone() for name, value in self.model.m_step(self.merged(sums)).items()}
                self.meter.add(terms, len(self.data.train))
                sums = None if self.feed.split.dynamic_binarization else self.model.carry_over(sums)
                self._converged = bool(self.model.converged)
            self.memory.set_group("sums", sums)
        return n

    def merged(self, sums: Statistics) -> Statistics:
        """The statistics of the rows of all processes; with one process these."""
        if self.world.size == 1:
            return sums
        return self.model.merge(self.world.gather({name: sums[name] for name in self.model.exchanged or sums}))

    def batch(self, rows: Tensor) -> Batch:
        """The batch of these rows (N,); as stored bytes if the model can read these and the data are bytes."""
        split = self.feed.split
        if self.model.reads_bytes and split.target.dtype == torch.uint8 and not split.dynamic_binarization:
            return self.feed.raw(rows)
        return self.feed.batch(rows, self.generator)

    def state(self) -> dict:
        return {**super().state(), "converged": self._converged}

    def restore(self, state: dict) -> None:
        """Restore what `state` returned, and whether the passes have converged."""
        super().restore(state)
        self._converged = state["converged"]


class OnePassTrainer(PassTrainer):
    """A closed form: after one pass the model is final."""

    options = OnePassOptions
    description = "in one pass over the set"
