"""The training terms of each step, kept on the device until someone looks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class NotFinite:
    """The first value that is no number: which step after the last look, and which term."""

    offset: int
    term: str


@dataclass
class Mean:
    """A weighted mean of several terms. Added up one value after the other in double precision, so that it does not depend
    on when someone looked: a run that was interrupted in between logs the same bits."""

    sums: dict[str, float] = field(default_factory=dict)
    weight: float = 0.0

    def add(self, values: dict[str, float], weight: float) -> None:
        self.weight += weight
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + weight * value

    def take(self) -> dict[str, float]:
        """The means, and start anew."""
        means = {name: total / self.weight for name, total in self.sums.items()} if self.weight else {}
        self.sums, self.weight = {}, 0.0
        return means


class Meter:
    """A row a step of each term's batch mean; one small write a step, and no wait for the device.

    `window` is the mean since the last record, `epoch` the mean since the epoch began.
    """

    def __init__(self, capacity: int, device: torch.device) -> None:
        self.capacity, self.device = capacity, device
        self.names: list[str] = []
        self.rows: Tensor | None = None
        self.weights: list[int] = []
        self.window, self.epoch = Mean(), Mean()

    def add(self, terms: dict[str, Tensor], weight: int) -> None:
        """Terms of one step, each a scalar on the device; `weight` is the number of images."""
        if self.rows is None:
            self.names = list(terms)
            self.rows = torch.empty((self.capacity, len(terms)), device=self.device)
        torch.stack(list(terms.values()), out=self.rows[len(self.weights)])
        self.weights.append(weight)

    def look(self) -> NotFinite | None:
        """Bring what has gathered to the host. Tells of the first value that is not finite."""
        if not self.weights:
            return None
        rows = self.rows[: len(self.weights)].tolist()
        for offset, row in enumerate(rows):
            bad = next((name for name, value in zip(self.names, row, strict=True) if not math.isfinite(value)), None)
            if bad is not None:
                # "loss" is the sum of the others: name the one that spoilt it
                terms = dict(zip(self.names, row, strict=True))
                cause = [n for n, v in terms.items() if not math.isfinite(v) and n != "loss"]
                return NotFinite(offset, cause[0] if cause else bad)
            values = dict(zip(self.names, row, strict=True))
            self.window.add(values, self.weights[offset])
            self.epoch.add(values, self.weights[offset])
        self.weights = []
        return None

    def state(self) -> dict:
        """For a checkpoint, after a look."""
        return {kind: [dict(m.sums), m.weight] for kind, m in (("window", self.window), ("epoch", self.epoch))}

    def restore(self, saved: dict) -> None:
        self.weights = []
        self.window, self.epoch = (Mean(dict(saved[kind][0]), saved[kind][1]) for kind in ("window", "epoch"))
