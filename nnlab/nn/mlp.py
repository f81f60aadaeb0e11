"""Fully connected networks, for images and tables of any shape."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Annotated, Literal

from torch import nn

from nnlab.config.constraints import AtLeast, Between

Shape = tuple[int, ...]  # (C, H, W) of an image, (D,) of a row of a table
Width = Annotated[int, AtLeast(1)]
Dropout = Annotated[float, Between(0, 0.9)]
Activation = Literal["relu", "silu", "gelu", "elu", "leaky_relu", "tanh"]
ACTIVATIONS = {
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "elu": nn.ELU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
}


def mlp(widths: list[int], activation: Activation) -> list[nn.Module]:
    """Linear layers of these widths, with an activation between them and none after the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), ACTIVATIONS[activation]()]
    return layers[:-1]


def mlp_encoder(shape: Shape, hidden: list[int], outputs: int, activation: Activation) -> nn.Sequential:
    """(N, *shape) → (N, outputs)."""
    return nn.Sequential(nn.Flatten(), *mlp([prod(shape), *hidden, outputs], activation))


def mlp_decoder(shape: Shape, hidden: list[int], latent_dim: int, activation: Activation, n_params: int = 1) -> nn.Sequential:
    """(N, latent_dim) → (N, n_params · C, …) where C, … is the shape, with the encoder's hidden widths in reverse."""
    layers = mlp([latent_dim, *reversed(hidden), n_params * prod(shape)], activation)
    return nn.Sequential(*layers, nn.Unflatten(1, (n_params * shape[0], *shape[1:])))
