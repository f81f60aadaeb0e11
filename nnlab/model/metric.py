"""A metric as an object: a model can have its own metrics without its own trainer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.nn.world import ALONE, World

Direction = Literal["lower", "higher"] | None


class Metric(ABC):
    """A metric of a split, computed batch by batch; a new object for each evaluation.

    name       as metrics.jsonl and TensorBoard have it
    unit       such as "nats"; empty for a share or a count. The explanation of the metric has it, too
    direction  which is better, "lower" or "higher"; None if neither. The explanation says it, too
    estimator  how it is estimated; empty if it is exact and from all examples. The record has it as NAME_by
    """

    sums: ClassVar[tuple[str, ...]] = ()
    """All attributes that a batch changes, if each of them is a sum over the batches. Several processes then share a split.
    Without them each process computes the metric of the whole split."""

    def __init__(self, name: str, *, unit: str = "", direction: Direction = None, estimator: str = "") -> None:
        self.name, self.unit, self.direction, self.estimator = name, unit, direction, estimator

    @abstractmethod
    def update(self, batch: Batch, generator: torch.Generator) -> None:
        """Add a batch. The model is in evaluation mode, without gradients."""

    def merge(self, world: World) -> None:
        """Add what the other processes have of the split: the attributes that `sums` names."""
        for name in self.sums:
            own = getattr(self, name)
            setattr(self, name, world.sum(own) if isinstance(own, Tensor) else world.sum(torch.tensor(own).double()).item())

    @abstractmethod
    def compute(self) -> float:
        """The metric of all batches so far."""

    @property
    def directions(self) -> dict[str, Direction]:
        """Which direction is better, by name."""
        return {self.name: self.direction}

    def results(self) -> dict[str, float]:
        """The metric by its name."""
        return {self.name: self.compute()}


class Mean(Metric):
    """The mean over the examples of a function's values.

    values  a batch and a generator → (N,), one value per example
    """

    sums = ("total", "count")

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


class Joint(Metric):
    """Several metrics that need the values of a whole split together, such as the agreement of codes and classes.

    values      a batch and a generator → tensors (N, …); without one of them (None) the batch does not count
    function    these tensors of the whole split → the metrics by name
    directions  of each metric
    """

    def __init__(
        self,
        values: Callable[[Batch, torch.Generator], tuple[Tensor | None, ...]],
        function: Callable[..., dict[str, float]],
        directions: Mapping[str, Direction],
    ) -> None:
        super().__init__(" and ".join(directions))
        self.values, self.function = values, function
        self.known = dict(directions)
        self.seen: list[tuple[Tensor, ...]] = []

    @property
    def directions(self) -> dict[str, Direction]:
        return self.known

    def update(self, batch: Batch, generator: torch.Generator) -> None:
        """Keep the values of a batch."""
        values = self.values(batch, generator)
        if all(value is not None for value in values):
            self.seen.append(values)

    def compute(self) -> float:
        """There is no single number. Raises TypeError."""
        raise TypeError(f"{self.name} are several metrics: use results()")

    def results(self) -> dict[str, float]:
        """The metrics of all batches so far, by name; none without values."""
        return self.function(*ALONE.concat(self.seen)) if self.seen else {}
