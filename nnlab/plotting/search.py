"""The trials of a search as charts: how the best value came about, which keys matter, what each value gave. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nnlab.plotting.axes import FAINT, INK, PALETTE, blank, panels

FAR = 4.0  # a value this many times as far from the best as the median is drawn at the margin
MOST = 4  # keys side by side
LONGEST = 24  # letters of a key beside its bar


@dataclass(frozen=True)
class Trials:
    """Trials in the order of their numbers.

    number   (N,) their numbers
    value    (N,) their metrics, nan where there is none
    pruned   (N,) whether they ended early
    metric   the name of the metric
    higher   whether higher is better
    """

    number: np.ndarray
    value: np.ndarray
    pruned: np.ndarray
    metric: str
    higher: bool = False

    def margins(self) -> tuple[float, float]:
        """The lowest and the highest value that are drawn where they are; far ones would press the others together."""
        known = self.value[np.isfinite(self.value)]
        low, high = known.min(), known.max()
        reach = FAR * abs(np.median(known) - (high if self.higher else low))
        if reach > 0:
            low, high = (max(low, high - reach), high) if self.higher else (low, min(high, low + reach))
        return float(low), float(high)


def history(trials: Trials) -> np.ndarray:
    """(H, W, 3) uint8: the metric of each trial, and the best so far of those that were trained to their end."""
    low, high = trials.margins()
    shown = trials.value.clip(low, high)
    far, known = shown != trials.value, np.isfinite(trials.value)
    best = np.fmax.accumulate if trials.higher else np.fmin.accumulate
    complete = np.where(trials.pruned, np.nan, trials.value)
    with blank(("trial", trials.metric)) as drawn:
        axes = drawn.axes
        axes.step(trials.number, best(complete), where="post", color=PALETTE[1], linewidth=2.5, label="best so far")
        for chosen, label, style in (
            (~trials.pruned, "complete", {"color": PALETTE[0]}),
            (trials.pruned, "pruned", {"facecolors": "none", "edgecolors": FAINT, "linewidths": 1.6}),
        ):
            here, beyond = known & chosen & ~far, known & chosen & far
            if here.any() or beyond.any():
                axes.scatter(trials.number[here], shown[here], s=70, label=label, zorder=3, **style)
            if beyond.any():
                marker = "v" if trials.higher else "^"
                axes.scatter(trials.number[beyond], shown[beyond], s=70, marker=marker, zorder=3, **style)
        if (known & far).any():
            axes.scatter([], [], marker="v" if trials.higher else "^", color=INK, s=60, label="far worse")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(axis="y", color=FAINT, alpha=0.3)
        axes.set_axisbelow(True)
    return drawn.pixels


def importance(shares: Mapping[str, Sequence[float]], metrics: Sequence[str]) -> np.ndarray:
    """(H, W, 3) uint8: the share of each key in what makes the metrics differ, as bars; the largest above."""
    keys = sorted(shares, key=lambda key: sum(shares[key]))
    places, height = np.arange(len(keys)), 0.75 / len(metrics)
    with blank(("share of the variance, %", ""), height=1.6 + 0.8 * len(keys)) as drawn:
        axes = drawn.axes
        for i, metric in enumerate(metrics):
            values = 100 * np.array([shares[key][i] for key in keys])
            where = places + (len(metrics) / 2 - i - 0.5) * height
            axes.barh(where, values, height, color=PALETTE[i % len(PALETTE)], label=metric)
            for place, value in zip(where, values, strict=True):
                axes.text(value + 1, place, f"{value:.0f}", va="center", color=INK)
        axes.set_yticks(places, [key if len(key) <= LONGEST else f"…{key[1 - LONGEST :]}" for key in keys])
        axes.set(xlim=(0, 112), xticks=range(0, 101, 20))
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    return drawn.pixels


def values(keys: Mapping[str, Sequence[float | str]], log: Sequence[str], trials: Trials) -> np.ndarray:
    """(H, W, 3) uint8: the metric against each of a few keys; a trial is as dark as it is late.

    keys  the values of each trial, (N,) numbers or texts
    log   the keys with a logarithmic axis
    """
    low, high = trials.margins()
    shown = trials.value.clip(low, high)
    kept = dict(list(keys.items())[:MOST])
    with panels([(key, trials.metric if i == 0 else "") for i, key in enumerate(kept)]) as made:
        for axes, (key, tried) in zip(made.axes, kept.items(), strict=True):
            if any(isinstance(value, str) for value in tried):
                names = sorted({str(value) for value in tried}, key=in_order)
                axes.set_xticks(range(len(names)), names, rotation=20 if max(map(len, names)) > 6 else 0)
                axes.set_xlim(-0.5, len(names) - 0.5)
                place = np.array([names.index(str(value)) for value in tried], float)
                place += np.random.default_rng(0).uniform(-0.12, 0.12, len(place))  # so that equal ones are seen
            else:
                place = np.array(tried, float)
                if key in log:
                    axes.set_xscale("log")
            for chosen, label in ((trials.pruned, "pruned"), (~trials.pruned, "complete")):
                if chosen.any():
                    style = {"edgecolors": FAINT, "facecolors": "none"} if label == "pruned" else {"edgecolors": INK}
                    if label == "complete":
                        style |= {"c": trials.number[chosen], "cmap": "Blues", "vmin": -0.3 * len(place), "vmax": len(place)}
                    named = "pruned" if label == "pruned" else "complete, the darker the later"
                    axes.scatter(place[chosen], shown[chosen], s=60, linewidths=1.1, label=named, **style)
    return made.pixels


def in_order(text: str) -> tuple[float, str]:
    """A key that sorts numbers by their size, and other texts by their letters after them."""
    try:
        return (float(text), text)
    except ValueError:
        return (np.inf, text)


def front(points: np.ndarray, numbers: Sequence[int], on: np.ndarray, metrics: tuple[str, str]) -> np.ndarray:
    """(H, W, 3) uint8: two metrics (N, 2) of the complete trials; those `on` the front have their numbers beside them."""
    with blank(metrics) as drawn:
        axes = drawn.axes
        axes.scatter(*points[~on].T, s=60, color=FAINT, label="another is better in both")
        order = points[on][:, 0].argsort()
        axes.plot(*points[on][order].T, "o-", color=PALETTE[0], markersize=9, linewidth=1.5, label="none is better in both")
        for number, point in zip(np.array(numbers)[on], points[on], strict=True):
            axes.annotate(str(number), point, (7, 7), textcoords="offset points", color=INK, size=12)
        axes.margins(0.08)
    return drawn.pixels
