"""Numbers of a model that change during training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nnlab.nn.schedules import Schedule, StageLength


class Scheduled(nn.Module):
    """base · schedule(t): the weight of a term that warms up, a temperature that falls.

    A model's formula uses `value`, a scalar tensor on the device that the trainer sets before each update. It is saved
    with the weights, so that metrics use the same value as training.
    """

    value: Tensor

    def __init__(self, base: float, schedule: Schedule) -> None:
        super().__init__()
        self.base, self.schedule = base, schedule
        self.register_buffer("value", torch.tensor(float(base)))

    def at(self, step: int, clock: StageLength) -> float:
        """The number of an update of the stage."""
        return self.base * self.schedule.factor(step, clock)

    def set(self, value: float | Tensor) -> None:
        """Set `value`, on the device without waiting for it."""
        if isinstance(value, Tensor):
            self.value.copy_(value)
        else:
            self.value.fill_(value)
