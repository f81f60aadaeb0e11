"""Learning curves: the records of metrics.jsonl as a picture. No torch.

The picture of one run has a panel for the loss and one for the monitored metric, or for the loss of each player of a game.
Several runs are drawn in the same panels.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnlab.metrics.main import main_figures
from nnlab.plotting.axes import FAINT, INK, colours, panels

MOST = 3  # panels
APART = 3.0  # training and validation lines that differ by a larger factor get separate panels
STYLES = {"train": "--", "validation": "-"}


@dataclass(frozen=True)
class Line:
    """A metric of a split over a run.

    epoch, value  (N,)
    ends          epochs at which a stage ended
    best          the point (epoch, value) whose weights the run kept, where it is known
    """

    epoch: np.ndarray
    value: np.ndarray
    ends: tuple[float, ...] = ()
    best: tuple[float, float] | None = None


def line_of(records: list[dict[str, Any]], split: str, name: str, best: float | None = None) -> Line | None:
    """A metric of a split from the records of a run; None if fewer than two records have it."""
    mine = [r for r in records if r.get("split") == split and isinstance(r.get(name), int | float)]
    if len(mine) < 2:
        return None
    epoch, value = (np.array([r[key] for r in mine], dtype=float) for key in ("epoch", name))
    ends = tuple(a["epoch"] for a, b in itertools.pairwise(mine) if a.get("stage") != b.get("stage"))
    last = [r for r in mine if r.get("stage") == mine[-1].get("stage")]
    kept = next(((r["epoch"], r[name]) for r in last if best is not None and r[name] == best), None)
    return Line(epoch, value, ends, kept)


def shown(records: list[dict[str, Any]], monitored: str | None) -> list[str]:
    """The names of the metrics in a run's curves, one per panel."""
    names = list(dict.fromkeys(key for r in records if r.get("split") == "train" for key in r))
    return main_figures(names, [monitored] if monitored else [])[:MOST]


def curves(runs: Mapping[str, tuple[list[dict[str, Any]], Mapping[str, Any]]], title: str = "") -> np.ndarray | None:
    """(H, W, 3) uint8: the curves of runs, each given by its name with the records of its metrics.jsonl and its status.json.

    None if no metric was recorded more than once, as for a closed form.
    """
    names = dict.fromkeys(name for records, status in runs.values() for name in shown(records, monitored(status)))
    drawn = {}
    for name in names:
        lines = {
            (run, split): line
            for run, (records, status) in runs.items()
            for split in STYLES
            if (line := line_of(records, split, name, best_of(status, split, name)))
        }
        drawn |= {label: series for label, series in apart(name, lines).items() if series}
    drawn = dict(list(drawn.items())[:MOST])
    if not drawn:
        return None
    alone = len(runs) == 1
    shades = colours(max(len(runs), len(STYLES)))
    with panels([("epoch", label) for label in drawn], title) as made:
        for axes, lines in zip(made.axes, drawn.values(), strict=True):
            for (run, split), line in lines.items():
                number = list(STYLES).index(split) if alone else list(runs).index(run)
                draw(
                    axes,
                    line,
                    split if alone else run if split == "validation" else None,
                    shades[number],
                    "-" if alone else STYLES[split],
                )
        if not alone:
            made.axes[0].plot([], [], color=INK, linestyle="--", label="dashed: training")
    return made.pixels


def apart(name: str, lines: dict[tuple[str, str], Line]) -> dict[str, dict[tuple[str, str], Line]]:
    """The lines of a panel; two panels if the splits have values of different sizes, e.g. sums over splits."""
    by = {split: {key: line for key, line in lines.items() if key[1] == split} for split in STYLES}
    middle = [np.median(np.abs(np.concatenate([line.value for line in series.values()]))) for series in by.values() if series]
    if len(middle) == 2 and max(middle) > APART * min(middle) > 0:
        return {f"{name} ({split})": series for split, series in by.items()}
    return {name: lines}


def draw(axes, line: Line, label: str | None, colour: str, style: str) -> None:
    """Draw a line in a colour, with dotted verticals where a stage ends and a ring at the best point."""
    marker = {"marker": "o", "markersize": 4} if len(line.epoch) <= 12 else {}
    axes.plot(line.epoch, line.value, style, color=colour, linewidth=2, label=label, **marker)
    for end in line.ends:
        axes.axvline(end, color=FAINT, linewidth=1, linestyle=":")
    if line.best:
        axes.plot(
            *line.best,
            "o",
            color=colour,
            markersize=11,
            markerfacecolor="none",
            markeredgewidth=2,
            label="best" if label in STYLES else None,
        )


def monitored(status: Mapping[str, Any]) -> str | None:
    """The name of a run's monitored figure."""
    return next((str(name).rpartition("/")[2] for name in status.get("best") or {}), None)


def best_of(status: Mapping[str, Any], split: str, name: str) -> float | None:
    """The best value of the monitored figure, if that is the one."""
    return next((value for key, value in (status.get("best") or {}).items() if key == f"{split}/{name}"), None)
