"""VAE and GAN together: the discriminator's features measure the reconstruction error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast
from nnlab.data.spec import Batch, DataSpec
from nnlab.families.gan.base import Answer, Play
from nnlab.families.gan.coded import WithEncoder
from nnlab.families.gan.latent import Prior
from nnlab.families.gan.networks import Channels, Normalization, chosen, conv_discriminator, conv_generator, conv_inverse
from nnlab.families.gan.objectives import Objective
from nnlab.model import Latent
from nnlab.nn.float64 import to_float64
from nnlab.nn.gaussian import gaussian_kl
from nnlab.nn.mlp import Width


class VAEGAN(WithEncoder):
    """VAE and GAN with one decoder (Larsen et al. 2016, "Autoencoding beyond pixels using a learned similarity metric").

    q(z|x) = N(μ(x), diag σ²(x));   x̃ = d(z) with z from q(z|x), x_p = d(z_p) with z_p from N(0, I)
    L_prior = KL(q(z|x) ‖ N(0, I)) and L_llike = −log N(D_l(x); D_l(x̃), I) + const = ½ ‖D_l(x) − D_l(x̃)‖², nats per image;
    D_l are the inputs of the discriminator's last layer

    the encoder minimises         L_prior + weight · L_llike
    the decoder minimises         γ · L_llike + the objective of D(x̃) and D(x_p)
    the discriminator separates x from x̃ and x_p

    weight         1 is the unit variance of the paper's features
    gamma          γ: weight of the reconstruction against the game
    channels       of the layers of discriminator and encoder; each halves the image; the decoder has them in reverse
    normalization  of the discriminator's layers; the other networks have batch normalisation
    """

    parts: ClassVar[tuple[str, ...]] = ("encoder", "decoder")
    maker: ClassVar[str] = "decoder"
    prior: Prior = "gaussian"

    def __init__(
        self,
        spec: DataSpec,
        *,
        latent_dim: Width = 32,
        weight: Annotated[float, AtLeast(0)] = 1.0,
        gamma: Annotated[float, AtLeast(0)] = 1e-3,
        channels: Channels = "auto",
        normalization: Normalization = "batch",
    ) -> None:
        widths = chosen(channels, spec)
        super().__init__(
            spec,
            encoder=conv_inverse(spec, 2 * latent_dim, widths),
            decoder=conv_generator(spec, latent_dim, widths),
            discriminator=conv_discriminator(spec, widths, normalization),
        )
        self.latent_dim, self.weight, self.gamma = latent_dim, weight, gamma

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "encoder": [self.encoder], "decoder": [self.decoder]}

    def play(self, batch: Batch, generator: torch.Generator) -> Play:
        mean, log_variance = posterior(self.encoder, self.check(batch.target))
        noise = torch.randn(mean.shape, device=mean.device, generator=generator)
        z = torch.addcmul(mean, (0.5 * log_variance).exp(), noise)
        both = self.decoder(torch.cat([z, self.noise(len(batch), generator)]))
        return Play(real=(batch.target,), fake=(both,), kept={"mean": mean, "log_variance": log_variance})

    def features(self, x: Tensor) -> Tensor:
        """D_l(x), (N, features)."""
        return self.discriminator[:-1](self.check(x))

    def decide(self, features: Tensor) -> Tensor:
        """D, (N,), of features D_l(x), (N, features)."""
        return self.discriminator[-1](features).float().squeeze(1)

    def discriminate(self, x: Tensor) -> Tensor:
        return self.decide(self.features(x))

    def answer(self, play: Play, objective: Objective) -> Answer:
        """Of encoder and decoder.

        Figures:
        kl             KL(q(z|x) ‖ N(0, I)), nats per image
        feature_error  ½ ‖D_l(x) − D_l(x̃)‖², the reconstruction's error in the discriminator's features, nats per image
        """
        (real,), (both,) = play.real, play.fake
        seen = self.features(both)
        with torch.no_grad():
            wanted = self.features(real)
        game_loss = objective.generator(self.decide(seen)).mean()
        likeness = 0.5 * (seen[: len(real)].float() - wanted.float()).square().sum(1).mean()
        kl = gaussian_kl(play.kept["mean"], play.kept["log_variance"]).sum(1).mean()
        return Answer(
            {"encoder": kl + self.weight * likeness, "decoder": self.gamma * likeness + game_loss},
            {"kl": kl, "feature_error": likeness, "generator_loss": game_loss},
        )

    def encode(self, x: Tensor) -> Tensor:
        """The posterior means (N, latent_dim), by the averages."""
        return self.posterior(x)[0]

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """μ and log σ² of q(z|x), each (N, latent_dim), by the averages."""
        return posterior(self.averaged["encoder"], self.check(x))

    def latent(self, batches: Iterable[Batch]) -> Latent:
        """The prior, and the mean KL of each coordinate over the batches."""
        kl = torch.cat([gaussian_kl(*self.posterior(batch.input)) for batch in batches])
        zero = torch.zeros_like(kl[0])
        return Latent(mean=zero, std=zero + 1, kl=to_float64(kl).mean(0).float().to(kl.device))


def posterior(encoder: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """μ and log σ² of q(z|x), each (N, latent_dim), float32, of inputs x (N, *shape)."""
    mean, log_variance = encoder(x).float().chunk(2, dim=1)
    return mean, log_variance
