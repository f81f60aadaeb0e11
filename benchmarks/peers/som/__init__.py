"""Three epochs of a 20 × 20 map of the 60,000 images of Fashion-MNIST, started on the principal plane."""

from __future__ import annotations

import numpy as np

SIDE, EPOCHS, RADIUS, RATE = 20, 3, 5.0, 0.5


def quality(x: np.ndarray, units: np.ndarray) -> tuple[float, float]:
    """Quantization error, and the topographic error of eight neighbours, of units (400, 784), in float64."""
    distance, wrong = 0.0, 0
    units = units.astype(np.float64)
    for part in np.array_split(x.astype(np.float64), 60):
        d = np.sqrt(np.maximum((part**2).sum(1)[:, None] + (units**2).sum(1) - 2 * part @ units.T, 0))
        first, second = np.argsort(d, axis=1)[:, :2].T
        distance += d.min(1).sum()
        wrong += (np.maximum(np.abs(first // SIDE - second // SIDE), np.abs(first % SIDE - second % SIDE)) > 1).sum()
    return distance / len(x), wrong / len(x)
