"""Points of the plane → plots with axes and a legend, large enough for a slide.

A plot is made with matplotlib's objects and its Agg renderer, without pyplot, whose state belongs to a notebook.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.ImageFont import FreeTypeFont

WIDTH, DPI = 8.0, 120  # inches, and 960 pixels: a slide
HEIGHT, LOWEST, HIGHEST = 6.0, 4.2, 6.6  # inches: without a common scale, and the limits
AROUND = 1.3  # inches that names, numbers and the legend take
FONT = 15  # points at that size, legible from the last row
SMALLEST = 9  # points
LEGEND = 1.2  # inches of a legend of three rows, for which a picture has room
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")  # 2008, but for black
PALETTE = (
    *OKABE_ITO,
    "#332288",
    "#882255",
    "#8B5A2B",
)  # and three dark colours, since most datasets of images have ten classes
INK, FAINT = "#222222", "#8C8C8C"
NAMED = 20  # classes that a legend names
MARGIN = 0.12  # margin on each side, as a share of the span
TINT = 0.28  # opacity of a tinted background, so that points of the same colour are visible
TITLE = 80  # letters of a line of a title
ABOUT = {"pdf": "Subject", "svg": "Description"}  # fields of a file's metadata
ALIKE = 4.0  # spans whose ratio is smaller get the same scale


class Points(NamedTuple):
    """A cloud of points.

    xy     (N, 2), in the units of the axes
    label  (N,) class numbers, or None
    """

    xy: np.ndarray
    label: np.ndarray | None = None


class Chart(np.ndarray):
    """The pixels (H, W, 3) uint8 of a plot, and its figure: PDF and SVG are drawn from it as vector graphics.

    title  the title above the pixels, not part of the figure
    """

    figure: Figure | None = None
    title: str = ""

    @classmethod
    def of(cls, pixels: np.ndarray, figure: Figure, title: str = "") -> Chart:
        """A chart of pixels (H, W, 3) uint8 and the figure that they show."""
        chart = pixels.view(cls)
        chart.figure, chart.title = figure, title
        return chart

    def vector(self, kind: Literal["pdf", "svg"], metadata: Mapping[str, str]) -> bytes:
        """The bytes of such a file.

        facts  the metadata of the file
        """
        from matplotlib import rc_context

        # the title below, where the layout makes room for it: above it would lie on the legend
        caption = self.figure.supxlabel("\n".join(textwrap.wrap(self.title, TITLE)), fontsize=FONT - 2)
        said = {"Title": metadata.get("Title", self.title), ABOUT[kind]: "; ".join(f"{k}: {v}" for k, v in metadata.items())}
        when, buffer = {"pdf": "CreationDate", "svg": "Date"}[kind], io.BytesIO()
        try:
            with rc_context({"pdf.fonttype": 42, "svg.hashsalt": "nnlab"}):
                self.figure.savefig(buffer, format=kind, metadata={**said, when: None})
        finally:
            caption.set_text("")
        return buffer.getvalue()


class Canvas:
    """Axes that are drawn on; `pixels` is the picture (H, W, 3) uint8 once the context that made it has ended."""

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self.pixels = np.empty((0, 0, 3), np.uint8)


@contextmanager
def blank(names: tuple[str, str], height: float = HEIGHT) -> Iterator[Canvas]:
    """Empty axes with their names; items with a label are in a legend above them."""
    from matplotlib import rc_context  # half a second to import
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context({"font.size": FONT, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
        agg = FigureCanvasAgg(figure)
        made = Canvas(figure.add_subplot())
        made.axes.set(xlabel=names[0], ylabel=names[1])
        yield made
        entries = entries_of([made.axes])
        if entries:
            most = 4 if max(map(len, entries)) > 8 else 6
            fitting_legend(figure, entries, most, loc="outside upper center", markerscale=1.6, handletextpad=0.3)
            rows = figure.legends[0].get_window_extent(agg.get_renderer()).height / DPI
            figure.set_figheight(figure.get_figheight() + max(0.0, rows - LEGEND))
        fit_name(made.axes)
        agg.draw()
        made.pixels = Chart.of(np.asarray(agg.buffer_rgba())[..., :3].copy(), figure)


class Panels:
    """Axes side by side; `pixels` is the picture once the context that made it has ended."""

    def __init__(self, axes: list[Axes]) -> None:
        self.axes = axes
        self.pixels = np.empty((0, 0, 3), np.uint8)


@contextmanager
def panels(names: list[tuple[str, str]], title: str = "", height: float = 4.6) -> Iterator[Panels]:
    """Axes side by side with their names; items of the first with a label are in a legend above all."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context({"font.size": FONT - len(names), "axes.spines.top": False, "axes.spines.right": False}):
        width = WIDTH if len(names) == 1 else min(2, len(names)) * WIDTH * 0.72
        figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
        agg = FigureCanvasAgg(figure)
        made = Panels(list(figure.subplots(1, len(names), squeeze=False)[0]))
        for axes, (across, up) in zip(made.axes, names, strict=True):
            axes.set(xlabel=across, ylabel=up)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(axis="y", color=FAINT, alpha=0.3)
        if title:
            figure.suptitle(title, fontsize=FONT)
        yield made
        if entries := entries_of(made.axes):
            fitting_legend(figure, entries, 4, loc="outside lower center")
        agg.draw()
        made.pixels = Chart.of(np.asarray(agg.buffer_rgba())[..., :3].copy(), figure)


