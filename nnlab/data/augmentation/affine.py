"""Random shifts, mirror images, crops, rotations, zooms and shears of the training images."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast, Between
from nnlab.data.augmentation.base import Augmentation, need_images, resampled
from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput


class Affine(Augmentation):
    """Each image is moved, mirrored, cropped and deformed at random, in one bilinear resampling (Krizhevsky et al. 2012).

    New pixels have the value `low`.

    shift    at most this many whole pixels in each direction
    flip     mirrored left to right, with probability ½
    crop     a random part, between 1 − crop and 1 of each side, enlarged to the whole image
    degrees  rotated about the centre by an angle within ± degrees
    scale    enlarged about the centre by a factor within 1 − scale … 1 + scale; the image keeps its size
    shear    lines across are moved sideways, so that vertical lines lean by an angle within ± shear degrees
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        shift: Annotated[int, AtLeast(0)] = 2,
        flip: bool = False,
        crop: Annotated[float, Between(0, 0.9)] = 0.0,
        degrees: Annotated[float, Between(0, 180)] = 0.0,
        scale: Annotated[float, Between(0, 0.9)] = 0.0,
        shear: Annotated[float, Between(0, 60)] = 0.0,
    ) -> None:
        super().__init__(spec)
        need_images(spec, "shifts, flips and crops are")
        if not (shift or flip or crop or degrees or scale or shear):
            raise BadInput("augmentation: its settings are all 0, which changes nothing; leave it out")
        if shift >= min(spec.shape[1:]):
            h, w = spec.shape[1:]
            raise BadInput(f"augmentation.shift: {shift} pixels shift an image of {h}×{w} out of sight; give fewer")
        self.shift, self.flip, self.crop = shift, flip, crop
        self.mirrors = flip
        self.degrees, self.scale, self.shear = degrees, scale, shear

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        grid = nn.functional.affine_grid(self.matrices(len(x), x.device, generator), x.shape, align_corners=False)
        moved = resampled(x, grid)
        within = grid.abs().amax(-1) <= 1  # the image's outer edges are half a pixel beyond the last pixel centres
        return moved.where(within[:, None], self.spec.low)

    def matrices(self, n: int, device: torch.device, generator: torch.Generator) -> Tensor:
        """(N, 2, 3) from a place in the result to a place in the image; coordinates from −1 to 1, x before y."""
        height, width = self.spec.shape[1:]
        u = torch.rand((n, 6), device=device, generator=generator)
        size = 1 - self.crop * u[:, 0]
        mirror = torch.where(u[:, 1] < 0.5, -1.0, 1.0) if self.flip else torch.ones_like(size)
        whole = ((2 * self.shift + 1) * u[:, 2:4]).floor() - self.shift
        across = (1 - size) * (2 * u[:, 4] - 1) + 2 * whole[:, 0] / width
        down = (1 - size) * (2 * u[:, 5] - 1) + 2 * whole[:, 1] / height
        zero = torch.zeros_like(size)
        moved = torch.stack([torch.stack([mirror * size, zero, across], 1), torch.stack([zero, size, down], 1)], 1)
        if not (self.degrees or self.scale or self.shear):
            return moved
        return torch.cat([moved[:, :, :2] @ self.linear(n, device, generator), moved[:, :, 2:]], 2)

    def linear(self, n: int, device: torch.device, generator: torch.Generator) -> Tensor:
        """(N, 2, 2) rotation, zoom and shear about the centre, from the result to the image."""
        height, width = self.spec.shape[1:]
        u = 2 * torch.rand((n, 3), device=device, generator=generator) - 1
        angle, size = math.radians(self.degrees) * u[:, 0], 1 / (1 + self.scale * u[:, 1])
        lean = (math.radians(self.shear) * u[:, 2]).tan()
        sine, cosine = angle.sin() * size, angle.cos() * size
        across = torch.stack([cosine, (cosine * lean - sine) * height / width], 1)  # a pixel of a side is 2/side
        down = torch.stack([sine * width / height, sine * lean + cosine], 1)
        return torch.stack([across, down], 1)
