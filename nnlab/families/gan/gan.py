from __future__ import annotations

import torch
from torch import Tensor, nn

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.gan.base import Play
from nnlab.families.gan.latent import FromNoise, Prior
from nnlab.families.gan.networks import Centre, mlp_discriminator, mlp_generator
from nnlab.nn.mlp import Width


class GAN(FromNoise):
    """The generative adversarial network (Goodfellow et al. 2014, "Generative adversarial nets"), fully connected.

    min_G max_D E log D(x) + E log(1 − D(G(z))),   z (latent_dim,) from the prior

    hidden  widths of the discriminator's layers; the generator has them in reverse, with batch normalisation
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        latent_dim: Width = 64,
        prior: Prior = "gaussian",
        hidden: list[Width] = (512, 256),
    ) -> None:
        discriminator = nn.Sequential(Centre(spec), mlp_discriminator(spec.features, hidden))
        super().__init__(spec, generator=mlp_generator(spec, latent_dim, hidden), discriminator=discriminator)
        self.latent_dim, self.prior = latent_dim, prior

    def play(self, batch: Batch, generator: torch.Generator) -> Play:
        return Play(real=(batch.target,), fake=(self.generator(self.noise(len(batch), generator)),))

    def discriminate(self, x: Tensor) -> Tensor:
        return self.discriminator(self.check(x)).float().squeeze(1)