def entries_of(several: list[Axes]) -> dict[str, Artist]:
    """What a legend of some axes names, each name once."""
    entries: dict[str, Artist] = {}
    for axes in several:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    return entries


def fitting_legend(figure: Figure, entries: Mapping[str, Artist], most: int, **style) -> None:
    """A legend in as many columns as the names leave room for, at most so many; in smaller letters if one does not fit."""
    width = figure.get_figwidth() * figure.dpi
    for columns in range(min(len(entries), most), 0, -1):
        legend = figure.legend(entries.values(), entries, ncols=columns, frameon=False, **style)
        taken = legend.get_window_extent(figure.canvas.get_renderer()).width
        if taken <= width:
            return
        if columns > 1:
            legend.remove()
    while taken > width:
        for text in legend.get_texts():
            text.set_fontsize(0.95 * text.get_fontsize())
        taken = legend.get_window_extent(figure.canvas.get_renderer()).width


def fit_name(axes: Axes) -> None:
    """The name of the axis that goes up, in two lines and in smaller letters if it would leave the picture."""
    figure, label = axes.figure, axes.yaxis.label
    renderer, height = figure.canvas.get_renderer(), figure.get_figheight() * figure.dpi
    if label.get_window_extent(renderer).height < height / 2:  # it fits beside any axes, and a layout takes time
        return

    def beyond() -> bool:
        figure.canvas.draw()
        box = label.get_window_extent(renderer)
        return box.y0 < 0 or box.y1 > height

    if beyond():
        label.set_text(label.get_text().replace(" (", "\n("))
    while beyond() and label.get_fontsize() > SMALLEST:
        label.set_fontsize(label.get_fontsize() - 1)


@contextmanager
def canvas(names: tuple[str, str], frame: np.ndarray) -> Iterator[Canvas]:
    """Empty axes around the points `frame` (N, 2), to one scale if the two spans are similar."""
    with blank(names) as made:
        span = set_frame(made.axes, frame)
        if span.max() < ALIKE * span.min():
            made.axes.set_aspect("equal")
            height = np.clip(AROUND + (WIDTH - AROUND) * span[1] / span[0], LOWEST, HIGHEST)
            made.axes.figure.set_figheight(float(height))
        yield made


