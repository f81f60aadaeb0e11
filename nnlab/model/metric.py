"""A metric as an object: a model can have its own metrics without its own trainer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from nnlab.data.spec import Batch


class Metric(ABC):
    """A metric of a split, computed batch by batch; a new object for each evaluation.

    name       as metrics.jsonl and TensorBoard have it
    unit       such as "nats"; empty for a share or a count. The explanation of the metric has it, too
    direction  which is better, "lower" or "higher"; None if neither. The explanation says it, too
    estimator  how it is estimated; empty if it is exact and from all examples. The record has it as NAME_by
    """

    def __init__(
        self, name: str, *, unit: str = "", direction: Literal["lower", "higher"] | None = None, estimator: str = ""
    ) -> None:
        self.name, self.unit, self.direction, self.estimator = name, unit, direction, estimator

    @abstractmethod
    def update(self, batch: Batch, generator: torch.Generator) -> None:
        """Add a batch. The model is in evaluation mode, without gradients."""

    @abstractmethod
    def compute(self) -> float:
        """The metric of all batches so far."""


class Mean(Metric):
    """The mean over the examples of a function's values.

    values  a batch and a generator → (N,), one value per example
    """

    def __init__(self, name: str, values: Callable[[Batch, torch.Generator], Tensor], **about) -> None:
        super().__init__(name, **about)
        self.values = values
        self.total, self.count = 0.0, 0

    def update(self, batch: Batch, generator: torch.Generator) -> None:
        """Add the values of a batch, in float64 where the device has it."""
        values = self.values(batch, generator)
        self.total = self.total + values.sum(dtype=torch.float64 if values.device.type != "mps" else torch.float32)
        self.count += len(values)

    def compute(self) -> float:
        """Σ values / N."""
        return float(self.total) / self.count
