"""The plane cut into regions by a function of the point: the cells of clusters, the decisions of a classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch, DataSpec
from nnlab.plotting.axes import Points, canvas, marks, outlines, scatter, tint
from nnlab.plotting.plane import points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDE = 300  # points of the grid along each axis: a region may hide between them if it is smaller than three pixels
TOGETHER = 2**14  # points per call
HALVINGS = 7  # of a step of the grid, to find where a border crosses it to a hundredth of a pixel

Answer = Callable[[np.ndarray], np.ndarray]
"""Points (…, 2) in the file's units → numbers of regions (…), or their probabilities (…, R)."""


@torch.no_grad()
def regions_plot(
    spec: DataSpec,
    batch: Batch,
    labels_of: Callable[[Tensor], Tensor],
    names: tuple[str, ...],
    centres: Tensor | None = None,
) -> np.ndarray:
    """The regions of the plane where a function is constant, and over them the data, in the units of the file.

    labels_of  (M, 2) points as a model sees them → (M,) numbers of regions, or (M, R) their probabilities
    names      (R,) of the regions, in the legend; '' stands for one without a name
    centres    (K, 2) points to mark, as a model sees them

    Regions that are named as the classes are tinted in their colours, which mix as the probabilities do. Of others only
    the borders are drawn, since their colours would be taken for classes; but where the data have no classes, points and
    regions share the regions' colours.
    """
    xy = points(batch.target, spec)
    middles = xy[:0] if centres is None else points(centres, spec)
    answer = in_units(labels_of, spec, batch.target.device)
    classes, label = (names, numbers(answer(xy))) if batch.label is None else (spec.classes, batch.label.cpu().numpy())
    with canvas(spec.column_names, np.concatenate([xy, middles])) as drawn:
        across, up = grid(drawn.axes)
        values = answer(lattice(across, up))
        if names == classes:
            tint(drawn.axes, across, up, values, len(names))
        outlines(drawn.axes, borders(numbers(values), across, up, answer))
        scatter(drawn.axes, Points(xy, label), classes)
        if len(middles):
            marks(drawn.axes, middles, "centre")
    return drawn.pixels


def in_units(labels_of: Callable[[Tensor], Tensor], spec: DataSpec, device: torch.device) -> Answer:
    """A function of what a model sees as a function of points in the file's units: the inverse of `DataSpec.original`."""
    mean, std = (np.array(spec.mean), np.array(spec.std)) if spec.mean else (0.0, 1.0)

    def answer(xy: np.ndarray) -> np.ndarray:
        x = torch.from_numpy((xy - mean) / std).float().to(device).reshape(-1, 2)
        values = torch.cat([labels_of(part).cpu() for part in x.split(TOGETHER)]).numpy()
        return values.reshape(*xy.shape[:-1], *values.shape[1:])

    return answer


def numbers(values: np.ndarray) -> np.ndarray:
    """Numbers of regions; for probabilities (…, R) the most likely region."""
    return values.argmax(-1) if values.dtype.kind == "f" else values


def grid(axes: Axes) -> tuple[np.ndarray, np.ndarray]:
    """(SIDE,) and (SIDE,) places along the two axes, from end to end of what they show."""
    return np.linspace(*axes.get_xlim(), SIDE), np.linspace(*axes.get_ylim(), SIDE)


def lattice(across: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(H, W, 2) the points of a grid."""
    return np.stack(np.meshgrid(across, up), -1)


def borders(label: np.ndarray, across: np.ndarray, up: np.ndarray, answer: Answer) -> np.ndarray:
    """Lines (S, 2, 2) between the regions of a grid with numbers (H, W).

    In each of its cells, from where a border crosses a side to the middle of all such places: two make a straight line, three
    a corner where three regions meet.
    """
    nodes = lattice(across, up)
    low = crossings(label[:, :-1], label[:, 1:], nodes[:, :-1], nodes[:, 1:], answer)  # (H, W − 1, 2)
    left = crossings(label[:-1], label[1:], nodes[:-1], nodes[1:], answer)  # (H − 1, W, 2)
    sides = np.stack([low[:-1], low[1:], left[:, :-1], left[:, 1:]], axis=2).reshape(-1, 4, 2)
    sides = sides[np.isfinite(sides).any((1, 2))]
    ends = np.stack([sides, np.broadcast_to(np.nanmean(sides, axis=1, keepdims=True), sides.shape)], axis=2)
    return ends[np.isfinite(ends).all((2, 3))]


def crossings(here: np.ndarray, there: np.ndarray, start: np.ndarray, end: np.ndarray, answer: Answer) -> np.ndarray:
    """(…, 2) where a border crosses the way from each `start` to its `end`, by bisection; NaN where none does.

    here, there  (…) the numbers of the regions at both
    """
    differ = here != there
    here, start, end = here[differ], start[differ], end[differ]
    for _ in range(HALVINGS if len(here) else 0):
        middle = (start + end) / 2
        same = (numbers(answer(middle)) == here)[:, None]
        start, end = np.where(same, middle, start), np.where(same, end, middle)
    middles = np.full((*differ.shape, 2), np.nan)
    middles[differ] = (start + end) / 2
    return middles
