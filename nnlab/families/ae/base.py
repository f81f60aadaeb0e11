"""The base of the autoencoders: an encoder, a decoder and the squared error between input and output."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.model import Latent, Model
from nnlab.model.data_init import set_output_mean
from nnlab.nn.mlp import Width


class Autoencoder(Model):
    """x̂ = g(f(x̃)): a short code keeps what it can of the data (Hinton & Salakhutdinov 2006).

    loss = Σ (x̂ − x)², the squared error summed over the image, where x is clean and x̃ is x with the noise

    encoder  f: (N, *shape) → (N, latent_dim)
    decoder  (N, latent_dim) → (N, *shape); if the data lie within [0, 1], g ends with a sigmoid
    """

    trainer = "nnlab.families.ae.trainer:AutoencoderTrainer"
    distributes = True

    def __init__(
        self,
        spec: DataSpec,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        latent_dim: Width = 16,
    ) -> None:
        super().__init__(spec)
        self.latent_dim = latent_dim
        self.encoder = encoder
        self.decoder = decoder

    def init_from_data(self, split: Split) -> None:
        set_output_mean(self.decoder, split, self._output_for)

    @property
    def _squashes(self) -> bool:
        return self.spec.in_unit_interval

    def encode(self, x: Tensor) -> Tensor:
        """f(x), (N, latent_dim)."""
        return self.encoder(self.check(x)).float()

    def decode(self, z: Tensor) -> Tensor:
        """g(z), (N, *shape)."""
        return self._squashed(self.decoder(z).float())

    def _squashed(self, output: Tensor) -> Tensor:
        return output.sigmoid() if self._squashes else output

    def _output_for(self, mean: Tensor) -> Tensor:
        """The output that becomes this mean; kept away from 0 and 1, where the gradient is 0."""
        return mean.clamp(0.01, 0.99).logit() if self._squashes else mean

    def reconstruct(self, x: Tensor) -> Tensor:
        """x̂ = g(f(x)), (N, *shape)."""
        return self.decode(self.encode(x))

    def score(self, x: Tensor) -> Tensor:
        """Σ (x̂ − x)², (N,): the reconstruction error."""
        return (self.reconstruct(x) - x).square().flatten(1).sum(1)

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        error = self.reconstruct(batch.input) - batch.target
        return {"loss": error.square().flatten(1).sum(1)}

    def latent(self, batches: Iterable[Batch]) -> Latent:
        """The mean and the standard deviation of the codes of the batches."""
        return Latent.of(torch.cat([self.encode(batch.input) for batch in batches]))
