"""The options of a map, the `trainer` node. No torch."""

from __future__ import annotations

from typing import Annotated, Literal

from nnlab.config.constraints import AtLeast, AtMost, MoreThan
from nnlab.errors import BadInput
from nnlab.training.options import Epochs, Options


class Decay:
    """A value that goes from `start` to `end` over the run; t ∈ [0, 1] is the share of the run:

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
        """The value at share t ∈ [0, 1] of the run."""
        if self.shape == "linear":
            return self.start + t * (self.end - self.start)
        if self.shape == "inverse":
            return self.start / (1 + t * (self.start / self.end - 1))
        return self.start * (self.end / self.start) ** t


class Rate(Decay):
    """The share of the way to an example that a unit moves: 1 is all of it."""

    def __init__(
        self,
        *,
        start: Annotated[float, MoreThan(0), AtMost(1)] = 0.5,
        end: Annotated[float, MoreThan(0), AtMost(1)] = 0.02,
        **shape,
    ) -> None:
        super().__init__(start=start, end=end, **shape)


class Radius(Decay):
    """The radius of the neighbourhood, in distances of the lattice; start=None is a quarter of the longer side."""

    def __init__(
        self,
        *,
        start: Annotated[float, MoreThan(0)] | None = None,
        end: Annotated[float, MoreThan(0)] = 0.8,
        **shape,
    ) -> None:
        super().__init__(start=start, end=end, **shape)

    def of(self, longer: int) -> Radius:
        """The same with a start, for a lattice whose longer side has this many units."""
        return Radius(start=self.start or max(longer / 4, self.end), end=self.end, shape=self.shape)


class MapOptions(Options):
    """Options of the training of a map.

    update  online: one update per example; mini_batch: the winners of `batch_size` examples are computed together;
            batch: each unit becomes the mean of its neighbourhood, once per epoch
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
            raise BadInput("trainer.rate: not used: a batch update goes all the way to the mean; choose trainer=som_batch")
        if update != "batch" and rate is None:
            raise BadInput(f"trainer.rate: {update} updates need one; choose trainer=som or trainer=som_online")
