"""The networks of stackgan: the condition that a text becomes, both generators, and the score of image and text."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from nnlab.data.spec import DataSpec
from nnlab.families.gan.networks import SLOPE, ScaledSigmoid, Standardize, conv_generator, init_weights
from nnlab.nn.bodies import ResidualBlock, normalized
from nnlab.nn.conv import KERNEL, PADDING, STRIDE, spatial_sizes
from nnlab.nn.resize import enlarged

SHARPER = 3.0  # steepens the edges of the small image: tanh of 3 is nearly 1


class Condition(nn.Module):
    """c = μ(φ) + σ(φ) ε, with log σ² and μ linear in φ; without augmentation c = μ(φ)."""

    def __init__(self, text_dim: int, length: int, augments: bool) -> None:
        super().__init__()
        self.length = length
        self.mean, self.log_variance = nn.Linear(text_dim, length), nn.Linear(text_dim, length) if augments else None

    def forward(self, phi: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """c, μ and log σ², (N, length) float32 each, of φ (N, text_dim) and ε (N, length); without augmentation σ is 0."""
        mean = self.mean(phi).float()
        if self.log_variance is None:
            return mean, mean, torch.full_like(mean, -torch.inf)
        log_variance = self.log_variance(phi).float()
        return mean + (0.5 * log_variance).exp() * epsilon, mean, log_variance


class FirstGenerator(nn.Module):
    """G_1: of z and c, side by side, a small image; the generator of `dcgan`, after a hidden layer."""

    def __init__(
        self, spec: DataSpec, latent_dim: int, text_dim: int, length: int, hidden: int, channels: list[int], augments: bool
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.network = conv_generator(spec, latent_dim + length, channels, hidden=hidden or None)
        self.condition = Condition(text_dim, length, augments)

    def forward(self, phi: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x̃_1 (N, C, h, w) float32, μ and log σ² of φ (N, text_dim) and z and ε, side by side."""
        c, mean, log_variance = self.condition(phi, noise[:, self.latent_dim :])
        return self.network(torch.cat([noise[:, : self.latent_dim], c], 1)), mean, log_variance


class SecondGenerator(nn.Module):
    """G_2: halves the small image, puts c beside each place of the map, passes residual blocks, and enlarges the map twice.

    It learns what the large image has more than the small one:  x̃_2 = middle + half · tanh(Δ + SHARPER · x̂_1), x̂_1 the small
    image, enlarged (bicubic), its values scaled to −1 … 1. In the paper the small image reaches the large one through the
    smallest map alone.

    specs  of the small and of the large image
    """

    def __init__(self, specs: list[DataSpec], text_dim: int, length: int, width: int, blocks: int, augments: bool) -> None:
        super().__init__()
        small, large = specs
        self.shape = large.shape
        sizes = [*spatial_sizes(small.shape, 1)[::-1], large.shape[1:]]
        odd = [tuple(after - 2 * before for before, after in zip(a, b, strict=True)) for a, b in pairwise(sizes)]
        twice, channels = 2 * width, small.shape[0]
        self.scaled = Standardize(small)
        self.halve = nn.Sequential(
            nn.Conv2d(channels, width, 3, 1, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(width, twice, KERNEL, STRIDE, PADDING, bias=False),
            *normalized(twice, nn.LeakyReLU(SLOPE)),
        )
        self.join = nn.Sequential(nn.Conv2d(twice + length, twice, 3, 1, 1, bias=False), *normalized(twice))
        self.blocks = nn.Sequential(*(ResidualBlock(twice, twice, 1) for _ in range(blocks)))
        self.leave = nn.Sequential(
            nn.ConvTranspose2d(twice, width, KERNEL, STRIDE, PADDING, output_padding=odd[0], bias=False),
            *normalized(width),
            nn.ConvTranspose2d(width, width, KERNEL, STRIDE, PADDING, output_padding=odd[1], bias=False),
            *normalized(width),
            nn.Conv2d(width, channels, 3, 1, 1),
        )
        self.bounds = ScaledSigmoid(large)
        init_weights(self)
        self.condition = Condition(text_dim, length, augments)

    def forward(self, phi: Tensor, noise: Tensor, small: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x̃_2 (N, C, H, W) float32, μ and log σ² of φ (N, text_dim), ε (N, length) and small images (N, C, h, w)."""
        c, mean, log_variance = self.condition(phi, noise)
        small = self.scaled(small)
        x = self.halve(small)
        x = self.join(torch.cat([x, c[:, :, None, None].expand(-1, -1, *x.shape[2:]).to(x.dtype)], 1))
        more = self.leave(self.blocks(x))
        return self.bounds(more.float() + SHARPER * enlarged(small.float(), self.shape)), mean, log_variance


class TextProjection(nn.Module):
    """D(x, t) = a′h(x) + b + h(x)′Wφ(t) (Miyato & Koyama 2018).

    body  h: (N, *shape) → (N, …) of `features` values
    """

    def __init__(self, body: nn.Module, features: int, text_dim: int) -> None:
        super().__init__()
        self.body = body
        self.data = nn.Linear(features, 1)
        self.of_text = nn.Linear(text_dim, features, bias=False)

    def forward(self, x: Tensor, phi: Tensor) -> Tensor:
        """(N,) of images (N, *shape) and φ (N, text_dim); (K, N) of φ (K, N, text_dim), several texts for each image."""
        h = self.body(x).flatten(1)
        return self.data(h).squeeze(1) + (h * self.of_text(phi)).sum(-1)
