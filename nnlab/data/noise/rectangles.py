"""The base of the noises that change rectangles of an image."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.data.noise.base import Noise
from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput


class Rectangles(Noise):
    """Base of the corruptions of rectangles; they need images."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)
        if spec.kind != "image":
            raise BadInput(
                f"noise: it changes rectangles of an image, but {spec.name} is a table of {spec.features} columns; "
                "use one that changes single values, as gaussian or masking"
            )

    def _pixels_of(self, share: float, side: int, key: str) -> int:
        """A share of a side in pixels. Raises BadInput if a share above 0 rounds to 0 pixels."""
        pixels = round(share * side)
        if share > 0 and pixels == 0:
            least = 0.5 / side
            raise BadInput(
                f"{key}: {share:g} of {side} pixels is 0 pixels, so nothing changes; give more than {least:.2g}, or noise=none"
            )
        return pixels

    def _inside(self, top: Tensor, left: Tensor, height: Tensor, width: Tensor) -> Tensor:
        """(N, 1, H, W) bool: the pixels of one rectangle per image; its corner and sides are (N,) each."""
        _, h, w = self.spec.shape
        rows = torch.arange(h, device=top.device)[None, :, None] - top[:, None, None]
        columns = torch.arange(w, device=top.device)[None, None, :] - left[:, None, None]
        inside = (rows >= 0) & (rows < height[:, None, None]) & (columns >= 0) & (columns < width[:, None, None])
        return inside[:, None]
