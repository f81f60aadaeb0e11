"""Bodies: networks from an example to a vector of features, which classifiers and encoders are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise
from math import prod
from typing import Annotated

import torch
from torch import Tensor, nn

from nnlab.config.constraints import NonEmpty
from nnlab.nn.conv import spatial_sizes
from nnlab.nn.mlp import ACTIVATIONS, Activation, Dropout, Shape, Width
from nnlab.nn.transformer import PatchTransformer, Pool, Positions

Widths = Annotated[list[Width], NonEmpty()]


class Body(ABC):
    """The settings of a body: a node of a config, such as model.body, or a classifier's own keys."""

    @abstractmethod
    def build(self, shape: Shape) -> tuple[nn.Module, int]:
        """The network (N, *shape) → (N, width), and its width. Raises ArgumentError for a shape that it cannot take."""


class MLPBody(Body):
    """Fully connected layers, each with an activation and dropout (Rumelhart, Hinton & Williams 1986).

    hidden   their widths; the last of them is the number of features
    dropout  share of each layer's outputs that are set to 0 in a step (Srivastava et al. 2014)
    """

    def __init__(self, *, hidden: Widths = (512, 256), activation: Activation = "silu", dropout: Dropout = 0.0) -> None:
        self.hidden, self.activation, self.dropout = hidden, activation, dropout

    def build(self, shape: Shape) -> tuple[nn.Sequential, int]:
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise([prod(shape), *self.hidden]):
            layers += [nn.Linear(inputs, outputs), ACTIVATIONS[self.activation](), nn.Dropout(self.dropout)]
        return nn.Sequential(*layers), self.hidden[-1]


class ConvBody(Body):
    """Blocks of two 3×3 convolutions, each with batch normalisation and an activation, and 2×2 max pooling; then one fully
    connected layer (LeCun et al. 1998; the blocks of Simonyan & Zisserman 2015 with those of Ioffe & Szegedy 2015).

    channels  of the blocks; each halves the image
    hidden    width of the fully connected layer, the number of features
    dropout   share of that layer's inputs and outputs that are set to 0 in a step
    """

    def __init__(
        self, *, channels: Widths = (32, 64), hidden: Width = 256, activation: Activation = "relu", dropout: Dropout = 0.0
    ) -> None:
        self.channels, self.hidden, self.activation, self.dropout = channels, hidden, activation, dropout

    def build(self, shape: Shape) -> tuple[nn.Sequential, int]:
        last, activation = spatial_sizes(shape, len(self.channels))[-1], ACTIVATIONS[self.activation]
        layers: list[nn.Module] = []
        for inputs, width in pairwise([shape[0], *self.channels]):
            for before in (inputs, width):
                layers += [convolution(before, width), *normalized(width, activation())]
            layers += [nn.MaxPool2d(2)]
        layers += [nn.Flatten(), nn.Dropout(self.dropout), nn.Linear(self.channels[-1] * prod(last), self.hidden)]
        return channels_last(nn.Sequential(*layers, activation(), nn.Dropout(self.dropout))), self.hidden


class ResidualBody(Body):
    """A residual network for small images (He et al. 2016, section 4.2): a 3×3 convolution, groups of residual blocks, and the
    mean over the places of the last map. Each group but the first halves the map.

    channels  of the groups; the last is the number of features
    blocks    in each group
    """

    def __init__(self, *, channels: Widths = (32, 64, 128), blocks: Width = 1) -> None:
        self.channels, self.blocks = channels, blocks

    def build(self, shape: Shape) -> tuple[nn.Sequential, int]:
        spatial_sizes(shape, len(self.channels) - 1)  # refuses tables, and images that are too small
        first = self.channels[0]
        layers: list[nn.Module] = [convolution(shape[0], first), *normalized(first)]
        for i, (before, width) in enumerate(pairwise([first, *self.channels])):
            for j in range(self.blocks):
                halves = i > 0 and j == 0
                layers += [ResidualBlock(before if j == 0 else width, width, 2 if halves else 1)]
        return channels_last(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())), self.channels[-1]


class TransformerBody(Body):
    """A transformer over the patches of an image (`transformer.PatchTransformer`, which explains the keys)."""

    def __init__(
        self,
        *,
        patch: Width = 4,
        width: Width = 64,
        depth: Width = 6,
        heads: Width = 4,
        mlp_ratio: Width = 2,
        dropout: Dropout = 0.0,
        pool: Pool = "token",
        positions: Positions = "learned",
    ) -> None:
        self.width = width
        self.keys = {"patch": patch, "width": width, "depth": depth, "heads": heads, "mlp_ratio": mlp_ratio}
        self.keys |= {"dropout": dropout, "pool": pool, "positions": positions}

    def build(self, shape: Shape) -> tuple[PatchTransformer, int]:
        return PatchTransformer(shape, **self.keys), self.width


def undecayed(network: nn.Module) -> list[nn.Parameter]:
    """The parameters of a body or a head that weight decay leaves as they are: biases, what scales a normalisation, and the
    positions and the class token of a transformer.
    """
    if isinstance(network, PatchTransformer):
        return network.undecayed()
    return [p for p in network.parameters() if p.ndim < 2]


class ResidualBlock(nn.Module):
    """ReLU(s(x) + f(x)), f two 3×3 convolutions with batch normalisation; s the identity, or a 1×1 convolution where the shape
    changes (He et al. 2016).

    stride  2 halves the map
    """

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        first = [convolution(before, width, stride), *normalized(width)]
        self.body = nn.Sequential(*first, convolution(width, width), nn.BatchNorm2d(width))
        changes = before != width or stride > 1
        shortcut = [nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width)] if changes else []
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, h, w) of maps (N, before, H, W)."""
        return (self.shortcut(x) + self.body(x)).relu_()


def convolution(before: int, width: int, stride: int = 1) -> nn.Conv2d:
    """3×3, without a bias, which the batch normalisation after it would remove."""
    return nn.Conv2d(before, width, 3, stride, padding=1, bias=False)


def normalized(width: int, activation: nn.Module | None = None) -> list[nn.Module]:
    """Batch normalisation and an activation, by default ReLU.

    ReLU and LeakyReLU overwrite their input: on a CPU a tenth of a step goes into writing maps, and nothing reads these again.
    """
    activation = nn.ReLU() if activation is None else activation
    if isinstance(activation, nn.ReLU | nn.LeakyReLU):
        activation.inplace = True
    return [nn.BatchNorm2d(width), activation]


def channels_last(network: nn.Module) -> nn.Module:
    """1.6 × as fast on the CPU in bfloat16, 1.2 × in float32; tensor cores need it too."""
    return network.to(memory_format=torch.channels_last)
