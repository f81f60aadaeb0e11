"""Pictures that only the adversarial models have."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import DataSpec
from nnlab.metrics.boxes import bounds_of
from nnlab.plotting.attention import looked_at
from nnlab.plotting.images import sheet, to_pixels

PLACES = ((0.5, 0.5), (0.25, 0.5), (0.75, 0.5), (0.5, 0.25), (0.5, 0.75))  # of a map, from the top and from the left
NAMES = ("middle", "above", "below", "left", "right")
LOOKED_FROM = (220, 40, 40)


def attention_picture(images: Tensor, maps: Tensor, spec: DataSpec) -> np.ndarray:
    """One row per image (N, C, H, W): the image, then the attention of five places. The place is red, its attention orange.

    maps  (N, h, w, h′, w′) of each place (h, w)
    """
    pixels, (h, w) = to_pixels(images, spec), images.shape[2:]
    columns = [pixels]
    for down, right in PLACES:
        row, column = int(down * maps.shape[1]), int(right * maps.shape[2])
        shown = looked_at(pixels, maps[:, row, column])
        top, left = int((row + 0.5) * h / maps.shape[1]), int((column + 0.5) * w / maps.shape[2])
        shown[:, top, left] = LOOKED_FROM
        columns.append(shown)
    return sheet(np.stack(columns, 1), None, ["sample", *NAMES])


TILE = 96  # least side of a tile with a place in it, so that its frame is thin
CORNERS = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 0.5))  # where an object stands in its room: x, y
SCALES = (1.0, 1.0, 0.7, 0.7, 1.3)  # of its size there
MARGIN = 0.15  # share of a side that stays free around points, which an object reaches beyond


def moved(places: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Boxes (N, 4) or points (N, P, 2) in pixels of images (…, H, W) → (N, K, …): their own, and others within the image.

    The others have other places and sizes: the four corners and the middle, each as large as one of the given places may be: of
    other sizes a model has seen none. Missing points stay missing.
    """
    side = torch.tensor(shape[:-3:-1], dtype=places.dtype, device=places.device)  # width and height
    margin = side * (0 if places.ndim == 2 else MARGIN)
    start, end = bounds_of(places)
    longest = (end - start).amax(1, keepdim=True).clamp(min=1)
    shown = [places]
    for corner, scale in zip(CORNERS, SCALES, strict=True):
        most = ((side - 2 * margin) / (end - start).clamp(min=1)).amin(1, keepdim=True)
        factor = (longest * scale).clamp(longest.min(), longest.max()) / longest
        factor = factor.minimum(most)
        room = side - 2 * margin - (end - start) * factor
        first = margin + room * torch.tensor(corner, dtype=places.dtype, device=places.device)
        if places.ndim == 2:
            shown.append(torch.cat([first, (end - start) * factor], 1))
        else:
            there = (places - start[:, None]) * factor[:, None] + first[:, None]
            shown.append(torch.where(places < 0, places, there))
    return torch.stack(shown, 1)


def framed(pixels: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(…, H, W, 3) uint8 tiles, enlarged, with a thin frame around the box (…, 4) of each, or marks at its points (…, P, 2)."""
    by = max(1, -(-TILE // max(pixels.shape[-3:-1])))
    large = pixels.repeat(by, axis=-3).repeat(by, axis=-2)
    h, w = large.shape[-3:-1]
    for i in np.ndindex(large.shape[:-3]):
        place = places[i] * by
        if place.ndim == 1:
            corners = np.stack([place[:2], place[:2] + place[2:] - 1]).round().astype(int)
            (left, top), (right, bottom) = corners.clip(0, [w - 1, h - 1])
            large[i][[top, bottom], left : right + 1] = LOOKED_FROM
            large[i][top : bottom + 1, [left, right]] = LOOKED_FROM
        else:
            for x, y in place[(place >= 0).all(1)]:
                row, column = min(int(y), h - 1), min(int(x), w - 1)
                large[i][max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = LOOKED_FROM
    return large
