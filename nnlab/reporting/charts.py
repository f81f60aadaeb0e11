"""Learning curves as SVG, with their values for the page's script. No torch.

The SVG is whole without the script, as a mail program or a printer shows it. The script draws it again in the width of the
window, and answers the mouse. Both use the margins and ticks that stand here; `script.js` says so beside its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nnlab.plotting.axes import PALETTE
from nnlab.plotting.curves import STYLES, apart, best_of, line_of, monitored, shown
from nnlab.reporting.facts import MEASURING, NO_METRIC, Run, label
from nnlab.reporting.markup import Markup, data, element
from nnlab.reporting.words import Words

WIDTH, HEIGHT = 560, 290  # of a chart, in pixels
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 12, 38  # margins
PADDING = 0.04  # above and below the curves, as a share of their span
TICKS = 7  # at the most, on an axis
POINTS = 60_000  # of all curves of a page together
FEWEST, MOST = 40, 400  # points of a curve
LINES = POINTS // FEWEST
COLOURS = tuple(colour for colour in PALETTE if colour != "#F0E442")  # a thin yellow line is hard to see on white
DASHES = ("", "7 3", "2 3")  # of the first runs, and of those whose colours are used a second and a third time


@dataclass(frozen=True)
class Key:
    """An entry of the legend."""

    name: str
    colour: str
    dash: str = ""


@dataclass(frozen=True)
class Curve:
    """A metric over a run.

    key                 number of its entry in the legend
    epoch, step, value  (N,)
    ends                epochs at which a stage ended
    best                the point (epoch, value) whose weights were kept
    """

    key: int
    epoch: np.ndarray
    step: np.ndarray
    value: np.ndarray
    ends: tuple[float, ...] = ()
    best: tuple[float, float] | None = None


@dataclass(frozen=True)
class Chart:
    """The curves of one metric. `main` if it is one of the most important."""

    name: str
    curves: list[Curve]
    main: bool


def legend(runs: Sequence[Run], words: Words) -> list[Key]:
    """What the colours mean: the splits of a single run, or the runs."""
    if len(runs) == 1:
        names = {"train": words["training"], "validation": words["validating"]}
        return [Key(names[split], COLOURS[i]) for i, split in enumerate(STYLES)]
    ways = itertools.cycle((colour, dash) for dash in DASHES for colour in COLOURS)
    return [Key(label(i, run), colour, dash) for i, (run, (colour, dash)) in enumerate(zip(runs, ways, strict=False))]


def charts(runs: Sequence[Run]) -> list[Chart]:
    """A chart for each metric of a run; of several runs for each metric of each split. The most important come first."""
    found = of_one(runs[0]) if len(runs) == 1 else of_several(runs)
    return sorted(found, key=lambda chart: not chart.main)


def of_one(run: Run) -> list[Chart]:
    """The metrics of one run, training and validation in one chart unless their sizes differ much."""
    main = shown(run.records, monitored(run.status))
    made = []
    for name in dict.fromkeys([*main, *names(run)]):
        lines = {(run.name, split): line for split in STYLES if (line := line_of(run.by_split.get(split, []), split, name))}
        for title, several in apart(name, lines).items() if lines else ():
            curves = [curve(run, split, name, list(STYLES).index(split)) for _, split in several]
            made.append(Chart(title, [c for c in curves if c], name in main))
    return made


def of_several(runs: Sequence[Run]) -> list[Chart]:
    """The metrics of several runs, each split in a chart of its own, so that a chart has one line per run."""
    main = list(dict.fromkeys(name for run in runs for name in shown(run.records, monitored(run.status))))
    every = dict.fromkeys([*main, *(name for run in runs for name in names(run))])
    pairs = [(split, name) for name in every for split in reversed(STYLES)]
    made = []
    for split, name in pairs:
        curves = [c for i, run in enumerate(runs) if (c := curve(run, split, name, i))]
        if curves:
            made.append(Chart(f"{split}/{name}", curves, name in main))
    return made


def names(run: Run) -> list[str]:
    """The metrics that a run recorded, in order."""
    keys = dict.fromkeys(key for record in run.records if record["split"] in STYLES for key in record)
    return [key for key in keys if key not in NO_METRIC | MEASURING]


def curve(run: Run, split: str, name: str, key: int) -> Curve | None:
    """A metric of a split; None if it was recorded less than twice."""
    records = run.by_split.get(split, [])
    line = line_of(records, split, name, best_of(run.status, split, name))
    if line is None:
        return None
    steps = [record["step"] for record in records if name in record]
    return Curve(key, line.epoch, np.array(steps, dtype=float), line.value, line.ends, line.best)


def fitting(made: Sequence[Chart]) -> tuple[list[Chart], list[str], int]:
    """Charts whose curves a page can hold, the names of the others, and how many points are left of a long curve.

    The last is 0 if all curves have all their points.
    """
    kept, left, count = [], [], 0
    for chart in made:
        if count + len(chart.curves) > LINES:
            left.append(chart.name)
        else:
            kept.append(chart)
            count += len(chart.curves)
    points = int(np.clip(POINTS // max(count, 1), FEWEST, MOST))
    if all(len(c.value) <= points for chart in kept for c in chart.curves):
        return kept, left, 0
    return [Chart(chart.name, [thinned(c, points) for c in chart.curves], chart.main) for chart in kept], left, points


def thinned(curve: Curve, most: int) -> Curve:
    """At most `most` of a curve's points: of each part of it the smallest and the largest value, its two ends, and the best."""
    if len(curve.value) <= most:
        return curve
    kept = {0, len(curve.value) - 1}
    for part in np.array_split(np.arange(len(curve.value)), (most - 3) // 2):
        kept |= {int(part[curve.value[part].argmin()]), int(part[curve.value[part].argmax()])}
    if curve.best:
        kept |= set(np.flatnonzero((curve.epoch == curve.best[0]) & (curve.value == curve.best[1]))[:1].tolist())
    rows = sorted(kept)
    return Curve(curve.key, curve.epoch[rows], curve.step[rows], curve.value[rows], curve.ends, curve.best)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high, TICKS of them at the most: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    digits = 12 - math.floor(math.log10(step))
    return [round(i * step, digits) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def spans(curves: Sequence[Curve]) -> tuple[tuple[float, float], tuple[float, float]]:
    """The ranges of both axes: of the epochs, and of the values with some room above and below."""
    left, right = (end(end(c.epoch) for c in curves) for end in (min, max))
    low, high = (end(end(c.value) for c in curves) for end in (min, max))
    room = PADDING * (high - low) or abs(high) / 10 or 1.0
    right = right if right > left else left + 1
    return (float(left), float(right)), (float(low - room), float(high + room))


def drawn(chart: Chart, keys: Sequence[Key], words: Words) -> Markup:
    """A chart as a figure with its name, its SVG and its values."""
    across, up = spans(chart.curves)
    values = [
        {
            "key": c.key,
            "epoch": exact(c.epoch, 7),
            "step": exact(c.step, 12),
            "value": exact(c.value, 7),
            "ends": list(c.ends),
            "best": c.best,
        }
        for c in chart.curves
    ]
    picture = element(
        "svg",
        *axes(across, up, words),
        *itertools.chain.from_iterable(line(c, keys[c.key], across, up) for c in chart.curves),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=chart.name,
        tabindex="0",
    )
    return element("figure", element("figcaption", chart.name), picture, data(values), class_="chart")


def exact(values: np.ndarray, digits: int) -> list[float]:
    """Numbers with so many significant digits; whole ones as integers, which are shorter."""
    rounded = (float(f"{value:.{digits}g}") for value in values)
    return [int(value) if value.is_integer() and abs(value) < 1e15 else value for value in rounded]


def place(value: float, span: tuple[float, float], low: float, high: float) -> float:
    """Where a value of a span lies between two pixels."""
    return round(low + (value - span[0]) / (span[1] - span[0]) * (high - low), 1)


def axes(across: tuple[float, float], up: tuple[float, float], words: Words) -> list[Markup]:
    """Lines and numbers of both axes."""
    floor = HEIGHT - BOTTOM
    parts = []
    for value in ticks(*up):
        y = place(value, up, floor, TOP)
        parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        parts.append(element("text", f"{value:.10g}", x=LEFT - 8, y=y + 4, text_anchor="end"))
    for value in ticks(*across):
        x = place(value, across, LEFT, WIDTH - RIGHT)
        parts.append(element("text", f"{value:.10g}", x=x, y=floor + 17, text_anchor="middle"))
    parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=floor, y2=floor, class_="axis"))
    parts.append(element("text", words["epoch"], x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 5, text_anchor="middle"))
    return parts


def line(curve: Curve, key: Key, across: tuple[float, float], up: tuple[float, float]) -> list[Markup]:
    """A curve, with a ring at the best point and verticals where a stage ends."""
    floor = HEIGHT - BOTTOM

    def at(epoch: float, value: float) -> tuple[float, float]:
        return place(epoch, across, LEFT, WIDTH - RIGHT), place(value, up, floor, TOP)

    points = (at(epoch, value) for epoch, value in zip(curve.epoch, curve.value, strict=True))
    path = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
    parts = [element("path", d=path, class_="curve", stroke=key.colour, stroke_dasharray=key.dash or None)]
    for end in curve.ends:
        x = place(end, across, LEFT, WIDTH - RIGHT)
        parts.append(element("line", x1=x, x2=x, y1=TOP, y2=floor, class_="end"))
    if curve.best:
        x, y = at(*curve.best)
        parts.append(element("circle", cx=x, cy=y, r=6, class_="best", stroke=key.colour))
    return parts
