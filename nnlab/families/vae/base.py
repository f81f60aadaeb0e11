from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nnlab.data.dataset import Split
from nnlab.data.spec import Batch, DataSpec
from nnlab.model import Latent, Model
from nnlab.nn import likelihoods
from nnlab.nn.gaussian import gaussian_kl
from nnlab.nn.mlp import Width
from nnlab.nn.precise import doubled
from nnlab.nn.start import set_output_mean


class Elbo(NamedTuple):
    reconstruction: Tensor  # (N,) −log p(x|z), nats
    kl: Tensor  # (N, latent_dim), nats


class VariationalAutoencoder(Model):
    """A latent-variable model p(x, z) = p(x|z) N(z; 0, I) with a recognition network (Kingma & Welling 2014).

    q(z|x) = N(μ(x), diag σ²(x)), where the encoder gives [μ, log σ²]
    loss = −E_q log p(x|z) + KL(q(z|x) ‖ N(0, I)), nats an image: the negative ELBO, with one z = μ + σε an image

    encoder  (N, *shape) → (N, 2·latent_dim)
    decoder  (N, latent_dim) → (N, *shape), the output that `likelihood` reads
    """

    trainer = "nnlab.families.vae.trainer:VAETrainer"

    def __init__(
        self,
        spec: DataSpec,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        latent_dim: Width = 16,
        likelihood: likelihoods.Choice = "auto",
    ) -> None:
        super().__init__(spec)
        self.latent_dim = latent_dim
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihoods.likelihood(likelihood, spec)

    def start(self, split: Split) -> None:
        set_output_mean(self.decoder, split, self.likelihood.output_for)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """μ and log σ² of q(z|x), each (N, latent_dim)."""
        mean, log_variance = self.encoder(self.check(x)).float().chunk(2, dim=1)
        return mean, log_variance

    def elbo(self, batch: Batch, generator: torch.Generator) -> Elbo:
        mean, log_variance = self.posterior(batch.input)
        noise = torch.randn(mean.shape, device=mean.device, generator=generator)
        z = torch.addcmul(mean, (0.5 * log_variance).exp(), noise)
        reconstruction = -self.likelihood.log_prob(self.decoder(z).float(), batch.target)
        return Elbo(reconstruction, gaussian_kl(mean, log_variance))

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        reconstruction, kl = self.elbo(batch, generator)
        kl = kl.sum(1)
        return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}

    def encode(self, x: Tensor) -> Tensor:
        """The posterior means (N, latent_dim)."""
        return self.posterior(x)[0]

    def decode(self, z: Tensor) -> Tensor:
        """The means of p(x|z), (N, *shape)."""
        return self.likelihood.mean(self.decoder(z).float())

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))

    def score(self, x: Tensor) -> Tensor:
        """−log p(x|z = μ(x)) + KL(q(z|x) ‖ N(0, I)), nats, (N,): the negative ELBO with the posterior's mean for its sample."""
        mean, log_variance = self.posterior(x)
        reconstruction = -self.likelihood.log_prob(self.decoder(mean).float(), x)
        return reconstruction + gaussian_kl(mean, log_variance).sum(1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """The means of p(x|z) for z from the prior, (n, *shape)."""
        device = next(self.parameters()).device
        return self.decode(torch.randn((n, self.latent_dim), device=device, generator=generator))

    def latent(self, batches: Iterable[Batch]) -> Latent:
        """The prior, and the mean KL of each coordinate over the batches."""
        kl = torch.cat([gaussian_kl(*self.posterior(batch.input)) for batch in batches])
        zero = torch.zeros_like(kl[0])
        return Latent(mean=zero, std=zero + 1, kl=doubled(kl).mean(0).float().to(kl.device))
