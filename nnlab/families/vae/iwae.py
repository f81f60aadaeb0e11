from __future__ import annotations

from math import log
from typing import Annotated

import torch
from torch import Tensor

from nnlab.config.constraints import AtLeast
from nnlab.data.spec import Batch, DataSpec
from nnlab.families.vae.vae import VAE
from nnlab.nn.gaussian import gaussian_kl


class IWAE(VAE):
    """The VAE that learns by a tighter bound (Burda et al. 2016, "Importance weighted autoencoders").

    loss = −log 1/k Σᵢ wᵢ,  wᵢ = p(x, zᵢ)/q(zᵢ|x) of k codes zᵢ = μ + σεᵢ an image,  nats an image

    The bound E log 1/k Σ wᵢ on log p(x) rises with k, from the ELBO at k = 1. Beside it stand the ELBO's parts: `kl`, and
    `reconstruction` of the same k codes.
    """

    def __init__(self, spec: DataSpec, *, k: Annotated[int, AtLeast(1)] = 5, **vae) -> None:
        super().__init__(spec, **vae)
        self.k = k

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        posterior = self.posterior(batch.input, batch.label)
        noise = torch.randn((len(batch), self.k, self.latent_dim), device=batch.input.device, generator=generator)
        reconstruction, divergence = self.draw(batch, posterior, noise)
        bound = (-reconstruction - divergence).logsumexp(1) - log(self.k)
        return {"loss": -bound, "reconstruction": reconstruction.mean(1), "kl": gaussian_kl(*posterior).sum(1)}
