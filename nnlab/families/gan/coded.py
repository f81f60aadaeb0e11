"""Codes of examples in the games that learn an encoder."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from nnlab.data.spec import Batch
from nnlab.families.gan.latent import LatentPrior, Prior
from nnlab.latent.codes import moments
from nnlab.model import Latent


class WithEncoder(LatentPrior):
    """Base of the models that also have an encoder, z = E(x)."""

    def encode(self, x: Tensor) -> Tensor:
        """E(x), (N, latent_dim), by the averages."""
        return self.averaged["encoder"](self.check(x)).float()

    def reconstruct(self, x: Tensor) -> Tensor:
        """G(E(x)), (N, *shape), by the averages."""
        return self.decode(self.encode(x))

    def latent(self, batches: Iterable[Batch]) -> Latent:
        """The mean and the standard deviation of the codes of the batches."""
        return Latent(*moments(self, batches))


def output_activation(prior: Prior) -> list[nn.Module]:
    """The last layer of an encoder, so that its codes have the range of the prior."""
    return [nn.Tanh()] if prior == "uniform" else []
