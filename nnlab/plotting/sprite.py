"""Thousands of small images as one picture, for the points of TensorBoard's projector."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

SPRITE = 8192  # largest side of a sprite in pixels: a texture size that every graphics card can hold
THUMBNAIL = 64  # side of a small image in pixels


def sprite(thumbnails: np.ndarray) -> np.ndarray:
    """(N, h, w, 3) uint8 → one picture, row by row in the smallest square for all; empty places are black."""
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