def set_frame(axes: Axes, frame: np.ndarray) -> np.ndarray:
    """Set the limits around the points, and return the spans of their two columns."""
    low, high = frame.min(0), frame.max(0)
    span = np.where(high > low, high - low, 1.0)
    axes.set_xlim(low[0] - MARGIN * span[0], high[0] + MARGIN * span[0])
    axes.set_ylim(low[1] - MARGIN * span[1], high[1] + MARGIN * span[1])
    return span


def percent_bar(axes: Axes, image, name: str) -> None:
    """A colour bar in %."""
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.85, pad=0.02)
    bar.set_label(name)
    bar.outline.set_visible(False)


def colours(count: int) -> list[str]:
    """(count,) one colour per class: the palette, or for more classes the hues of a circle."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    if count <= len(PALETTE):
        return list(PALETTE[:count])
    return [to_hex(colour) for colour in colormaps["turbo"](np.linspace(0.03, 0.97, count))]


def scatter(axes: Axes, points: Points, classes: tuple[str, ...], name: str = "data", **style) -> None:
    """Points in the colours of their classes, each class in the legend; in gray, called `name`, without labels."""
    style = {"s": 18, "linewidths": 0, "alpha": 0.7, **style}
    if points.label is None or not classes:
        axes.scatter(*points.xy.T, color=FAINT, label=name, **style)
        return
    for i, colour in enumerate(colours(len(classes))):
        label = classes[i] if len(classes) <= NAMED else None
        axes.scatter(*points.xy[points.label == i].T, color=colour, label=label, **style)


def dots(axes: Axes, xy: np.ndarray, name: str) -> None:
    """(N, 2) samples as small dark points; the legend has the number of points outside the frame."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    x, y = xy.T
    beyond = int(((x < left) | (x > right) | (y < bottom) | (y > top)).sum())
    axes.scatter(x, y, color=INK, s=10, linewidths=0, label=f"{name} ({beyond} beyond)" if beyond else name, zorder=3)


def joined(axes: Axes, start: np.ndarray, end: np.ndarray) -> None:
    """(N, 2) each: a thin line from each point to its partner."""
    from matplotlib.collections import LineCollection

    axes.add_collection(LineCollection(np.stack([start, end], 1), colors=INK, linewidths=0.6, alpha=0.45), autolim=False)


def marks(axes: Axes, xy: np.ndarray, name: str) -> None:
    """(K, 2) centres as large dark crosses with a light border, above everything."""
    axes.scatter(*xy.T, marker="X", s=110, color=INK, edgecolors="white", linewidths=1.2, label=name, zorder=4)


def outlines(axes: Axes, ends: np.ndarray) -> None:
    """(S, 2, 2) both ends of each piece of a border."""
    from matplotlib.collections import LineCollection

    lines = LineCollection(ends, colors=INK, linewidths=1.3, capstyle="round", zorder=2)
    axes.add_collection(lines, autolim=False)


def tint(axes: Axes, across: np.ndarray, up: np.ndarray, values: np.ndarray, count: int) -> None:
    """The ground of a grid in pale colours.

    across, up  (W,) and (H,) the places of the grid
    values      (H, W) which of `count` colours, or (H, W, count) the shares of each
    """
    from matplotlib.colors import to_rgba_array

    palette = to_rgba_array(colours(count))[:, :3]
    mixed = palette[values] if values.ndim == 2 else values @ palette
    half = (across[1] - across[0]) / 2, (up[1] - up[0]) / 2  # a place of the grid is the middle of a pixel
    extent = (across[0] - half[0], across[-1] + half[0], up[0] - half[1], up[-1] + half[1])
    pale = 1 - TINT * (1 - mixed)
    axes.imshow(pale, extent=extent, origin="lower", aspect=axes.get_aspect(), interpolation="bilinear", zorder=0)


@cache
def font(size: int) -> FreeTypeFont:
    """The font of matplotlib's plots, so that grids and plots look alike; found without importing matplotlib."""
    from PIL import ImageFont

    (folder,) = find_spec("matplotlib").submodule_search_locations
    return ImageFont.truetype(Path(folder) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf", size)
