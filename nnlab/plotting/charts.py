"""Figures of a whole split → charts, as a slide would show them: a confusion matrix, a reliability diagram."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import DataSpec
from nnlab.metrics.calibration import Reliability
from nnlab.plotting.axes import FAINT, INK, PALETTE, Points, blank, canvas, dots, percent_bar, scatter

WRITTEN = 20  # with at most this many classes a confusion matrix shows numbers and names
LONGEST = 12  # letters of a class's name in a margin
IDLE = 0.01  # nats: a coordinate with less is unused
MARKED = 40  # coordinates whose names an axis can hold
BINS = 60  # of a histogram, at the most


def confusion_matrix(predicted: Tensor, label: Tensor, classes: int) -> Tensor:
    """(classes, classes) int64: counts per true class (row) and predicted class (column), from (N,) and (N,)."""
    return torch.bincount(label * classes + predicted, minlength=classes**2).view(classes, classes)


def confusion_chart(predicted: Tensor, label: Tensor, classes: tuple[str, ...]) -> np.ndarray:
    """The confusion matrix in % of each true class; darker is more."""
    counts = confusion_matrix(predicted, label, len(classes)).cpu().numpy()
    share = 100 * counts / counts.sum(1, keepdims=True).clip(min=1)
    with blank(("predicted class", "true class"), height=7.0) as drawn:
        axes = drawn.axes
        percent_bar(axes, axes.imshow(share, cmap="Blues", vmin=0, vmax=100), "% of the true class")
        axes.set_title(f"{np.trace(counts) / max(counts.sum(), 1):.1%} of {counts.sum():,} right")
        if len(classes) <= WRITTEN:
            names = [name if len(name) <= LONGEST else name[: LONGEST - 1] + "…" for name in classes]
            axes.set_xticks(range(len(classes)), names, rotation=45, ha="right", rotation_mode="anchor")
            axes.set_yticks(range(len(classes)), names)
            size = min(13.0, 130 / len(classes))
            for (row, column), value in np.ndenumerate(share):
                if counts[row, column]:
                    text = f"{value:.0f}" if value >= 1 or len(classes) > 12 else f"{value:.1f}"
                    axes.text(column, row, text, ha="center", va="center", size=size, color="white" if value > 50 else INK)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    return drawn.pixels


def reliability_chart(bins: Reliability) -> np.ndarray:
    """Accuracy against confidence of a classifier; the area of a point is its share of the examples."""
    confidence, accuracy, count = (part.cpu().numpy() for part in bins)
    held = count > 0
    area = 30 + 1500 * count[held] / count.sum()
    error = np.nansum(np.abs(accuracy - confidence) * count) / count.sum()
    with blank(("confidence: the largest probability", "accuracy")) as drawn:
        axes = drawn.axes
        axes.plot([0, 1], [0, 1], color=FAINT, linestyle="--", linewidth=1.2)
        axes.vlines(confidence[held], confidence[held], accuracy[held], color=PALETTE[0], linewidth=1.5)
        axes.scatter(
            confidence[held], accuracy[held], s=area, color=PALETTE[0], alpha=0.8, linewidths=0, zorder=3, clip_on=False
        )
        axes.set(xlim=(0, 1.01), ylim=(0, 1.01), title=f"calibration error {error:.1%}")
        axes.text(0.06, 0.085, "confidence = accuracy", color=FAINT, rotation=37, rotation_mode="anchor", size=12)
    return drawn.pixels


def kl_chart(kl: Tensor) -> np.ndarray:
    """The KL of each coordinate of a variational code, (d,) nats, the largest first.

    Coordinates with less than a hundredth of a nat are pale: the model does not use them.
    """
    order = kl.argsort(descending=True)
    values = kl[order].cpu().numpy()
    used = values >= IDLE
    with blank(("coordinate, the most informative first", "KL(q(z|x) ‖ p(z)), nats")) as drawn:
        axes, places = drawn.axes, np.arange(len(values))
        axes.bar(places[used], values[used], color=PALETTE[0], label=f"{IDLE:g} nats or more ({used.sum()})")
        if not used.all():
            axes.bar(places[~used], values[~used], color=FAINT, label=f"less ({(~used).sum()})")
        if len(values) <= MARKED:
            axes.set_xticks(places, [f"z{i}" for i in order.tolist()], rotation=0 if len(values) <= 12 else 90)
        axes.set(xlim=(-0.6, len(values) - 0.4), title=f"{values.sum():.2f} nats in all")
        axes.grid(axis="y", color=FAINT, alpha=0.3)
        axes.set_axisbelow(True)
    return drawn.pixels


def outlier_plot(spec: DataSpec, sets: list[tuple[str, Points]], worst: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """The points of a plane in the colours of their classes, held-out ones dark, rings (K, 2) around the worst."""
    (_, data), *others = sets
    with canvas(spec.column_names, np.concatenate([points.xy for _, points in sets])) as drawn:
        scatter(drawn.axes, data, classes)
        for name, points in others:
            dots(drawn.axes, points.xy, name)
        rings = {"s": 170, "facecolors": "none", "edgecolors": INK, "linewidths": 1.8}
        drawn.axes.scatter(*worst.T, label=f"the {len(worst)} most unusual", zorder=4, **rings)
    return drawn.pixels


def score_chart(inside: np.ndarray, outside: np.ndarray, auc: float, meaning: str) -> np.ndarray:
    """Histograms of the scores (N,) of learned classes and (M,) of held-out classes, each with area 1.

    Positive scores that span two decades stand on a logarithmic axis. On a plain one the last bin also holds what lies far
    beyond the others.
    """
    both = np.r_[inside, outside]
    low, usual, high = both.min(), np.quantile(both, 0.998), both.max()
    wide = low > 0 and usual > 100 * np.quantile(both, 0.002)
    if not wide and high - low > 2 * (usual - low) > 0:
        high = usual
    if high - low <= 1e-9 * abs(high):  # all the same
        low, high = low - 0.5, high + 0.5
    bins = int(np.clip(3 * min(len(inside), len(outside)) ** (1 / 3), 8, BINS))  # few scores need few bins
    edges = np.geomspace(low, high, bins + 1) if wide else np.linspace(low, high, bins + 1)
    with blank((shorter(meaning), "density")) as drawn:
        axes = drawn.axes
        for scores, colour, name in ((inside, PALETTE[0], "learned"), (outside, PALETTE[1], "kept out")):
            scale = np.log if wide else np.asarray  # a bar's area is the share on the axis that is drawn
            density, _ = np.histogram(scale(scores.clip(edges[0], edges[-1])), scale(edges), density=True)
            axes.stairs(density, edges, color=colour, fill=True, alpha=0.55, label=f"{name} ({len(scores):,})")
            axes.stairs(density, edges, color=colour, linewidth=2)
        if wide:
            axes.set_xscale("log")
        axes.set(ylim=(0, None), yticks=[], title=f"AUC {auc:.3f}")
    return drawn.pixels


def shorter(meaning: str) -> str:
    """The part of a sentence before its colon, as an axis can hold it."""
    return f"score: {meaning.split(':')[0]}"
