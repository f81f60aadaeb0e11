"""Structural similarity: similarity of two images in brightness, contrast and structure, per window."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.data.spec import DataSpec

RADIUS, SIGMA = 5, 1.5  # of the window, in pixels
C1, C2 = 0.01**2, 0.03**2  # keep the quotients finite for dark or uniform windows


def ssim(output: Tensor, target: Tensor, spec: DataSpec) -> Tensor:
    """(N,) structural similarity of images (N, C, H, W) (Wang et al. 2004, "Image quality assessment: …"); 1 for equal images.

    SSIM = (2μ_x μ_y + C₁)(2σ_xy + C₂) / ((μ_x² + μ_y² + C₁)(σ_x² + σ_y² + C₂)), the mean over pixels and channels

    of values scaled to 0 … 1, with μ and σ of a Gaussian window of 11×11 pixels, σ = 1.5, around each pixel. Beyond its borders
    the image is reflected, as torchmetrics does it. A product with a matrix is the window along one side: quicker than a
    convolution.
    """
    span = spec.value_range
    x, y = ((images.flatten(0, 1) - spec.low) / span for images in (output, target))
    down, across = (windows(side).to(x.device) for side in x.shape[1:])
    mean_x, mean_y, xx, yy, xy = down @ torch.stack([x, y, x * x, y * y, x * y]) @ across.T
    products, squares = mean_x * mean_y, mean_x.square() + mean_y.square()
    alike = (2 * products + C1) / (squares + C1) * (2 * (xy - products) + C2) / (xx + yy - squares + C2)
    return alike.mean((1, 2)).unflatten(0, output.shape[:2]).mean(1)


def windows(side: int) -> Tensor:
    """(side, side) a row for each place of the window along a side, its weights adding up to 1.

    What lies beyond an end counts for its mirror image, as often as a side that is shorter than the window takes it.
    """
    offsets = torch.arange(-RADIUS, RADIUS + 1)
    kernel = torch.exp(-0.5 * (offsets / SIGMA) ** 2)
    period = max(2 * (side - 1), 1)
    places = (torch.arange(side)[:, None] + offsets) % period  # forwards and backwards
    mirrored = torch.where(places < side, places, period - places)
    return torch.zeros(side, side).scatter_add_(1, mirrored, (kernel / kernel.sum()).expand(side, -1))
