"""Pictures of a map: prototypes, U-matrix, classes, and the lattice in the plane of the data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.families.som.lattice import Lattice
from nnlab.families.som.som import SOM
from nnlab.plotting.axes import INK, NAMED, Canvas, Points, blank, canvas, colours, scatter
from nnlab.plotting.images import TILE, to_pixels
from nnlab.plotting.picture import BACKGROUND
from nnlab.plotting.plane import points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SQUARE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
ANGLES = np.pi / 180 * np.arange(30, 390, 60)
HEXAGON = np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1) / np.sqrt(3)
PLANES = 12  # at most this many columns are shown
PALE = 0.22  # opacity of a class's colour behind its units
COLOURS = ("red", "green", "blue")  # the columns of a table of colours


def cells(lattice: Lattice, size: np.ndarray | float = 1.0) -> np.ndarray:
    """(U, V, 2) the corners of each unit's cell, scaled by `size`."""
    shape = HEXAGON if lattice.kind == "hexagonal" else SQUARE
    return lattice.positions.double().numpy()[:, None] + shape * np.reshape(size, (-1, 1, 1))


@contextmanager
def board(lattice: Lattice) -> Iterator[Canvas]:
    """An empty plot for a lattice, with the first row on top."""
    low, high = lattice.positions.numpy().min(0) - 0.62, lattice.positions.numpy().max(0) + 0.62
    wide, tall = high - low
    with blank(("", ""), height=float(np.clip(7.0 * tall / wide, 2.2, 8.0)) + 0.9) as drawn:
        drawn.axes.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]), xticks=[], yticks=[], aspect="equal")
        drawn.axes.spines[:].set_visible(False)
        yield drawn


def fill(axes: Axes, polygons: np.ndarray, **style) -> None:
    """Draw polygons (U, V, 2) in data coordinates; `style` goes to matplotlib's PolyCollection."""
    from matplotlib.collections import PolyCollection

    axes.add_collection(PolyCollection(polygons, **style))


def shaded(axes: Axes, lattice: Lattice, values: np.ndarray, cmap: str, name: str) -> None:
    """Each unit's cell in the colour of its value, with a colour bar."""
    from matplotlib.collections import PolyCollection

    held = axes.add_collection(PolyCollection(cells(lattice), array=values, cmap=cmap, edgecolors="face", linewidths=0.3))
    bar = axes.figure.colorbar(held, ax=axes, shrink=0.85, pad=0.02)
    bar.set_label(name)
    bar.outline.set_visible(False)


