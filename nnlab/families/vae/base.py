"""The base of the variational autoencoders: the ELBO, its two terms and the samples for importance weighting."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.model import Latent, Model
from nnlab.model.data_init import set_output_mean
from nnlab.model.likelihood import likelihood_for
from nnlab.nn import likelihoods
from nnlab.nn.float64 import to_float64
from nnlab.nn.gaussian import gaussian_kl
from nnlab.nn.mlp import Width


class Elbo(NamedTuple):
    """The two terms of the negative ELBO, with one z per image."""

    reconstruction: Tensor  # (N,) −log p(x|z), nats
    kl: Tensor  # (N, latent_dim), nats


class Drawn(NamedTuple):
    """log p(x, z) − log q(z|x) for k codes per image, in two parts, each (N, k), nats."""

    reconstruction: Tensor  # −log p(x|z)
    divergence: Tensor  # log q(z|x) − log N(z; 0, I), whose expectation is the KL


class Variational(Model):
    """A latent-variable model p(x, z) = p(x|z) N(z; 0, I) with a recognition network (Kingma & Welling 2014).

    q(z|x) = N(μ(x), diag σ²(x)), where the encoder gives [μ, log σ²]
    loss = −E_q log p(x|z) + KL(q(z|x) ‖ N(0, I)), nats per image: the negative ELBO, with one z = μ + σε per image

    A subclass builds the two networks. Labels (N,) are for models with p(x|z, y) and q(z|x, y); other models ignore them.

    encoder  (N, *shape) → (N, 2·latent_dim)
    decoder  (N, latent_dim) → (N, n_params · C, …), the input of `likelihood`
    sigma    of a Gaussian likelihood
    """

    trainer = "nnlab.families.vae.trainer:VAETrainer"
    distributes = True
    k: int = 1
    """Codes per image in the loss."""
    encoder: nn.Module
    decoder: nn.Module

    def __init__(
        self,
        spec: DataSpec,
        *,
        latent_dim: Width = 16,
        likelihood: likelihoods.Choice = "auto",
        sigma: likelihoods.Sigma = "learned",
    ) -> None:
        super().__init__(spec)
        self.latent_dim = latent_dim
        self.likelihood = likelihood_for(spec, likelihood, sigma)

    def init_from_data(self, split: Split) -> None:
        set_output_mean(self.decoder, split, self.likelihood.output_for)

    def posterior(self, x: Tensor, label: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """μ and log σ² of q(z|x), each (N, latent_dim)."""
        mean, log_variance = self.encoder(self.check(x)).float().chunk(2, dim=1)
        return mean, log_variance

    def output(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """The parameters of p(x|z), for codes (N, latent_dim)."""
        return self.decoder(z).float()

    def elbo(self, batch: Batch, generator: torch.Generator) -> Elbo:
        """−log p(x|z) for one z from q(z|x), (N,), and the KL of each coordinate, (N, latent_dim), nats."""
        mean, log_variance = self.posterior(batch.input, batch.label)
        noise = torch.randn(mean.shape, device=mean.device, generator=generator)
        z = torch.addcmul(mean, (0.5 * log_variance).exp(), noise)
        reconstruction = -self.likelihood.log_prob(self.output(z, batch.label), batch.target)
        return Elbo(reconstruction, gaussian_kl(mean, log_variance))

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        reconstruction, kl = self.elbo(batch, generator)
        kl = kl.sum(1)
        return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}

    def final_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The loss and its terms with the weights at the end of the run, so that epochs can be compared."""
        return self.loss(batch, generator)

    def draw(self, batch: Batch, posterior: tuple[Tensor, Tensor], noise: Tensor) -> Drawn:
        """The importance weights of k codes z = μ + σε per image, with ε (N, k, latent_dim) from N(0, I)."""
        mean, log_variance = (part[:, None] for part in posterior)
        z = torch.addcmul(mean, (0.5 * log_variance).exp(), noise)
        return self.weigh(batch, z, -0.5 * (noise.square() + log_variance).sum(2))

    def weigh(self, batch: Batch, z: Tensor, log_q: Tensor) -> Drawn:
        """The same for codes z (N, k, latent_dim) and log q(z|x), (N, k), without the constant that N(z; 0, I) also has."""
        k = z.shape[1]
        label = None if batch.label is None else batch.label.repeat_interleave(k)
        x = batch.target[:, None].expand(-1, k, *self.spec.shape).flatten(0, 1)  # no copy for one image
        log_prob = self.likelihood.log_prob(self.output(z.flatten(0, 1), label), x)
        return Drawn(-log_prob.unflatten(0, (-1, k)), log_q + 0.5 * z.square().sum(2))

    def negative_elbo(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """−log p(x|z = μ(x)) + KL(q(z|x) ‖ N(0, I)), nats, (N,): z is the posterior's mean."""
        mean, log_variance = self.posterior(x, label)
        reconstruction = -self.likelihood.log_prob(self.output(mean, label), x)
        return reconstruction + gaussian_kl(mean, log_variance).sum(1)

    def rebuilt(self, batch: Batch) -> Tensor:
        """The means of p(x|z) for the posterior's means z of the inputs, (N, *shape); a `cvae` also gets their labels."""
        mean, _ = self.posterior(batch.input, batch.label)
        return self.likelihood.mean(self.output(mean, batch.label))

    def kl(self, batches: Iterable[Batch]) -> Tensor:
        """(latent_dim,) the mean KL of each coordinate over the batches, nats."""
        kl = torch.cat([gaussian_kl(*self.posterior(batch.input, batch.label)) for batch in batches])
        return to_float64(kl).mean(0).float().to(kl.device)

    def prior(self, n: int, generator: torch.Generator | None) -> Tensor:
        """(n, latent_dim) from N(0, I)."""
        return torch.randn((n, self.latent_dim), device=next(self.parameters()).device, generator=generator)


class VariationalAutoencoder(Variational):
    """A variational model whose images depend only on their codes: it encodes and decodes."""

    def encode(self, x: Tensor) -> Tensor:
        """The posterior means (N, latent_dim)."""
        return self.posterior(x)[0]

    def decode(self, z: Tensor) -> Tensor:
        """The means of p(x|z), (N, *shape)."""
        return self.likelihood.mean(self.output(z))

    def reconstruct(self, x: Tensor) -> Tensor:
        """The means of p(x|z) for the posterior's mean z = μ(x), (N, *shape)."""
        return self.decode(self.encode(x))

    def score(self, x: Tensor) -> Tensor:
        """−log p(x|z = μ(x)) + KL(q(z|x) ‖ N(0, I)), nats, (N,): the negative ELBO at the posterior's mean."""
        return self.negative_elbo(x)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """The means of p(x|z) for z from the prior, (n, *shape)."""
        return self.decode(self.prior(n, generator))

    def latent(self, batches: Iterable[Batch]) -> Latent:
        """The prior, and the mean KL of each coordinate over the batches."""
        kl = self.kl(batches)
        return Latent(mean=torch.zeros_like(kl), std=torch.ones_like(kl), kl=kl)
