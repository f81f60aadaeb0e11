"""Schedules of the learning rate: a factor on the optimizer's rate as a function of time. No torch.

Time is counted in updates; the options are in epochs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

from nnlab.config.constraints import AtLeast, AtMost, Between, MoreThan, NonEmpty


@dataclass(frozen=True)
class StageLength:
    """The length of a stage in updates, and the updates per epoch."""

    total: int
    per_epoch: int


class Schedule(ABC):
    """Base of the schedules: `warmup` epochs of linear rise, then `shape`."""

    def __init__(self, *, warmup: Annotated[float, AtLeast(0)] = 0.0) -> None:
        self.warmup = warmup

    def factor(self, step: int, clock: StageLength) -> float:
        """The factor of update number `step` (from 0)."""
        rise = self.warmup * clock.per_epoch
        if step < rise:
            return (step + 1) / (math.floor(rise) + 1)
        return self.shape(step - rise, max(clock.total - rise, 1.0), clock.per_epoch)

    @abstractmethod
    def shape(self, step: float, total: float, per_epoch: int) -> float:
        """The factor `step` updates after the rise, of `total` that remained then."""


class Constant(Schedule):
    """1."""

    def shape(self, step: float, total: float, per_epoch: int) -> float:
        return 1.0


class Cosine(Schedule):
    """final + (1 − final) · ½ (1 + cos(π t/T)) (Loshchilov & Hutter 2017, "SGDR", without restarts)."""

    def __init__(self, *, final: Annotated[float, Between(0, 1)] = 0.0, **warmup) -> None:
        super().__init__(**warmup)
        self.final = final

    def shape(self, step: float, total: float, per_epoch: int) -> float:
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(step / total, 1.0)))


class Linear(Schedule):
    """1 − (1 − final) · t/T."""

    def __init__(self, *, final: Annotated[float, Between(0, 1)] = 0.0, **warmup) -> None:
        super().__init__(**warmup)
        self.final = final

    def shape(self, step: float, total: float, per_epoch: int) -> float:
        return 1 - (1 - self.final) * min(step / total, 1.0)


class Step(Schedule):
    """factor^⌊t/every⌋, with `every` in epochs."""

    def __init__(
        self,
        *,
        every: Annotated[float, MoreThan(0)] = 10.0,
        factor: Annotated[float, MoreThan(0), AtMost(1)] = 0.1,
        **warmup,
    ) -> None:
        super().__init__(**warmup)
        self.every, self.decay = every, factor

    def shape(self, step: float, total: float, per_epoch: int) -> float:
        return self.decay ** math.floor(step / (self.every * per_epoch) + 1e-9)


class Milestones(Schedule):
    """factor^|{m : t ≥ m}|, with the milestones m in epochs after the warm-up."""

    def __init__(
        self,
        *,
        at: Annotated[list[Annotated[float, MoreThan(0)]], NonEmpty()] = (10.0, 15.0),
        factor: Annotated[float, MoreThan(0), AtMost(1)] = 0.1,
        **warmup,
    ) -> None:
        super().__init__(**warmup)
        self.at, self.decay = at, factor

    def shape(self, step: float, total: float, per_epoch: int) -> float:
        return self.decay ** sum(step >= milestone * per_epoch - 1e-9 for milestone in self.at)
