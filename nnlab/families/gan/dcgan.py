"""The deep convolutional GAN."""

from __future__ import annotations

from nnlab.data.spec import DataSpec
from nnlab.families.gan.latent import ImageCritic, Prior
from nnlab.families.gan.networks import Channels, Normalization, chosen, conv_discriminator, conv_generator, with_spectral_norm
from nnlab.nn.mlp import Width


class DCGAN(ImageCritic):
    """The deep convolutional GAN (Radford et al. 2016, "Unsupervised representation learning with deep convolutional GANs").

    min_G max_D E log D(x) + E log(1 − D(G(z))),   z (latent_dim,) from the prior

    channels       of the discriminator's layers; each halves the image; the generator has them in reverse
    normalization  of the discriminator's layers; the generator always has batch normalisation
    spectral_norm  divide the discriminator's weights by their largest singular values (Miyato et al. 2018)
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        latent_dim: Width = 100,
        prior: Prior = "gaussian",
        channels: Channels = "auto",
        normalization: Normalization = "batch",
        spectral_norm: bool = False,
    ) -> None:
        widths = chosen(channels, spec)
        discriminator = conv_discriminator(spec, widths, normalization)
        super().__init__(
            spec,
            generator=conv_generator(spec, latent_dim, widths),
            discriminator=with_spectral_norm(discriminator) if spectral_norm else discriminator,
        )
        self.latent_dim, self.prior = latent_dim, prior
