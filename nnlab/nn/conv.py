"""Convolutional encoders and decoders for images of any size and number of channels."""

from __future__ import annotations

from itertools import pairwise
from math import prod

from torch import nn

from nnlab.errors import ArgumentError
from nnlab.nn.mlp import ACTIVATIONS, Activation, Shape, mlp

KERNEL, STRIDE, PADDING = 4, 2, 1  # the kernel is a multiple of the stride, against checkerboards (Odena et al. 2016)


def spatial_sizes(shape: Shape, layers: int) -> list[tuple[int, int]]:
    """(H, W) of images (C, H, W) before and after each halving: 28 → 14 → 7, odd sides rounded down.

    Raises ArgumentError for a table, whose shape is (D,), and for an image that cannot be halved as often.
    """
    if len(shape) != 3:
        raise ArgumentError("", "convolutions need images, but the data are a table; use a fully connected model")
    sizes = [shape[1:]]
    for _ in range(layers):
        sizes.append(tuple(side // STRIDE for side in sizes[-1]))
    if 0 in sizes[-1]:
        h, w = shape[1:]
        raise ArgumentError("channels", f"{layers} layers halve {h}×{w} to nothing; give fewer, e.g. [32]")
    return sizes


def downsampling(widths: list[int], activation: Activation) -> list[nn.Module]:
    """From each of the widths to the next a convolution that halves the sides, and the activation after it."""
    layers: list[nn.Module] = []
    for inputs, width in pairwise(widths):
        layers += [nn.Conv2d(inputs, width, KERNEL, STRIDE, PADDING), ACTIVATIONS[activation]()]
    return layers


def upsampling(widths: list[int], size: list[tuple[int, int]], activation: Activation) -> list[nn.Module]:
    """From each of the widths to the next the activation, and a convolution back to the sides (H, W) before a halving.

    size  the sides before and after each halving
    """
    layers: list[nn.Module] = []
    for (inputs, width), larger in zip(pairwise(widths), reversed(size[:-1]), strict=True):
        odd = tuple(side % STRIDE for side in larger)  # restores the row or column that was lost by halving an odd side
        layers += [ACTIVATIONS[activation](), nn.ConvTranspose2d(inputs, width, KERNEL, STRIDE, PADDING, output_padding=odd)]
    return layers


def conv_encoder(shape: Shape, channels: list[int], hidden: int, outputs: int, activation: Activation) -> nn.Sequential:
    """(N, C, H, W) → (N, outputs): a halving convolution for each of `channels`, then one fully connected hidden layer."""
    last = spatial_sizes(shape, len(channels))[-1]
    return nn.Sequential(
        *downsampling([shape[0], *channels], activation),
        nn.Flatten(),
        *mlp([channels[-1] * prod(last), hidden, outputs], activation),
    )


def conv_decoder(
    shape: Shape, channels: list[int], hidden: int, latent_dim: int, activation: Activation, n_params: int = 1
) -> nn.Sequential:
    """(N, latent_dim) → (N, n_params · C, H, W): the encoder's mirror image."""
    size = spatial_sizes(shape, len(channels))
    widths = [*reversed(channels), n_params * shape[0]]
    layers = [
        *mlp([latent_dim, hidden, widths[0] * prod(size[-1])], activation),
        nn.Unflatten(1, (widths[0], *size[-1])),
    ]
    return nn.Sequential(*layers, *upsampling(widths, size, activation))
