"""The codes that stand for the noise, where an encoder finds them."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from nnlab.data.spec import Batch
from nnlab.families.gan.latent import LatentPrior, Prior
from nnlab.latent.codes import moments
from nnlab.model import Latent


class WithEncoder(LatentPrior):
    """Base of those that have an encoder, too, z = E(x)."""

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
    """What ends an encoder, so that its codes lie where the prior's draws do."""
    return [nn.Tanh()] if prior == "uniform" else []
