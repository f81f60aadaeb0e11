"""The residual network that enlarges images, trained by the pixel error."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast
from nnlab.data.spec import Batch, DataSpec, Part
from nnlab.errors import ArgumentError
from nnlab.families.gan.networks import ScaledSigmoid, Standardize
from nnlab.model import Model, one_direction
from nnlab.nn.mlp import Width

FACTORS = (2, 4, 8)
Norm = Literal["batch", "none"]


class SuperResolutionNetwork(nn.Module):
    """(N, C, h, w) → (N, C, factor·h, factor·w): residual blocks at the small size, then sub-pixel convolutions.

    A sub-pixel convolution makes four values per pixel, which become 2×2 pixels (Shi et al. 2016, "Real-time single image …").

    width   channels
    blocks  x + f(x), f two 3×3 convolutions
    """

    def __init__(self, given: Part, made: Part, factor: int, width: int, blocks: int, norm: Norm) -> None:
        super().__init__()
        self.centre, self.squash = Standardize(given), ScaledSigmoid(made)

        def convolution() -> list[nn.Module]:
            own = [nn.BatchNorm2d(width)] if norm == "batch" else []
            return [nn.Conv2d(width, width, 3, padding=1, bias=not own), *own]

        self.first = nn.Sequential(nn.Conv2d(given.shape[0], width, 9, padding=4), nn.PReLU())
        self.blocks = nn.ModuleList(nn.Sequential(*convolution(), nn.PReLU(), *convolution()) for _ in range(blocks))
        self.after = nn.Sequential(*convolution())
        larger: list[nn.Module] = []
        for _ in range(FACTORS.index(factor) + 1):
            larger += [nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU()]
        self.up = nn.Sequential(*larger)
        self.last = nn.Conv2d(width, made.shape[0], 9, padding=4)
        # channels last: 1.5 × as fast on the CPU, where the last layer with its single output takes twice the time otherwise
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """The enlarged images."""
        first = self.first(self.centre(x))
        y = first
        for block in self.blocks:
            y = y + block(y)
        return self.squash(self.last(self.up(first + self.after(y))))

    def check_size(self, shape: tuple[int, ...]) -> None:
        """An image of any size will do."""


def factor_of(spec: DataSpec) -> int:
    """By how much the target is larger than the input. Raises ArgumentError unless that is 2, 4 or 8 in both directions."""
    if (spec.kind, spec.input.kind) != ("image", "image"):
        raise ArgumentError("", f"it enlarges images, but {spec.name} is a table; use data of images")
    (_, h, w), (_, small_h, small_w) = spec.shape, spec.input.shape
    factor = h // small_h
    if factor not in FACTORS or (h, w) != (factor * small_h, factor * small_w):
        raise ArgumentError(
            "",
            f"it enlarges 2, 4 or 8 times, but inputs of {small_h}×{small_w} have targets of {h}×{w}; "
            "give noise=downscale noise.factor=4, or pairs of such sizes",
        )
    return factor


class SRResNet(Model):
    """Super-resolution by a residual network (Ledig et al. 2017, "Photo-realistic single image super-resolution …").

    ŷ = G(x), x the small image
    loss = Σ (ŷ − y)², the squared error summed over the image, y the large one

    G: a 9×9 convolution; residual blocks and a 3×3 convolution, with a connection around all of them; a sub-pixel convolution
    for each doubling; a 9×9 convolution. It is the first stage of `srgan`.

    width          channels of all layers
    blocks         residual blocks
    normalization  batch as in the paper; none is more exact (Lim et al. 2017, "Enhanced deep residual networks …")
    """

    trainer = "nnlab.families.ae.trainer:RestorationTrainer"
    needs = ("input",)
    resizes = True
    distributes = True

    def __init__(
        self,
        spec: DataSpec,
        *,
        width: Width = 64,
        blocks: Annotated[int, AtLeast(1)] = 8,
        normalization: Norm = "none",
    ) -> None:
        super().__init__(spec)
        self.network = SuperResolutionNetwork(spec.input, spec.target, factor_of(spec), width, blocks, normalization)

    def reconstruct(self, x: Tensor) -> Tensor:
        """ŷ, (N, *shape), of small images x."""
        return self.network(self.check(x))

    def directions(self) -> dict[str, tuple[Part, Part]]:
        """Its only direction: from small images to large ones."""
        return one_direction(self.spec)

    def translate(self, x: Tensor, to: str = "target") -> Tensor:
        """The enlarged images of images (N, C, H, W) of any size."""
        return self.network(x)

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return {"loss": (self.reconstruct(batch.input) - batch.target).square().flatten(1).sum(1)}
