"""Charts of principal components: the examples along them, their entries, their shares of the variance."""

from __future__ import annotations

import numpy as np

from nnlab.data.spec import Batch
from nnlab.families.ae.pca import PCA
from nnlab.plotting.axes import FAINT, INK, PALETTE, Points, blank, canvas, percent_bar, scatter

COMPONENTS, COLUMNS = 8, 30  # of a chart of loadings, at most
WRITTEN = 12  # columns up to which each loading is written into its cell
TICKS = 12


def named(model: PCA, i: int) -> str:
    """An axis: the component's number, from 1, and its share of the variance."""
    return f"PC{i + 1} ({float(model.explained[i]):.1%} of the variance)"


def scores_plot(model: PCA, batch: Batch) -> np.ndarray:
    """The examples along the first two components, in the colours of their classes."""
    xy = model.encode(batch.input)[:, :2].double().cpu().numpy()
    with canvas((named(model, 0), named(model, 1)), xy) as drawn:
        scatter(drawn.axes, Points(xy, None if batch.label is None else batch.label.cpu().numpy()), model.spec.classes)
    return drawn.pixels


def loadings_chart(model: PCA) -> np.ndarray:
    """The entries of each component: one row per column of the table; of many columns only the largest."""
    entries = model.components[:COMPONENTS].double().cpu().numpy()  # (k, D)
    columns = np.sort(np.abs(entries).max(0).argsort(kind="stable")[::-1][:COLUMNS])
    names = [model.spec.column_names[i] for i in columns]
    values, k, rows = entries[:, columns].T, len(entries), len(columns)
    with blank(("", ""), height=1.8 + 0.36 * max(rows, 6)) as drawn:
        axes = drawn.axes
        image = axes.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
        percent_bar(axes, image, "loading")
        axes.set_xticks(range(k), [f"PC{i + 1}" for i in range(k)])
        axes.set_yticks(range(rows), names)
        if rows < model.spec.features:
            axes.set_title(f"the {rows} of {model.spec.features} columns that weigh most")
        for (row, column), value in np.ndenumerate(values) if rows <= WRITTEN else ():
            colour = "white" if abs(value) > 0.6 else INK
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, size=12)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    return drawn.pixels


def variance_chart(model: PCA) -> np.ndarray:
    """The share of the variance of each component, and the cumulative share: the scree plot."""
    shares = 100 * model.explained.double().cpu().numpy()
    number = np.arange(1, len(shares) + 1)
    with blank(("component", "share of the variance in %")) as drawn:
        axes = drawn.axes
        axes.bar(number, shares, color=PALETTE[0], label="each")
        axes.plot(
            number, shares.cumsum(), color=PALETTE[5], marker="o", markersize=7, linewidth=2.5, label="the first together"
        )
        axes.set(ylim=(0, 102), xlim=(0.4, len(shares) + 0.6), title=f"{shares.sum():.1f} % in {len(shares)} components")
        if len(shares) <= TICKS:
            axes.set_xticks(number)
        else:
            axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(axis="y", color=FAINT, alpha=0.3)
        axes.set_axisbelow(True)
    return drawn.pixels
