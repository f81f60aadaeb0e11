"""What the `trainer` node of a map may say. No torch."""

from __future__ import annotations

from typing import Annotated, Literal

from nnlab.config.constraints import AtLeast, Between, MoreThan
from nnlab.errors import BadInput
from nnlab.training.options import Epochs, Options


class Decay:
    """From `start` to `end` over the run, at its share t ∈ [0, 1]:

    exponential  start · (end/start)^t, the e^{−n/τ} of Kohonen's rule
    linear       start + t (end − start)
    inverse      start / (1 + t (start/end − 1))
    """

    def __init__(
        self,
        *,
        start: float,
        end: float,
        shape: Literal["exponential", "linear", "inverse"] = "exponential",
    ) -> None:
        self.start, self.end, self.shape = start, end, shape

    def at(self, t: float) -> float:
        """The value at the share t ∈ [0, 1] of the run."""
        if self.shape == "linear":
            return self.start + t * (self.end - self.start)
        if self.shape == "inverse":
            return self.start / (1 + t * (self.start / self.end - 1))
        return self.start * (self.end / self.start) ** t


class Rate(Decay):
    """Of a step towards an example: 1 goes all the way."""

    def __init__(
        self,
        *,
        start: Annotated[float, MoreThan(0), Between(0, 1)] = 0.5,
        end: Annotated[float, MoreThan(0), Between(0, 1)] = 0.02,
        **shape,
    ) -> None:
        super().__init__(start=start, end=end, **shape)


class Radius(Decay):
    """Of the neighbourhood, in distances of the lattice; without a start a quarter of the lattice's longer side."""

    def __init__(
        self,
        *,
        start: Annotated[float, MoreThan(0)] | None = None,
        end: Annotated[float, MoreThan(0)] = 0.8,
        **shape,
    ) -> None:
        super().__init__(start=start, end=end, **shape)

    def of(self, longer: int) -> Radius:
        """With its start, on a lattice whose longer side has so many units."""
        return Radius(start=self.start or max(longer / 4, self.end), end=self.end, shape=self.shape)


class MapOptions(Options):
    """How a map learns.

    update  online: example after example; mini_batch: the winners of `batch_size` examples are found together;
            batch: each unit becomes the mean of its neighbourhood, once an epoch
    """

    def __init__(
        self,
        *,
        epochs: Epochs = 20,
        update: Literal["online", "mini_batch", "batch"] = "mini_batch",
        rate: Rate | None = None,
        radius: Radius | None = None,
        batch_size: Annotated[int, AtLeast(1)] = 128,
        **cadences,
    ) -> None:
        super().__init__(batch_size=batch_size, **cadences)
        self.epochs, self.update, self.rate, self.radius = epochs, update, rate, radius
        if update == "batch" and rate is not None:
            raise BadInput("trainer.rate: has no use, a batch update takes units all the way; choose trainer=som_batch")
        if update != "batch" and rate is None:
            raise BadInput(f"trainer.rate: {update} updates need one; choose trainer=som or trainer=som_online")
