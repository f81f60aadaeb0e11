"""The noise that a generator gets as input."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.families.gan.base import Adversarial, Play
from nnlab.model import Latent

Prior = Literal["gaussian", "uniform"]


def sample_prior(prior: Prior, n: int, dim: int, device: torch.device, generator: torch.Generator | None) -> Tensor:
    """(n, dim) of N(0, I), or uniform within (−1, 1)."""
    if prior == "gaussian":
        return torch.randn((n, dim), device=device, generator=generator)
    return torch.rand((n, dim), device=device, generator=generator).mul_(2).sub_(1)


def one_hot(label: Tensor, classes: int) -> Tensor:
    """(N,) int64 → (N, classes) float32. torch's own one_hot reads the values first, which waits for the GPU."""
    return (label[:, None] == torch.arange(classes, device=label.device)).float()


def deviation(prior: Prior) -> float:
    """The standard deviation of a coordinate; its mean is zero."""
    return 1.0 if prior == "gaussian" else 1 / sqrt(3)


class LatentPrior(Adversarial):
    """Base of the models with x = G(z), z from a prior: sampling and decoding.

    maker  the name of the part that is G
    """

    maker: ClassVar[str] = "generator"
    latent_dim: int
    prior: Prior

    def noise(self, n: int, generator: torch.Generator | None) -> Tensor:
        """(n, latent_dim) from the prior."""
        return sample_prior(self.prior, n, self.latent_dim, self.averaged.updates.device, generator)

    def decode(self, z: Tensor) -> Tensor:
        """G(z), (N, *shape), by the averages."""
        return self.averaged[self.maker](z)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """G(z), (n, *shape), of z from the prior, by the averages."""
        return self.decode(self.noise(n, generator))

    def latent(self, batches: Iterable[Batch]) -> Latent:
        """The prior."""
        zero = torch.zeros(self.latent_dim, device=self.averaged.updates.device)
        return Latent(zero, zero + deviation(self.prior))


class ImageCritic(LatentPrior):
    """Base of the models whose discriminator sees only the example."""

    def play(self, batch: Batch, generator: torch.Generator) -> Play:
        return Play(real=(batch.target,), fake=(self.generator(self.noise(len(batch), generator)),))

    def discriminate(self, x: Tensor) -> Tensor:
        return self.discriminator(self.check(x)).float().squeeze(1)
