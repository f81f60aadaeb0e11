"""The autoencoder with fully connected networks, the simplest model of the family."""

from __future__ import annotations

from nnlab.data.spec import DataSpec
from nnlab.families.ae.base import Autoencoder
from nnlab.nn.mlp import Activation, Width, mlp_decoder, mlp_encoder


class AE(Autoencoder):
    """The autoencoder with fully connected networks (Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data …").

    It is also the base of `stacked_ae`.

    hidden  widths of the encoder's layers; the decoder has them in reverse
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        hidden: list[Width] = (512, 256),
        latent_dim: Width = 16,
        activation: Activation = "silu",
        **autoencoder,
    ) -> None:
        encoder = mlp_encoder(spec.shape, hidden, latent_dim, activation)
        decoder = mlp_decoder(spec.shape, hidden, latent_dim, activation)
        super().__init__(spec, encoder, decoder, latent_dim=latent_dim, **autoencoder)