def prototypes(model: SOM) -> np.ndarray:
    """The units as images, each at its place; rows of hexagons are shifted by half an image."""
    spec, lattice = model.spec, model.lattice
    images = to_pixels(model.units.unflatten(1, spec.shape), spec)
    scale = max(1, -(-TILE // max(images.shape[1:3]))) if lattice.size <= 400 else 1
    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    h, w = images.shape[1] + 1, images.shape[2] + 1
    shift = w // 2 if lattice.kind == "hexagonal" else 0
    sheet = np.full((lattice.rows * h - 1, lattice.columns * w - 1 + shift, 3), BACKGROUND, np.uint8)
    for i, image in enumerate(images):
        row, column = divmod(i, lattice.columns)
        top, left = row * h, column * w + shift * (row % 2)
        sheet[top : top + h - 1, left : left + w - 1] = image
    return sheet


def ridges(model: SOM) -> Tensor:
    """(U,) the mean distance of each unit to its neighbours on the lattice, by the map's own metric (Ultsch & Siemon 1990)."""
    d, near = model.evaluate_split(model.units), model.next_to
    return (d * near).sum(1) / near.sum(1)


def u_matrix(model: SOM) -> np.ndarray:
    """The map with each unit's `ridges` as its colour, (H, W, 3): high values separate clusters (Ultsch & Siemon 1990)."""
    with board(model.lattice) as drawn:
        # white cells would look like holes in a white page
        shaded(drawn.axes, model.lattice, ridges(model).cpu().numpy(), "cividis", "mean distance to the neighbours")
    return drawn.pixels


def component_planes(model: SOM) -> np.ndarray:
    """Each column of a table over the map, in the file's units; for a table of colours the colours."""
    spec, lattice = model.spec, model.lattice
    values = spec.original(model.units).double().cpu().numpy()
    if spec.columns == COLOURS:
        with board(lattice) as drawn:
            fill(drawn.axes, cells(lattice), facecolors=values.clip(0, 1), edgecolors="face", linewidths=0.3)
        return drawn.pixels
    pictures = []
    for i in np.linspace(0, spec.features - 1, min(PLANES, spec.features)).round().astype(int):
        with board(lattice) as drawn:
            shaded(drawn.axes, lattice, values[:, i], "viridis", spec.column_names[i])
        pictures.append(drawn.pixels[::2, ::2])
    across = min(3, len(pictures))
    pictures += [np.full_like(pictures[0], BACKGROUND)] * (-len(pictures) % across)
    rows = [np.concatenate(pictures[i : i + across], axis=1) for i in range(0, len(pictures), across)]
    return np.concatenate(rows)


def class_map(lattice: Lattice, winners: Tensor, labels: Tensor | None, classes: tuple[str, ...]) -> np.ndarray:
    """Each unit in the colour of the class that it wins most often; the dark area shows how often it wins."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle

    hits = torch.bincount(winners, minlength=lattice.size).numpy()
    size = np.sqrt(hits / max(hits.max(), 1))
    with board(lattice) as drawn:
        axes = drawn.axes
        if labels is None or not classes:
            fill(axes, cells(lattice, 0.97), facecolors="#EEEEEE", edgecolors="none")
            fill(axes, cells(lattice, 0.97 * size), facecolors=INK, edgecolors="none")
        else:
            counts = torch.bincount(winners * len(classes) + labels, minlength=lattice.size * len(classes))
            counts = counts.view(lattice.size, -1).numpy()
            palette = np.array([to_rgb(colour) for colour in colours(len(classes))])
            mine = np.where(hits[:, None] > 0, palette[counts.argmax(1)], 1.0)
            fill(axes, cells(lattice, 0.97), facecolors=1 - PALE * (1 - mine), edgecolors="none")
            fill(axes, cells(lattice, 0.97 * size), facecolors=mine, edgecolors="none")
            if len(classes) <= NAMED:
                for name, colour in zip(classes, palette, strict=True):
                    axes.add_patch(Rectangle((0, 0), 0, 0, color=colour, label=name, linewidth=0))
        axes.set_xlabel(f"{len(winners):,} examples; a unit wins up to {hits.max():,}, {int((hits == 0).sum())} win none")
    return drawn.pixels


def lattice_plot(model: SOM, batch: Batch, first: Tensor, edges: bool = True) -> np.ndarray:
    """The points of the plane, and the units; with `edges`, lines between those that are neighbours on the lattice.

    first  (U, D) the units at the start; the frame has room for them, so that all frames of an animation are equal
    """
    from matplotlib.collections import LineCollection

    spec = model.spec
    xy, units = points(batch.target, spec), points(model.units, spec)
    label = None if batch.label is None else batch.label.cpu().numpy()
    with canvas(spec.column_names, np.concatenate([xy, points(first, spec)])) as drawn:
        scatter(drawn.axes, Points(xy, label), spec.classes, alpha=0.35)
        if edges:
            lines = LineCollection(units[model.lattice.edges().numpy()], colors=INK, linewidths=1.1, alpha=0.8, zorder=3)
            drawn.axes.add_collection(lines, autolim=False)
        drawn.axes.scatter(*units.T, s=22, color=INK, edgecolors="white", linewidths=0.6, label="units", zorder=4)
    return drawn.pixels
