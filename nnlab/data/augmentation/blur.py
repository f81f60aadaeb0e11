"""Random blur of the training images."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from nnlab.config.constraints import AtMost, MoreThan
from nnlab.data.augmentation.base import Augmentation, need_images
from nnlab.data.spec import DataSpec
from nnlab.errors import ArgumentError

WIDE = 3  # standard deviations on each side of the kernel's middle
Sigma = Annotated[float, MoreThan(0)]


class Blur(Augmentation):
    """Some images are blurred by a Gaussian of random width (Chen et al. 2020, appendix A).

    The borders are continued by reflection. torchvision's GaussianBlur draws once per batch; here each image has its own width.

    sigma        least and largest standard deviation, in pixels
    probability  that an image is blurred
    """

    moves = False

    def __init__(
        self,
        spec: DataSpec,
        *,
        sigma: tuple[Sigma, Sigma] = (0.1, 1.0),
        probability: Annotated[float, MoreThan(0), AtMost(1)] = 0.5,
    ) -> None:
        super().__init__(spec)
        need_images(spec, "a blur is")
        if sigma[0] > sigma[1]:
            raise ArgumentError("sigma", f"expected the smaller number first, got [{sigma[0]:g},{sigma[1]:g}]")
        self.sigma, self.probability = sigma, probability
        self.reach = min(max(1, round(WIDE * sigma[1])), min(spec.shape[1:]) - 1)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        u = torch.rand((len(x), 2), device=x.device, generator=generator)
        sigma = self.sigma[0] + (self.sigma[1] - self.sigma[0]) * u[:, 0]
        places = torch.arange(-self.reach, self.reach + 1, device=x.device)
        kernel = (-0.5 * (places / sigma[:, None]).square()).softmax(1)
        kernel = torch.where(u[:, 1:] < self.probability, kernel, (places == 0).float())
        return blurred(blurred(x, kernel).mT, kernel).mT


def blurred(x: Tensor, kernel: Tensor) -> Tensor:
    """Images (N, C, H, W), each convolved along its rows with a kernel of its own, (N, K)."""
    n, c, h, w = x.shape
    padded = functional.pad(x, (kernel.shape[1] // 2, kernel.shape[1] // 2, 0, 0), mode="reflect")
    rows = padded.reshape(1, n, c * h, padded.shape[3])
    return functional.conv2d(rows, kernel[:, None, None].to(x), groups=n).view(n, c, h, w)
