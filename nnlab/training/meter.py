"""The training terms of each step; they stay on the device until they are read."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class NotFinite:
    """The first value that is not finite: the step after the last look, and the term."""

    offset: int
    term: str


@dataclass
class Mean:
    """A weighted mean of several terms. Values are added one by one in double precision, so that the result does not depend
    on when it was read: an interrupted run logs the same bits."""

    sums: dict[str, float] = field(default_factory=dict)
    weight: float = 0.0

    def add(self, values: dict[str, float], weight: float) -> None:
        """Add the means of `weight` examples, by name."""
        self.weight += weight
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + weight * value

    def take(self) -> dict[str, float]:
        """Return the means, and start again from zero."""
        means = {name: total / self.weight for name, total in self.sums.items()} if self.weight else {}
        self.sums, self.weight = {}, 0.0
        return means


@dataclass
class Fetched:
    """Terms that are being copied to the host.

    values   (steps, terms), on the host; complete after the event `arrived`
    weights  the number of images of each step
    """

    names: list[str]
    values: Tensor
    weights: list[int]
    arrived: torch.cuda.Event | None = None

    def rows(self) -> list[list[float]]:
        """The values; waits until they have arrived."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.values.tolist()


class Meter:
    """The terms of each step on the device; adding them does not wait.

    `window` is the mean since the last record, `epoch` the mean since the start of the epoch.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.window, self.epoch = Mean(), Mean()
        self._forget()

    def _forget(self) -> None:
        self._terms: list[Tensor] = []  # one per step, in the order of the names
        self._rows: list[Tensor] = []  # earlier ones: (steps, terms) each
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
        """Start one copy of all collected terms to the host, without waiting. None if there are no terms."""
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
        """Add fetched terms to the means. Returns the first value that is not finite, if there is one."""
        if fetched is None:
            return None
        for offset, (row, weight) in enumerate(zip(fetched.rows(), fetched.weights, strict=True)):
            values = dict(zip(fetched.names, row, strict=True))
            bad = [name for name, value in values.items() if not math.isfinite(value)]
            if bad:  # "loss" is the sum of the others: name the term that caused it
                return NotFinite(offset, next((name for name in bad if name != "loss"), "loss"))
            self.window.add(values, weight)
            self.epoch.add(values, weight)
        return None

    def look(self) -> NotFinite | None:
        """Fetch and accumulate; waits for the device."""
        return self.accumulate(self.fetch())

    def state(self) -> dict:
        """For a checkpoint, after a look."""
        return {kind: [dict(m.sums), m.weight] for kind, m in (("window", self.window), ("epoch", self.epoch))}

    def restore(self, saved: dict) -> None:
        """Restore what `state` returned: the two means, without terms that are still on the device."""
        self._forget()
        self.window, self.epoch = (Mean(dict(saved[kind][0]), saved[kind][1]) for kind in ("window", "epoch"))
