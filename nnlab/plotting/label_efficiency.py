"""Test accuracy of classifiers by the number of labels, of several encoders: lines, or for many encoders a row of dots each."""

from __future__ import annotations

from statistics import mean

import numpy as np

from nnlab.plotting.axes import FAINT, HEIGHT, PALETTE, blank

NEAR = 0.1  # share of a logarithmic axis: numbers that are closer would overlap
MOST = 6  # lines that a reader can tell apart
ROW = 0.36  # inches of an encoder's row

Found = dict[str, list[tuple[int, float, float | None]]]  # of each encoder (labels, mean accuracy 0 … 1, s.d. or None)


def probe_chart(found: Found, data: str) -> np.ndarray:
    """Test accuracy of each encoder for each number of labels; the same numbers for all."""
    return lines(found, data) if len(found) <= MOST else rows(found, data)


def accuracy(found: Found) -> str:
    """What the accuracy's axis is called."""
    drawn_anew = any(std is not None for points in found.values() for _, _, std in points)
    return f"test accuracy in %{', ± s.d. over draws' * drawn_anew}"


def lines(found: Found, data: str) -> np.ndarray:
    """Accuracy against the number of labels, one line per encoder."""
    with blank(("labelled examples", accuracy(found))) as drawn:
        axes = drawn.axes
        axes.set_xscale("log")
        for i, (name, points) in enumerate(found.items()):
            n, mean, std = zip(*points, strict=True)
            beside = 1.05 ** (i - (len(found) - 1) / 2)  # bars of one number of labels would hide each other
            bars = [100 * (s or 0) for s in std]
            style = {
                "color": PALETTE[i % len(PALETTE)],
                "marker": "os^D"[i % 4],
                "markersize": 9,
                "linewidth": 2.5,
                "capsize": 5,
            }
            style |= {"label": name, "zorder": len(found) - i + 2}
            axes.errorbar([beside * count for count in n], [100 * m for m in mean], bars, **style)
        ticks = sorted({n for points in found.values() for n, _, _ in points})
        low, high = ticks[0] / 1.6, ticks[-1] * 1.6
        reach = NEAR * np.log(high / low)
        labelled = [n for n, after in zip(ticks, [*ticks[1:], np.inf], strict=True) if np.log(after / n) > reach]
        axes.set_xticks(labelled, [f"{n:,}" for n in labelled])
        axes.set_xticks([], minor=True)
        axes.set_xlim(low, high)
        axes.grid(axis="y", color=FAINT, alpha=0.3)
        axes.set_title(f"{data} from few labels")
    return drawn.pixels


def rows(found: Found, data: str) -> np.ndarray:
    """A row per encoder, the best on average above, with a dot per number of labels."""
    order = sorted(found, key=lambda name: mean(point[1] for point in found[name]))
    counts = [n for n, _, _ in found[order[0]]]
    with blank((accuracy(found), ""), height=max(HEIGHT, 1.8 + ROW * len(order))) as drawn:
        axes, heights = drawn.axes, np.arange(len(order))
        for i, n in enumerate(counts):
            means, stds = zip(*(found[name][i][1:] for name in order), strict=True)
            style = {"fmt": "os^D"[i % 4], "color": PALETTE[i % len(PALETTE)], "markersize": 8, "capsize": 3}
            style |= {"xerr": [100 * (s or 0) for s in stds], "label": f"{n:,} labels"}
            axes.errorbar([100 * m for m in means], heights, **style)
        axes.set_yticks(heights, order)
        axes.set_ylim(-0.7, len(order) - 0.3)
        axes.tick_params(axis="y", length=0)
        axes.grid(color=FAINT, alpha=0.3)
        axes.set_title(f"{data} from few labels")
    return drawn.pixels
