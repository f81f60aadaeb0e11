"""Thousands of small images as one picture: what TensorBoard's projector draws its points from."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

SPRITE = 8192  # pixels a side that a sprite may have: the largest texture that graphics cards are sure to hold
THUMBNAIL = 64  # pixels a side of an image among thousands


def sprite(thumbnails: np.ndarray) -> np.ndarray:
    """(N, h, w, 3) uint8 → one picture, row by row in a square of as many places a side as hold all, the last ones black."""
    n, h, w, channels = thumbnails.shape
    side = math.isqrt(n - 1) + 1
    places = np.zeros((side * side, h, w, channels), np.uint8)
    places[:n] = thumbnails
    return places.reshape(side, side, h, w, channels).swapaxes(1, 2).reshape(side * h, side * w, channels)


def thumbnail(pixels: np.ndarray, count: int) -> np.ndarray:
    """(H, W, 3) uint8, scaled down where it is larger than one of `count` in a sprite may be."""
    h, w, _ = pixels.shape
    most = min(THUMBNAIL, SPRITE // (math.isqrt(max(count, 1) - 1) + 1))
    if max(h, w) <= most:
        return pixels
    size = [max(1, round(side * most / max(h, w))) for side in (w, h)]
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
