"""The networks of the games: convolutional and fully connected, for images of any size and number of channels.

The convolutional ones follow Radford et al. 2016 ("Unsupervised representation learning with deep convolutional GANs"): strided
convolutions, batch normalisation except in the generator's last and the discriminator's first layer, ReLU in the generator
and LeakyReLU in the discriminator, weights from N(0, 0.02²). Inputs and outputs are centred on the middle of the data's range.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import log2, prod
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from nnlab.config.constraints import NonEmpty
from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput
from nnlab.nn.attention import SelfAttention
from nnlab.nn.bodies import normalized
from nnlab.nn.conv import KERNEL, PADDING, STRIDE, spatial_sizes
from nnlab.nn.mlp import Width

Channels = Literal["auto"] | Annotated[list[Width], NonEmpty()]
Normalization = Literal["batch", "none"]

FIRST, SLOPE, INITIAL = 64, 0.2, 0.02  # channels of the first layer; LeakyReLU's slope; s.d. of the weights
SMALLEST, LARGEST = 8, 64  # `auto` works for these sides
BASE = 3  # smallest side of the generator's first map, with `auto`


class Standardize(nn.Module):
    """x ↦ (2x − high − low)/(high − low) for data with bounds; other data are not changed."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        self.middle, self.half = (spec.low + spec.high) / 2, (spec.high - spec.low) / 2 or 1.0
        self.bounded = spec.bounded

    def forward(self, x: Tensor) -> Tensor:
        """(x − middle)/half, of any shape; x if the data have no bounds."""
        return (x - self.middle) / self.half if self.bounded else x


class ScaledSigmoid(nn.Module):
    """a ↦ middle + half · tanh a, within the data's bounds; a if they have no bounds. float32."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        self.middle, self.half = (spec.low + spec.high) / 2, (spec.high - spec.low) / 2 or 1.0
        self.bounded = spec.bounded

    def forward(self, a: Tensor) -> Tensor:
        """middle + half · tanh a, of any shape, float32; a if the data have no bounds."""
        a = a.float()
        return self.middle + self.half * a.tanh() if self.bounded else a


def chosen(channels: Channels, spec: DataSpec) -> list[int]:
    """The channels of the discriminator's layers; each halves the image. `auto` halves it to 3 … 5 pixels, from 64 channels on.

    Raises BadInput if an image is too small or too large for `auto`, or cannot be halved this often.
    """
    if channels == "auto":
        layers = 1
        if spec.kind == "image":
            h, w = spec.shape[1:]
            if min(h, w) < SMALLEST or max(h, w) > LARGEST:
                raise BadInput(
                    f"model.channels: auto is for sides of {SMALLEST} to {LARGEST} pixels, but {spec.name} has {h}×{w}; "
                    f"the nearest size is {nearest(h, w)}. Change the images' size, or give a list such as [64,128]"
                )
            layers = max(1, int(log2(min(h, w) / BASE)))
        channels = [FIRST * 2**i for i in range(layers)]
    spatial_sizes(spec.shape, len(channels))
    return list(channels)


def nearest(h: int, w: int) -> str:
    """The size for `auto` that is nearest to a picture's size, with the same proportions if possible."""
    factor = LARGEST / max(h, w) if max(h, w) > LARGEST else SMALLEST / min(h, w)
    h, w = (min(LARGEST, max(SMALLEST, round(side * factor))) for side in (h, w))
    return f"{h}×{w}"


def init_weights(network: nn.Module) -> nn.Module:
    """Weights from N(0, 0.02²), those of batch normalisation from N(1, 0.02²), biases zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, INITIAL)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, INITIAL)
        if isinstance(getattr(module, "bias", None), nn.Parameter):
            nn.init.zeros_(module.bias)
    return network


def with_spectral_norm(network: nn.Module) -> nn.Module:
    """Each layer's weight divided by its largest singular value σ(W), with one power iteration per update (Miyato 2018)."""
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            spectral_norm(module)
    return network


