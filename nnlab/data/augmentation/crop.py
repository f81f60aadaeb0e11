"""Random parts of the training images, enlarged to their size."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtMost, MoreThan
from nnlab.data.augmentation.base import Augmentation, need_images, resampled
from nnlab.data.spec import DataSpec
from nnlab.errors import ArgumentError, BadInput

Share = Annotated[float, MoreThan(0), AtMost(1)]
Ratio = Annotated[float, MoreThan(0)]


class Crop(Augmentation):
    """Each image is replaced by a part of it, of random area, shape and place, which is enlarged to the whole (Szegedy et al.
    2015, section 6; Chen et al. 2020).

    The area is drawn evenly, the logarithm of width over height too. A side that would be longer than the image is as long as
    it. torchvision's RandomResizedCrop draws once per batch; here each image has its own part.

    scale  least and largest area of the part, as shares of the image
    ratio  least and largest width over height, of an image that is square
    flip   mirrored left to right, with probability ½
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        scale: tuple[Share, Share] = (0.4, 1.0),
        ratio: tuple[Ratio, Ratio] = (0.75, 4 / 3),
        flip: bool = False,
    ) -> None:
        super().__init__(spec)
        need_images(spec, "crops are")
        for name, (least, most) in (("scale", scale), ("ratio", ratio)):
            if least > most:
                raise ArgumentError(name, f"expected the smaller number first, got [{least:g},{most:g}]")
        if scale[0] == 1 and tuple(ratio) == (1, 1) and not flip:
            raise BadInput("augmentation: the part is always the whole image, which changes nothing; leave it out")
        self.scale, self.ratio, self.flip = scale, ratio, flip
        self.mirrors = flip

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        grid = nn.functional.affine_grid(self.matrices(len(x), x.device, generator), x.shape, align_corners=False)
        return resampled(x, grid)

    def matrices(self, n: int, device: torch.device, generator: torch.Generator) -> Tensor:
        """(N, 2, 3) from a place in the result to a place in the image; coordinates from −1 to 1, x before y."""
        u = torch.rand((n, 5), device=device, generator=generator)
        (least, most), (narrow, wide) = self.scale, map(math.log, self.ratio)
        area, shape = least + (most - least) * u[:, 0], (narrow + (wide - narrow) * u[:, 1]).exp()
        width, height = (area * shape).sqrt().clamp(max=1), (area / shape).sqrt().clamp(max=1)
        mirror = torch.where(u[:, 2] < 0.5, -1.0, 1.0) if self.flip else torch.ones_like(width)
        across, down = (1 - width) * (2 * u[:, 3] - 1), (1 - height) * (2 * u[:, 4] - 1)
        zero = torch.zeros_like(width)
        return torch.stack([torch.stack([mirror * width, zero, across], 1), torch.stack([zero, height, down], 1)], 1)
