"""Images that a user has of his own, in files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image


def images(n: int = 12, *shape: int) -> np.ndarray:
    """(n, *shape) bytes."""
    return np.random.default_rng(0).integers(0, 256, (n, *(shape or (8, 8))), dtype=np.uint8)


def values(pixels: np.ndarray) -> torch.Tensor:
    """What a model is given of gray images (n, height, width): (n, 1, height, width) within [0, 1]."""
    return torch.from_numpy(pixels).float()[:, None] * (1 / 255)


def numbered(n: int, classes: str = "") -> list[str]:
    """Names of n files; with classes each in a folder of one of them, in turn."""
    return [f"{classes[i % len(classes)]}/{i:02d}.png" if classes else f"{i:02d}.png" for i in range(n)]


def save_images(folder: str, pixels: np.ndarray, names: Sequence[str] = ()) -> None:
    """Each image under its name, or its number."""
    for name, image in zip(names or numbered(len(pixels)), pixels, strict=True):
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
