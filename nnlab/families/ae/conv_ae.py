"""The autoencoder with convolutional networks, for images."""

from __future__ import annotations

from typing import Annotated

from nnlab.config.constraints import NonEmpty
from nnlab.data.spec import DataSpec
from nnlab.families.ae.base import Autoencoder
from nnlab.nn.conv import conv_decoder, conv_encoder
from nnlab.nn.mlp import Activation, Width


class ConvAE(Autoencoder):
    """The autoencoder with convolutional networks (Masci et al. 2011, "Stacked convolutional auto-encoders …").

    channels  of the encoder's layers; each halves the image; the decoder has them in reverse
    hidden    width of the fully connected layer before the code
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        channels: Annotated[list[Width], NonEmpty()] = (32, 64),
        hidden: Width = 256,
        latent_dim: Width = 16,
        activation: Activation = "silu",
        **autoencoder,
    ) -> None:
        encoder = conv_encoder(spec.shape, channels, hidden, latent_dim, activation)
        decoder = conv_decoder(spec.shape, channels, hidden, latent_dim, activation)
        super().__init__(spec, encoder, decoder, latent_dim=latent_dim, **autoencoder)
