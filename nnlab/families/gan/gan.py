"""The fully connected GAN, the simplest game of the family."""

from __future__ import annotations

from torch import nn

from nnlab.data.spec import DataSpec
from nnlab.families.gan.latent import ImageCritic, Prior
from nnlab.families.gan.networks import Standardize, mlp_discriminator, mlp_generator
from nnlab.nn.mlp import Width


class GAN(ImageCritic):
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
        discriminator = nn.Sequential(Standardize(spec), mlp_discriminator(spec.features, hidden))
        super().__init__(spec, generator=mlp_generator(spec, latent_dim, hidden), discriminator=discriminator)
        self.latent_dim, self.prior = latent_dim, prior
