"""The networks of the games from image to image: two generators, which keep an image's size, and a discriminator of patches.

All are convolutional, so they take images of any size above a smallest one. Normalisation is of each image alone and keeps no
running statistics: what an image becomes does not depend on the others of its batch. A map of 1×1 is not normalised, since it
would become 0. Images are centred: the data's lowest and highest value become −1 and 1.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from nnlab.data.spec import Part
from nnlab.errors import ArgumentError, BadInput
from nnlab.families.gan.networks import SLOPE, ScaledSigmoid, Standardize, init_weights
from nnlab.nn.conv import KERNEL, PADDING, STRIDE

Norm = Literal["instance", "batch", "none"]
BORDER = 3  # pixels that the residual generator mirrors at the image's own size; the side must be longer
PATCHES = {1: 16, 2: 34, 3: 70}  # side of the patch that an answer sees, by the number of halvings


def normalized(kind: Norm, width: int, side: int) -> list[nn.Module]:
    """The normalisation of maps (N, width, H, W), whose smaller side is `side` in training; none if that is 1."""
    if kind == "none" or side < 2:
        return []
    return [nn.InstanceNorm2d(width) if kind == "instance" else nn.BatchNorm2d(width)]


# -- the discriminator of patches -------------------------------------------------------------------------------------


def patch_layers(shape: tuple[int, ...], layers: Literal["auto"] | int, key: str = "layers") -> int:
    """How often the discriminator halves images (C, H, W): as asked, or at `auto` so often that its patch fits into the image.

    Raises ArgumentError, naming the largest number, if an image is too small.
    """
    side = min(shape[1:])
    most = next((n for n in range(side.bit_length(), 0, -1) if side >> n > 2), 0)  # two convolutions of 4×4 take 2 pixels more
    if not most:
        h, w = shape[1:]
        raise ArgumentError(key, f"a discriminator of patches needs sides of 6 pixels or more, the images have {h}×{w}")
    if layers == "auto":
        return max(1, min(most, max((n for n, patch in PATCHES.items() if patch <= side), default=1)))
    if layers > most:
        h, w = shape[1:]
        raise ArgumentError(key, f"{layers} halvings leave nothing of {h}×{w} for a patch; give at most {most}")
    return layers


def patch_discriminator(parts: list[Part], width: int, layers: int, norm: Norm = "instance") -> nn.Module:
    """The discriminator of pix2pix: a map of answers (N, h, w), each about one patch (Isola et al. 2017, "PatchGAN").

    parts   the images that it sees together, of one size: an image alone, or beside the input that it was made of
    width   channels of the first layer; each halving doubles them, up to 8 × as many
    layers  halvings; with 1, 2, 3 of them a patch has 16×16, 34×34 or 70×70 pixels
    """
    side = min(parts[0].shape[1:])
    widths = [width * min(2**i, 8) for i in range(layers + 1)]
    network: list[nn.Module] = [nn.Conv2d(sum(part.shape[0] for part in parts), width, KERNEL, STRIDE, PADDING)]
    network += [nn.LeakyReLU(SLOPE)]
    side //= 2
    for i, (before, after) in enumerate(pairwise(widths), start=1):
        stride = STRIDE if i < layers else 1
        side = side // 2 if stride == STRIDE else side - 1
        own = normalized(norm, after, side)
        network += [nn.Conv2d(before, after, KERNEL, stride, PADDING, bias=not own), *own, nn.LeakyReLU(SLOPE)]
    network += [nn.Conv2d(widths[-1], 1, KERNEL, 1, PADDING)]
    # channels last: a quarter faster on the CPU
    return Patches(parts, init_weights(nn.Sequential(*network)).to(memory_format=torch.channels_last))


class Patches(nn.Module):
    """A discriminator of patches of one or several images beside each other."""

    def __init__(self, parts: list[Part], network: nn.Sequential) -> None:
        super().__init__()
        self.centre = nn.ModuleList(Standardize(part) for part in parts)
        self.network = network

    def forward(self, *images: Tensor) -> Tensor:
        """(N, h, w), one answer per patch, of images (N, C, H, W) of one size."""
        together = torch.cat([centre(x) for centre, x in zip(self.centre, images, strict=True)], 1)
        return self.network(together).float().squeeze(1)


# -- generators -------------------------------------------------------------------------------------------------------


class Dropout(nn.Dropout):
    """Dropout that is also on in evaluation if it `stays`: it is the only noise of the generator of pix2pix."""

    def __init__(self, share: float, stays: bool) -> None:
        super().__init__(share)
        self.stays = stays

    def forward(self, x: Tensor) -> Tensor:
        """x with a share of the values at 0 and the others enlarged."""
        return functional.dropout(x, self.p, self.training or self.stays)


class UNetGenerator(nn.Module):
    """The generator of pix2pix: down to a map of few pixels and up again, with each level's map beside it (Isola et al. 2017).

    Down: 4×4 convolutions of stride 2, LeakyReLU. Up: transposed ones, ReLU, dropout in the innermost three levels. An odd side
    is rounded down when halved; the way up takes each level's size from its partner.

    channels  of the levels; each halves the image
    dropout   share, and whether it stays on in evaluation
    """

    def __init__(
        self, given: Part, made: Part, channels: list[int], norm: Norm, dropout: tuple[float, bool] = (0.0, False)
    ) -> None:
        super().__init__()
        sides = [min(given.shape[1:]) >> i for i in range(1, len(channels) + 1)]
        self.centre, self.squash = Standardize(given), ScaledSigmoid(made)
        self.depth = len(channels)
        self.normalizes = norm != "none" and sides[-1] > 1
        self.down = nn.ModuleList()
        for i, (before, width) in enumerate(pairwise([given.shape[0], *channels])):
            own = normalized(norm, width, sides[i]) if 0 < i < self.depth - 1 else []  # neither the first nor the innermost
            first = [nn.LeakyReLU(SLOPE)] if i else []
            self.down.append(nn.Sequential(*first, nn.Conv2d(before, width, KERNEL, STRIDE, PADDING, bias=not own), *own))
        self.up, self.after = nn.ModuleList(), nn.ModuleList()
        for i in range(self.depth - 1, -1, -1):
            inputs = channels[i] * (1 if i == self.depth - 1 else 2)
            width = channels[i - 1] if i else made.shape[0]
            own = normalized(norm, width, sides[i - 1]) if i else []
            self.up.append(nn.ConvTranspose2d(inputs, width, KERNEL, STRIDE, PADDING, bias=not own))
            share, stays = dropout
            drops = [Dropout(share, stays)] if share and i and i >= self.depth - 3 else []
            self.after.append(nn.Sequential(*own, *drops))
        init_weights(self).to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C′, H, W) of images (N, C, H, W)."""
        passed = [self.centre(x)]
        for level in self.down:
            passed.append(level(passed[-1]))
        size = [each.shape[-2:] for each in passed]
        y = passed[-1]
        for i, (up, after) in enumerate(zip(self.up, self.after, strict=True)):
            beside = self.depth - i
            y = y if i == 0 else torch.cat([y, passed[beside]], 1)
            y = after(up(functional.relu(y), output_size=size[beside - 1]))
        return self.squash(y)

    def check_size(self, shape: tuple[int, ...]) -> None:
        """Raise BadInput if an image (C, H, W) is too small for the network."""
        smallest = 2**self.depth
        if min(shape[1:]) < smallest:
            raise BadInput(f"an image of {shape[1]}×{shape[2]} is too small; this network takes sides of {smallest} or more")


