"""Images with what a network looks at."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

LOOKED_AT = np.array([255, 170, 0])  # orange
DIMMED = 0.5  # brightness of what is not looked at


def looked_at(pixels: np.ndarray, maps: Tensor, mode: str = "bilinear") -> np.ndarray:
    """(N, H, W, 3) uint8 images, dark, and orange where they are looked at; each on its own scale.

    maps  (N, h, w) how much
    mode  of the enlargement: bilinear or nearest
    """
    large = interpolate(maps[:, None].float(), size=pixels.shape[1:3], mode=mode)[:, 0]
    share = (large / large.flatten(1).amax(1).clamp(min=1e-12)[:, None, None]).cpu().numpy()[..., None]
    return (DIMMED * pixels * (1 - share) + LOOKED_AT * share).round().clip(0, 255).astype(np.uint8)


def attention_columns(pixels: np.ndarray, maps: Tensor) -> np.ndarray:
    """(N, 1 + K, H, W, 3) uint8: each image (N, H, W, 3), then the image with each of its maps (N, K, h, w)."""
    shown = [looked_at(pixels, each, "nearest") for each in torch.unbind(maps, 1)]
    return np.stack([pixels, *shown], 1)