def conv_generator(
    spec: DataSpec, inputs: int, channels: list[int], *, hidden: int | None = None, attends: bool = False
) -> nn.Sequential:
    """(N, inputs) → (N, C, H, W).

    hidden   units of a fully connected layer before the smallest map; None: no such layer
    attends  with self-attention over the largest map before the image
    """
    size = spatial_sizes(spec.shape, len(channels))
    widths = [*reversed(channels), spec.shape[0]]
    layers: list[nn.Module] = []
    if hidden:
        layers += [nn.Linear(inputs, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()]
    layers += [nn.Linear(hidden or inputs, widths[0] * prod(size[-1]), bias=False)]
    layers += [nn.Unflatten(1, (widths[0], *size[-1])), *normalized(widths[0])]
    last = len(widths) - 2
    for i, ((before, width), larger) in enumerate(zip(pairwise(widths), reversed(size[:-1]), strict=True)):
        odd = tuple(side % STRIDE for side in larger)  # restores the row or column that was lost by halving an odd side
        layers += [SelfAttention(before)] if attends and i == last else []
        layers += [nn.ConvTranspose2d(before, width, KERNEL, STRIDE, PADDING, output_padding=odd, bias=i == last)]
        if i < last:
            layers += normalized(width)
    return init_weights(nn.Sequential(*layers, ScaledSigmoid(spec)))


def conv_body(spec: DataSpec, channels: list[int], normalization: Normalization, *, attends: bool = False) -> nn.Sequential:
    """(N, C, H, W) → (N, channels[-1], h, w): the discriminator without its last layer.

    attends  with self-attention over the largest map after the image
    """
    layers: list[nn.Module] = [Standardize(spec)]
    for i, (before, width) in enumerate(pairwise([spec.shape[0], *channels])):
        normalized = normalization == "batch" and i > 0
        layers += [nn.Conv2d(before, width, KERNEL, STRIDE, PADDING, bias=not normalized)]
        layers += [nn.BatchNorm2d(width)] if normalized else []
        layers += [nn.LeakyReLU(SLOPE)]
        layers += [SelfAttention(width)] if attends and i == 0 else []
    return init_weights(nn.Sequential(*layers))


def beside(*specs: DataSpec) -> DataSpec:
    """The description of images of one size that are put beside each other as channels."""
    first, *_ = specs
    return replace(first, shape=(sum(spec.shape[0] for spec in specs), *first.shape[1:]))


def conv_features(spec: DataSpec, channels: list[int]) -> int:
    """The number of values that `conv_body` gives for an image."""
    return channels[-1] * prod(spatial_sizes(spec.shape, len(channels))[-1])


def conv_discriminator(
    spec: DataSpec, channels: list[int], normalization: Normalization, *, attends: bool = False, outputs: int = 1
) -> nn.Sequential:
    """(N, C, H, W) → (N, outputs)."""
    head = init_weights(nn.Linear(conv_features(spec, channels), outputs))
    return nn.Sequential(*conv_body(spec, channels, normalization, attends=attends), nn.Flatten(), head)


def conv_inverse(spec: DataSpec, outputs: int, channels: list[int]) -> nn.Sequential:
    """(N, C, H, W) → (N, outputs): an encoder with the discriminator's layers and batch normalisation."""
    return conv_discriminator(spec, channels, "batch", outputs=outputs)


def mlp_generator(spec: DataSpec, inputs: int, hidden: list[int]) -> nn.Sequential:
    """(N, inputs) → (N, *shape), with the discriminator's hidden widths in reverse."""
    widths = [inputs, *reversed(hidden)]
    layers: list[nn.Module] = []
    for before, width in pairwise(widths):
        layers += [nn.Linear(before, width, bias=False), nn.BatchNorm1d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], spec.features), nn.Unflatten(1, spec.shape), ScaledSigmoid(spec))


def mlp_discriminator(inputs: int, hidden: list[int], outputs: int = 1) -> nn.Sequential:
    """(N, …) of `inputs` values → (N, outputs)."""
    layers: list[nn.Module] = [nn.Flatten()]
    for before, width in pairwise([inputs, *hidden]):
        layers += [nn.Linear(before, width), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers, nn.Linear([inputs, *hidden][-1], outputs))


def mlp_inverse(spec: DataSpec, outputs: int, hidden: list[int]) -> nn.Sequential:
    """(N, *shape) → (N, outputs): an encoder, with batch normalisation like the generator."""
    layers: list[nn.Module] = [Standardize(spec), nn.Flatten()]
    for before, width in pairwise([spec.features, *hidden]):
        layers += [nn.Linear(before, width, bias=False), nn.BatchNorm1d(width), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers, nn.Linear([spec.features, *hidden][-1], outputs))


def normalizes(network: nn.Module) -> bool:
    """Whether a network's output for one example depends on the others of its batch."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


def interpolated(real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """ε x + (1 − ε) x̃ of (N, …), with one ε per example, (N,)."""
    share = share.view(-1, *[1] * (real.ndim - 1))
    return torch.lerp(fake, real, share)
