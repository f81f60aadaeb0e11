"""The codes of many inputs as a picture: along their principal components, by t-SNE, or directly if they have at most two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from nnlab.data.inputs import Inputs
from nnlab.errors import BadInput
from nnlab.model import Encodes
from nnlab.plotting.axes import FAINT, NAMED, Points, blank, canvas, colours, scatter
from nnlab.plotting.images import input_pixels
from nnlab.plotting.sprite import thumbnail

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PERPLEXITY = 30  # neighbours of a point, about: van der Maaten & Hinton recommend 5 to 50
FEWEST = 10  # smallest number of points for t-SNE
BINS = 60


@dataclass
class Sample:
    """Some of the inputs, evenly spaced, with their codes; `encoded` fills it.

    places      (m,) int64, in ascending order: their places among the inputs
    codes       (m, d) float32
    thumbnails  (m, h, w, 3) uint8; None of tables
    """

    places: np.ndarray
    codes: np.ndarray | None = None
    thumbnails: np.ndarray | None = None

    def keep(self, low: int, high: int, codes: np.ndarray, thumbnails: list[np.ndarray]) -> None:
        """What belongs at places[low:high]."""
        # made whole at once: kept pieces among the large, short-lived blocks of the batches would leave holes in the heap
        if self.codes is None:
            self.codes = np.empty((len(self.places), codes.shape[1]), np.float32)
            if thumbnails:
                self.thumbnails = np.empty((len(self.places), *thumbnails[0].shape), np.uint8)
        self.codes[low:high] = codes
        if thumbnails:
            self.thumbnails[low:high] = thumbnails


def encoded(model: Encodes, inputs: Inputs, sample: Sample) -> Iterator[np.ndarray]:
    """Codes (n, d) float32, batch by batch. Raises BadInput if one is not finite."""
    start = 0
    for batch in inputs.batches:
        codes = model.encode(batch.input).float().cpu().numpy()
        if not np.isfinite(codes).all():
            row = start + int(np.isfinite(codes).all(1).argmin())
            raise BadInput(
                f"the code of {inputs.keys[row]} of {inputs.name} is not finite: are the inputs, or the weights, huge?"
            )
        low, high = np.searchsorted(sample.places, [start, start + len(batch)])
        mine, thumbnails = sample.places[low:high] - start, []
        if model.spec.kind == "image":
            pixels = input_pixels(batch.input[torch.from_numpy(mine).to(batch.input.device)], model.spec)
            thumbnails = [thumbnail(each, len(sample.places)) for each in pixels]
        sample.keep(low, high, codes[mine], thumbnails)
        start += len(batch)
        yield codes


def principal_plane(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) coordinates of codes (N, d) along their first two principal components, and the shares of the variance (2,).

    The largest entry of a component is positive.
    """
    centred = codes.astype(np.float64) - codes.mean(0, dtype=np.float64)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(codes))
    first, total = directions[:, :-3:-1], max(variances.sum(), np.finfo(np.float64).tiny)
    first = first * np.sign(first[np.abs(first).argmax(0), [0, 1]])
    return centred @ first, variances[:-3:-1].clip(0) / total


def code_plot(codes: np.ndarray, labels: np.ndarray | None, classes: tuple[str, ...]) -> np.ndarray:
    """Codes (N, d) in the colours of their classes: directly for one or two coordinates, else on their principal plane."""
    if codes.shape[1] == 1:
        return line_plot(codes[:, 0], labels, classes)
    if codes.shape[1] == 2:
        xy, names = codes.astype(np.float64), ("z0", "z1")
    else:
        xy, shares = principal_plane(codes)
        names = tuple(f"principal component {i + 1} ({share:.1%} of the variance)" for i, share in enumerate(shares))
    with canvas(names, xy) as drawn:
        cloud(drawn.axes, xy, labels, classes)
    return drawn.pixels


def line_plot(codes: np.ndarray, labels: np.ndarray | None, classes: tuple[str, ...]) -> np.ndarray:
    """Codes (N,) of one coordinate: a histogram, with the classes stacked."""
    groups = [codes] if labels is None else [codes[labels == i] for i in range(len(classes))]
    names = list(classes) if labels is not None and len(classes) <= NAMED else None
    with blank(("z0", "codes")) as drawn:
        tints = [FAINT] if labels is None else colours(len(groups))
        drawn.axes.hist(groups, BINS, stacked=True, color=tints, label=names)
    return drawn.pixels


def tsne_plot(codes: np.ndarray, labels: np.ndarray | None, classes: tuple[str, ...]) -> np.ndarray:
    """Codes (N, d), N ≥ 10, on a plane where neighbours stay neighbours (van der Maaten & Hinton 2008, "Visualizing data …").

    Its axes mean nothing, so they have no numbers; nor do distances between clusters.
    """
    from sklearn.manifold import TSNE  # a second to import

    perplexity = min(PERPLEXITY, (len(codes) - 1) / 3)
    xy = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(codes).astype(np.float64)
    with canvas((f"t-SNE of {len(codes):,} codes, perplexity {perplexity:.2g}", ""), xy) as drawn:
        cloud(drawn.axes, xy, labels, classes)
        drawn.axes.set(xticks=[], yticks=[])
        drawn.axes.spines[:].set_visible(False)
    return drawn.pixels


def cloud(axes: Axes, xy: np.ndarray, labels: np.ndarray | None, classes: tuple[str, ...]) -> None:
    """Points (N, 2), smaller where there are more, under a legend of large ones."""
    scatter(axes, Points(xy, labels), classes, s=float(np.clip(2e4 / len(xy), 6, 24)))
    for drawn in axes.collections:
        drawn.set_label("_")  # a name that a legend leaves out
    scatter(axes, Points(xy[:0], None if labels is None else labels[:0]), classes, "codes", s=24, alpha=1)
