"""U-Nets: an encoder and a decoder of images, with connections at each level."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnlab.nn.conv import spatial_sizes
from nnlab.nn.mlp import ACTIVATIONS, Activation, Shape


class Convolutions(nn.Sequential):
    """(N, inputs, H, W) → (N, width, H, W): twice a 3×3 convolution and an activation."""

    def __init__(self, inputs: int, width: int, activation: Activation) -> None:
        layers: list[nn.Module] = []
        for before in (inputs, width):
            layers += [nn.Conv2d(before, width, 3, padding=1), ACTIVATIONS[activation]()]
        super().__init__(*layers)


class UNetBackbone(nn.Module):
    """(N, C, H, W) → (N, outputs, H, W): down by maxima of 2×2, up again with the levels from the way down beside them.

    After Ronneberger et al. 2015 ("U-Net: convolutional networks for …"), with padding, so that an image keeps its size, and
    with a 1×1 convolution before each enlargement, which repeats pixels. An odd side is rounded down when halved; the way up
    takes each level's size from its partner on the way down.

    channels  of the levels, the image's own size first
    outputs   channels of the result; by default as many as the image has
    """

    def __init__(self, shape: Shape, channels: list[int], activation: Activation, outputs: int | None = None) -> None:
        super().__init__()
        spatial_sizes(shape, len(channels) - 1)  # raises for tables, and for images that cannot be halved this often
        self.down = nn.ModuleList(Convolutions(i, o, activation) for i, o in pairwise([shape[0], *channels]))
        upwards = list(pairwise(reversed(channels)))
        self.narrow = nn.ModuleList(nn.Conv2d(below, level, 1) for below, level in upwards)
        self.up = nn.ModuleList(Convolutions(2 * level, level, activation) for _, level in upwards)
        self.last = nn.Conv2d(channels[0], outputs or shape[0], 1)
        # channels last: what oneDNN's bfloat16 and tensor cores read
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """The network's output (N, outputs, H, W) of images x (N, C, H, W)."""
        passed = []
        for level in self.down:
            x = level(F.max_pool2d(x, 2) if passed else x)
            passed.append(x)
        for narrow, up, beside in zip(self.narrow, self.up, reversed(passed[:-1]), strict=True):
            below = F.interpolate(narrow(x), size=beside.shape[-2:])
            x = up(torch.cat([beside, below], dim=1))
        return self.last(x)