class ResidualGenerator(nn.Module):
    """The generator of CycleGAN: halvings, residual blocks, doublings (Johnson et al. 2016; Zhu et al. 2017).

    Borders are mirrored. An odd side is rounded up when halved; the way up takes its size from the way down.

    channels  at the image's own size, then after each halving; the paper has [64, 128, 256]
    blocks    x + f(x), f two 3×3 convolutions, on the smallest map
    """

    def __init__(self, given: Part, made: Part, channels: list[int], blocks: int, norm: Norm) -> None:
        super().__init__()
        self.smallest = max(BORDER + 1, 2 ** (len(channels) - 1) + 1)  # so that there are two pixels at the smallest map
        side = min(given.shape[1:])
        if side < self.smallest:
            h, w = given.shape[1:]
            halvings = (
                f"a residual generator that halves {len(channels) - 1} times needs sides of {self.smallest} pixels or more"
            )
            raise ArgumentError("channels", f"{halvings}, the images have {h}×{w}")
        sides = [side]
        for _ in channels[1:]:
            sides.append(-(-sides[-1] // 2))
        self.centre, self.squash = Standardize(given), ScaledSigmoid(made)

        def layer(convolution: nn.Module, width: int, side: int) -> nn.Sequential:
            return nn.Sequential(convolution, *normalized(norm, width, side), nn.ReLU())

        plain = norm == "none"  # else the normalisation takes a bias away
        mirrored = {"padding_mode": "reflect", "bias": plain}
        first, last = channels[0], channels[-1]
        self.first = layer(nn.Conv2d(given.shape[0], first, 7, padding=BORDER, **mirrored), first, side)
        steps = list(zip(pairwise(channels), pairwise(sides), strict=True))
        self.down = nn.ModuleList(
            layer(nn.Conv2d(before, width, 3, 2, 1, bias=plain), width, half) for (before, width), (_, half) in steps
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                layer(nn.Conv2d(last, last, 3, padding=1, **mirrored), last, sides[-1]),
                nn.Conv2d(last, last, 3, padding=1, **mirrored),
                *normalized(norm, last, sides[-1]),
            )
            for _ in range(blocks)
        )
        back = steps[::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(width, to, 3, 2, 1, bias=plain) for (to, width), _ in back)
        self.after = nn.ModuleList(nn.Sequential(*normalized(norm, to, its), nn.ReLU()) for (to, _), (its, _) in back)
        self.last = nn.Conv2d(first, made.shape[0], 7, padding=BORDER, padding_mode="reflect")
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C′, H, W) of images (N, C, H, W)."""
        y, sizes = self.first(self.centre(x)), []
        for down in self.down:
            sizes.append(y.shape[-2:])
            y = down(y)
        for block in self.blocks:
            y = y + block(y)
        for up, after, size in zip(self.up, self.after, reversed(sizes), strict=True):
            y = after(up(y, output_size=size))
        return self.squash(self.last(y))

    def check_size(self, shape: tuple[int, ...]) -> None:
        """Raise BadInput if an image (C, H, W) is too small for the network."""
        if min(shape[1:]) < self.smallest:
            raise BadInput(
                f"an image of {shape[1]}×{shape[2]} is too small; this network takes sides of {self.smallest} or more"
            )
