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
        """Add the means of `weight` examples, by name."""
        self.weight += weight
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + weight * value

    def take(self) -> dict[str, float]:
        """The means, and start anew."""
        means = {name: total / self.weight for name, total in self.sums.items()} if self.weight else {}
        self.sums, self.weight = {}, 0.0
        return means


@dataclass
class Fetched:
    """Terms on their way to the host.

    values   (steps, terms), on the host; whole once `arrived` has happened
    weights  the number of images of each step
    """

    names: list[str]
    values: Tensor
    weights: list[int]
    arrived: torch.cuda.Event | None = None

    def rows(self) -> list[list[float]]:
        """The values, which this waits for."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.values.tolist()


class Meter:
    """Each step's terms as they lie on the device; gathering them waits for nothing.

    `window` is the mean since the last record, `epoch` the mean since the epoch began.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.window, self.epoch = Mean(), Mean()
        self._forget()

    def _forget(self) -> None:
        self._terms: list[Tensor] = []  # step by step, in the order of the names
        self._rows: list[Tensor] = []  # before them: (steps, terms) each
        self._weights: list[int] = []

    def add(self, terms: dict[str, Tensor], weight: int) -> None:
        """Terms of one step, each a scalar on the device; `weight` is the number of images."""
        self.names = list(terms)
        self._terms += terms.values()
        self._weights.append(weight)

    def add_rows(self, names: list[str], rows: Tensor, weights: list[int]) -> None:
        """Terms of several steps, (steps, terms)."""
        self._gather()
        self.names = names
        self._rows.append(rows)
        self._weights += weights

    def _gather(self) -> None:
        if self._terms:
            self._rows.append(torch.stack(self._terms).view(-1, len(self.names)))
            self._terms = []

    def fetch(self) -> Fetched | None:
        """Send what has gathered to the host, in one copy, without waiting for it. None if there is nothing."""
        if not self._weights:
            return None
        self._gather()
        rows = torch.cat(self._rows)
        fetched = Fetched(self.names, rows, self._weights)
        if rows.device.type == "cuda":
            fetched.values = torch.empty(rows.shape, dtype=rows.dtype, pin_memory=True).copy_(rows, non_blocking=True)
            fetched.arrived = torch.cuda.Event()
            fetched.arrived.record()
        self._forget()
        return fetched

    def accumulate(self, fetched: Fetched | None) -> NotFinite | None:
        """Add what was fetched to the means. Tells of the first value that is not finite."""
        if fetched is None:
            return None
        for offset, (row, weight) in enumerate(zip(fetched.rows(), fetched.weights, strict=True)):
            values = dict(zip(fetched.names, row, strict=True))
            bad = [name for name, value in values.items() if not math.isfinite(value)]
            if bad:  # "loss" is the sum of the others: name the one that spoilt it
                return NotFinite(offset, next((name for name in bad if name != "loss"), "loss"))
            self.window.add(values, weight)
            self.epoch.add(values, weight)
        return None

    def look(self) -> NotFinite | None:
        """Fetch and take in at once, which waits for the device."""
        return self.accumulate(self.fetch())

    def state(self) -> dict:
        """For a checkpoint, after a look."""
        return {kind: [dict(m.sums), m.weight] for kind, m in (("window", self.window), ("epoch", self.epoch))}

    def restore(self, saved: dict) -> None:
        """Take up what `state` returned: the two means, without any terms that are still on the device."""
        self._forget()
        self.window, self.epoch = (Mean(dict(saved[kind][0]), saved[kind][1]) for kind in ("window", "epoch"))
