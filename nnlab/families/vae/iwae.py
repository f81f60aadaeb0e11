"""The importance weighted autoencoder, a VAE with a tighter bound."""

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
    """A VAE with a tighter bound (Burda et al. 2016, "Importance weighted autoencoders").

    loss = −log 1/k Σᵢ wᵢ,  wᵢ = p(x, zᵢ)/q(zᵢ|x) with k codes zᵢ = μ + σεᵢ per image,  nats per image

    The bound E log 1/k Σ wᵢ on log p(x) rises with k; at k = 1 it is the ELBO. The ELBO's parts are recorded too: `kl`, and
    `reconstruction` of the same k codes.

    The encoder's gradient is the doubly reparameterized one (Tucker et al. 2019), Σ w̃ᵢ² ∂log wᵢ/∂zᵢ ∂zᵢ/∂φ with w̃ = w/Σw and
    a constant density q(z|x): it has the same expectation as the plain gradient of the bound, and less noise, if k is large.
    """

    def __init__(self, spec: DataSpec, *, k: Annotated[int, AtLeast(1)] = 5, **vae) -> None:
        super().__init__(spec, **vae)
        self.k = k

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        mean, log_variance = self.posterior(batch.input, batch.label)
        noise = torch.randn((len(batch), self.k, self.latent_dim), device=batch.input.device, generator=generator)
        z = torch.addcmul(mean[:, None], (0.5 * log_variance[:, None]).exp(), noise)
        reconstruction, divergence = self.weigh(batch, z, density(z, mean.detach()[:, None], log_variance.detach()[:, None]))
        log_w = -reconstruction - divergence
        if z.requires_grad:
            share = log_w.detach().softmax(1)[:, :, None]
            z.register_hook(lambda slope: share * slope)  # of ∂L/∂z = w̃ ∂log w/∂z
        bound = log_w.logsumexp(1) - log(self.k)
        return {"loss": -bound, "reconstruction": reconstruction.mean(1), "kl": gaussian_kl(mean, log_variance).sum(1)}


def density(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log N(z; μ, diag σ²) without its constant, (N, k)."""
    return -0.5 * ((z - mean).square() * (-log_variance).exp() + log_variance).sum(2)
