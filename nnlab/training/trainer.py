"""What every family's trainer offers the loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from nnlab.data.dataset import Data
from nnlab.model import Model
from nnlab.noise import Noise
from nnlab.training.meter import Meter


@dataclass(frozen=True)
class Monitor:
    """The validation figure that means better."""

    name: str
    higher_is_better: bool = False

    def better(self, value: float, than: float | None, by: float = 0.0) -> bool:
        if than is None:
            return True
        return value > than + by if self.higher_is_better else value < than - by


@dataclass(frozen=True)
class Setting:
    """What a trainer works with, all of it built."""

    model: Model
    data: Data
    noise: Noise
    device: torch.device
    seed: int


class Trainer(ABC):
    """What learning is. The loop owns time; a trainer owns one update, the figures, the pictures, and its whole state."""

    monitor: Monitor | None = None
    facts: dict = {}  # noqa: RUF012 — how the figures are estimated, for their records
    meter: Meter
    steps_per_epoch: int
    total_steps: int
    batch_size: int

    def __init__(self, setting: Setting) -> None:
        self.model, self.data, self.noise = setting.model, setting.data, setting.noise
        self.device, self.seed = setting.device, setting.seed

    @abstractmethod
    def train(self, step: int, n: int, stop: Callable[[], bool]) -> int:
        """Make `n` updates from update number `step` (from 0), fewer if `stop()` says so. Returns how many were made."""

    @abstractmethod
    def evaluate(self, split: str) -> dict[str, float]:
        """Figures on a whole split, without effect on training."""

    @abstractmethod
    def show(self) -> dict[str, np.ndarray]:
        """Named pictures (H, W, 3) uint8 of the model as it is, without effect on training."""

    @abstractmethod
    def diagnose(self, step: int) -> str | None:
        """The first layer with a value that is not finite in update `step`, with the weights before it."""

    def rates(self, step: int) -> dict[str, float]:
        """Scheduled numbers of an update, for the record."""
        return {}

    @abstractmethod
    def state(self) -> dict:
        """All that a bit-exact continuation needs."""

    @abstractmethod
    def restore(self, state: dict) -> None: ...
