"""Pictures of clusters and mixtures."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.em.gmm import GMM
from nnlab.plotting.axes import INK, Points, blank, canvas, marks, percent_bar, scatter
from nnlab.plotting.images import titled, to_pixels
from nnlab.plotting.plane import points

WRITTEN = 30  # with at most this many clusters the confusion matrix shows its numbers
AROUND = (1.0, 2.0)  # standard deviations of the ellipses


def prototypes_picture(centres: Tensor, spec: DataSpec) -> np.ndarray:
    """(K, D) centres as images, each with its number; the columns of the confusion matrix have the same numbers."""
    images = to_pixels(centres.unflatten(1, spec.shape), spec)
    return titled(images, [str(i) for i in range(len(centres))], int(np.ceil(np.sqrt(len(centres)))))


def means_picture(means: Tensor, weights: Tensor, spec: DataSpec) -> np.ndarray:
    """(K, D) means as images, the largest weight first, each with its number and its weight."""
    order = weights.argsort(descending=True)
    images = to_pixels(means[order].unflatten(1, spec.shape), spec)
    columns = int(np.ceil(np.sqrt(len(means))))
    names = [f"{i}: {weight:.0%}" for i, weight in zip(order.tolist(), weights[order].tolist(), strict=True)]
    return titled(images, names, columns)


def ellipses_plot(model: GMM, batch: Batch) -> np.ndarray:
    """The points of the plane, and each component's mean with the ellipses one and two standard deviations from it."""
    spec = model.spec
    xy = points(batch.target, spec)
    angle = torch.linspace(0, 2 * torch.pi, 100, dtype=torch.float64, device=model.offsets.device)
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    label = None if batch.label is None else batch.label.cpu().numpy()
    with canvas(spec.column_names, xy) as drawn:
        scatter(drawn.axes, Points(xy, label), spec.classes, alpha=0.5)
        for mean, weight, spread in zip(model.origin + model.offsets, model.weights.tolist(), model.scales(), strict=True):
            for radius in AROUND:
                line = points(mean + radius * circle @ spread.T, spec)
                drawn.axes.plot(*line.T, color=INK, linewidth=1 + 3 * weight, alpha=1 if radius == 1 else 0.5, zorder=3)
        for radius in AROUND:
            drawn.axes.plot([], [], color=INK, alpha=1 if radius == 1 else 0.5, label=f"{radius:.0f} s.d.")
        marks(drawn.axes, points(model.means, spec), "mean")
    return drawn.pixels


def clusters_chart(clusters: Tensor, labels: Tensor, k: int, classes: tuple[str, ...]) -> np.ndarray:
    """The confusion of classes (rows) and clusters, in % of each class; clusters are sorted by their largest class."""
    counts = torch.bincount(labels.cpu() * k + clusters.cpu(), minlength=len(classes) * k).view(len(classes), k).numpy()
    held = counts.sum(0) > 0
    order = np.lexsort((-counts.max(0), counts.argmax(0)))
    order = order[held[order]]
    share = 100 * counts[:, order] / counts.sum(1, keepdims=True).clip(min=1)
    pure = counts.max(0).sum() / max(counts.sum(), 1)
    with blank(("cluster", "class"), height=6.0) as drawn:
        axes = drawn.axes
        drawn_share = axes.imshow(share, cmap="Blues", vmin=0, vmax=max(share.max(), 1), aspect="auto")
        percent_bar(axes, drawn_share, "% of the class")
        title = f"purity {pure:.1%} of {counts.sum():,}: the share of examples in the largest class of their cluster"
        axes.set_title(title, size=12)
        axes.set_yticks(range(len(classes)), classes)
        if len(order) <= WRITTEN:
            size = min(12.0, 260 / max(len(order), 1))
            axes.set_xticks(range(len(order)), order, size=min(12, 1.2 * size))
            for (row, column), value in np.ndenumerate(share):
                if value >= 1:
                    dark = value > share.max() / 2
                    axes.text(column, row, f"{value:.0f}", ha="center", va="center", size=size, color="white" if dark else INK)
        else:
            ticks = range(0, len(order), -(-len(order) // WRITTEN))
            axes.set_xticks(ticks, [order[i] for i in ticks], size=9)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    return drawn.pixels
