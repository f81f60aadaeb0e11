"""The linear autoencoder, which learns by gradient the same subspace as PCA."""

from __future__ import annotations

import torch
from torch import nn

from nnlab.data.spec import DataSpec
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.families.ae.base import Autoencoder
from nnlab.model.data_init import mean_of
from nnlab.nn.mlp import Width


class LinearAE(Autoencoder):
    """Two linear layers, trained by gradient (Baldi & Hornik 1989, "Neural networks and principal component analysis").

    z = V x + a,   x̂ = U z + c

    loss = Σ (x̂ − x)². Its only minimum is the projection x̂ = μ + P (x − μ) onto the plane of the first k principal
    components, and every other stationary point is a saddle. The plane is unique; z is unique up to a linear map.

    It starts at the mean μ of the data: V has orthonormal rows, a = −V μ, U = 0, c = μ.
    """

    trainer = "nnlab.families.ae.trainer:LinearTrainer"
    _squashes = False  # g is linear for any range of the data

    def __init__(self, spec: DataSpec, *, latent_dim: Width = 16) -> None:
        if latent_dim > spec.features:
            raise BadInput(f"model.latent_dim: {latent_dim} numbers to hold {spec.features} features")
        forth, back = nn.Linear(spec.features, latent_dim), nn.Linear(latent_dim, spec.features)
        nn.init.orthogonal_(forth.weight)
        nn.init.zeros_(back.weight)
        nn.init.zeros_(back.bias)
        encoder, decoder = nn.Sequential(nn.Flatten(), forth), nn.Sequential(back, nn.Unflatten(1, spec.shape))
        super().__init__(spec, encoder, decoder, latent_dim=latent_dim)

    @torch.no_grad()
    def init_from_data(self, split: Split) -> None:
        mean = mean_of(split).flatten()
        forth, back = self.encoder[1], self.decoder[0]
        forth.bias.copy_(-forth.weight @ mean)
        back.bias.copy_(mean)
