"""The variational autoencoder with convolutional networks, for images."""

from __future__ import annotations

from typing import Annotated

from nnlab.config.constraints import NonEmpty
from nnlab.data.spec import DataSpec
from nnlab.families.vae.base import VariationalAutoencoder
from nnlab.nn.conv import conv_decoder, conv_encoder
from nnlab.nn.mlp import Activation, Width


class ConvVAE(VariationalAutoencoder):
    """The variational autoencoder with convolutional networks (Kingma & Welling 2014; layers after Radford et al. 2016).

    channels  of the encoder's layers; each halves the image; the decoder has them in reverse
    hidden    width of the fully connected layer before the code
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        channels: Annotated[list[Width], NonEmpty()] = (32, 64),
        hidden: Width = 256,
        activation: Activation = "silu",
        **variational,
    ) -> None:
        super().__init__(spec, **variational)
        self.encoder = conv_encoder(spec.shape, channels, hidden, 2 * self.latent_dim, activation)
        self.decoder = conv_decoder(spec.shape, channels, hidden, self.latent_dim, activation, self.likelihood.n_params)
