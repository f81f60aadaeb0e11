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
    """Each step's terms as they lie on the device; gathering them waits for nothing.

    `window` is the mean since the last record, `epoch` the mean since the epoch began.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.terms: list[Tensor] = []  # step by step, in the order of the names
        self.weights: list[int] = []
        self.window, self.epoch = Mean(), Mean()

    def add(self, terms: dict[str, Tensor], weight: int) -> None:
        """Terms of one step, each a scalar on the device; `weight` is the number of images."""
        self.names = list(terms)
        self.terms += terms.values()
        self.weights.append(weight)

    def look(self) -> NotFinite | None:
        """Bring what has gathered to the host, in one copy. Tells of the first value that is not finite."""
        if not self.weights:
            return None
        rows = torch.stack(self.terms).view(len(self.weights), -1).tolist()
        weights, self.terms, self.weights = self.weights, [], []
        for offset, (row, weight) in enumerate(zip(rows, weights, strict=True)):
            values = dict(zip(self.names, row, strict=True))
            bad = [name for name, value in values.items() if not math.isfinite(value)]
            if bad:  # "loss" is the sum of the others: name the one that spoilt it
                return NotFinite(offset, next((name for name in bad if name != "loss"), "loss"))
            self.window.add(values, weight)
            self.epoch.add(values, weight)
        return None

    def state(self) -> dict:
        """For a checkpoint, after a look."""
        return {kind: [dict(m.sums), m.weight] for kind, m in (("window", self.window), ("epoch", self.epoch))}

    def restore(self, saved: dict) -> None:
        self.terms, self.weights = [], []
        self.window, self.epoch = (Mean(dict(saved[kind][0]), saved[kind][1]) for kind in ("window", "epoch"))
