"""The variational autoencoder with fully connected networks, the simplest model of the family."""

from __future__ import annotations

from nnlab.data.spec import DataSpec
from nnlab.families.vae.base import VariationalAutoencoder
from nnlab.nn.mlp import Activation, Width, mlp_decoder, mlp_encoder


class VAE(VariationalAutoencoder):
    """The variational autoencoder with fully connected networks (Kingma & Welling 2014, "Auto-encoding variational Bayes").

    hidden  widths of the encoder's layers; the decoder has them in reverse
    """

    def __init__(
        self, spec: DataSpec, *, hidden: list[Width] = (1024, 512), activation: Activation = "silu", **variational
    ) -> None:
        super().__init__(spec, **variational)
        self.encoder = mlp_encoder(spec.shape, hidden, 2 * self.latent_dim, activation)
        self.decoder = mlp_decoder(spec.shape, hidden, self.latent_dim, activation, self.likelihood.n_params)
