"""The codes that stand for the noise, where an encoder finds them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from nnlab.data.spec import Batch
from nnlab.families.gan.latent import FromNoise, Prior
from nnlab.model import Latent
from nnlab.nn.precise import doubled


class Coded(FromNoise):
    """Base of those that have an encoder, too, z = E(x)."""

    def encode(self, x: Tensor) -> Tensor:
        """E(x), (N, latent_dim), by the averages."""
        return self.averaged["encoder"](self.check(x)).float()

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))

    def latent(self, batches: Iterable[Batch]) -> Latent:
        """The mean and the standard deviation of the codes of the batches."""
        codes = torch.cat([self.encode(batch.input) for batch in batches])
        exact = doubled(codes)
        mean, std = (figure.float().to(codes.device) for figure in (exact.mean(0), exact.std(0, correction=0)))
        return Latent(mean, std)


def within(prior: Prior) -> list[nn.Module]:
    """What ends an encoder, so that its codes lie where the prior's draws do."""
    return [nn.Tanh()] if prior == "uniform" else []
