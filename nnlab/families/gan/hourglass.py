"""A network from image to image that halves its maps and enlarges them again."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from nnlab.families.gan.networks import SLOPE, init_weights
from nnlab.nn.conv import KERNEL, PADDING, STRIDE, spatial_sizes


class Hourglass(nn.Module):
    """(N, inputs, H, W) → (N, outputs, H, W), by strided convolutions with batch normalisation, as in `dcgan`.

    It halves the image once for each of `channels` and enlarges it as often, with each map from the way down beside its partner
    on the way up, as in a U-Net (Ronneberger et al. 2015).

    size      (H, W)
    channels  of the layers that halve
    code      channels of a map that is put beside the smallest one
    """

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int], channels: list[int], code: int = 0) -> None:
        super().__init__()
        self.sizes = spatial_sizes((inputs, *size), len(channels))
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for before, width in pairwise([inputs, *channels]):
            conv = nn.Conv2d(before, width, KERNEL, STRIDE, PADDING, bias=False)
            self.down.append(nn.Sequential(conv, nn.BatchNorm2d(width), nn.LeakyReLU(SLOPE)))
        for i in reversed(range(len(channels))):
            beside = code if i == len(channels) - 1 else channels[i]
            odd = tuple(
                side % STRIDE for side in self.sizes[i]
            )  # restores the row or column that was lost by halving an odd side
            width = channels[i - 1] if i else outputs
            conv = nn.ConvTranspose2d(channels[i] + beside, width, KERNEL, STRIDE, PADDING, output_padding=odd, bias=i == 0)
            self.up.append(nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU()) if i else conv)
        init_weights(self)

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """(N, outputs, H, W), of images and a map (N, code, h, w) of the smallest size."""
        passed = []
        for layer in self.down:
            x = layer(x)
            passed.append(x)
        passed[-1] = code
        for layer in self.up:
            beside = passed.pop()
            x = layer(x if beside is None else torch.cat([x, beside], 1))
        return x
