"""Random shifts, mirror images and crops of the training images."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast, Between
from nnlab.data.augmentation.base import Augmentation
from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput


class Affine(Augmentation):
    """Each image is shifted, mirrored and cropped at random, in one bilinear resampling (Krizhevsky et al. 2012).

    shift  at most this many whole pixels in each direction; new pixels have the value `low`
    flip   mirrored left to right, with probability ½
    crop   a random part, between 1 − crop and 1 of each side, enlarged to the whole image
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        shift: Annotated[int, AtLeast(0)] = 2,
        flip: bool = False,
        crop: Annotated[float, Between(0, 0.9)] = 0.0,
    ) -> None:
        super().__init__(spec)
        if spec.kind != "image":
            raise BadInput(f"augmentation: shifts, flips and crops are for images, but {spec.name} is a table; leave it out")
        if not (shift or flip or crop):
            raise BadInput("augmentation: shift, flip and crop are all 0, which changes nothing; leave it out")
        if shift >= min(spec.shape[1:]):
            h, w = spec.shape[1:]
            raise BadInput(f"augmentation.shift: {shift} pixels shift an image of {h}×{w} out of sight; give fewer")
        self.shift, self.flip, self.crop = shift, flip, crop

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        grid = nn.functional.affine_grid(self.matrices(len(x), x.device, generator), x.shape, align_corners=False)
        moved = nn.functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
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
        return torch.stack([torch.stack([mirror * size, zero, across], 1), torch.stack([zero, size, down], 1)], 1)
