"""The vector-quantised autoencoder: its code is a grid of symbols with a learned prior."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast, Between, NonEmpty
from nnlab.data.feed import eval_batch_size
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.errors import ArgumentError
from nnlab.model import Latent, Model
from nnlab.model.data_init import set_output_mean
from nnlab.model.likelihood import likelihood_for
from nnlab.nn import likelihoods
from nnlab.nn.causal import CausalTransformer
from nnlab.nn.codebook import Codebook, perplexity
from nnlab.nn.conv import downsampling, spatial_sizes, upsampling
from nnlab.nn.mlp import ACTIVATIONS, Activation, Dropout, Width

Count = Annotated[int, AtLeast(1)]
FEW, SPARE = 100, 8  # the codebook's first vectors are drawn from at least this many images, and this many places per code


class VQVAE(Model):
    """An autoencoder whose code is a grid of symbols (van den Oord et al. 2017, "Neural discrete representation learning").

    z = f(x), (N, D, h, w); z of each place is replaced by the nearest e_k of K code vectors, so q(k|x) is 1 for one grid k.

    first stage   loss = −log p(x|e_k) + β Σ ‖z − sg(e_k)‖², nats per image, summed over the grid; sg stops the gradient
    straight through: the decoder's gradient at e_k is used at z. The code vectors follow by moving averages
    (`Codebook`), which replace the paper's term ‖sg(z) − e_k‖².
    second stage  loss = −log p(k), nats per image, by a causal transformer over the grid row by row (the paper's PixelCNN)

    Then −log p(x) ≤ −log p(x|e_k) − log p(k), k = k(x): a negative ELBO, whose KL is the second term.

    channels   of the encoder's layers; each halves the image; the decoder has them in reverse
    residual   blocks x + W s(V s(x)) at the size of the grid, in encoder and decoder
    """

    trainer = "nnlab.families.vae.vq_trainer:VQTrainer"
    distributes = True

    def __init__(
        self,
        spec: DataSpec,
        *,
        codes: Annotated[int, AtLeast(2)] = 256,
        code_dim: Width = 32,
        commitment: Annotated[float, AtLeast(0)] = 0.25,
        decay: Annotated[float, Between(0, 0.9999)] = 0.99,
        restart: Annotated[float, Between(0, 0.9)] = 0.1,
        channels: Annotated[list[Width], NonEmpty()] = (64, 128),
        residual: Annotated[int, AtLeast(0)] = 2,
        activation: Activation = "relu",
        likelihood: likelihoods.Choice = "auto",
        sigma: likelihoods.Sigma = "learned",
        prior_width: Width = 128,
        prior_layers: Count = 3,
        prior_heads: Count = 4,
        prior_dropout: Dropout = 0.1,
    ) -> None:
        super().__init__(spec)
        size = spatial_sizes(spec.shape, len(channels))
        self.grid = size[-1]
        self.places = self.grid[0] * self.grid[1]
        self.latent_dim = self.places * code_dim
        self.alphabet = codes
        self.commitment = commitment
        self.learns_prior = False  # whether this is the second stage
        self.likelihood = likelihood_for(spec, likelihood, sigma)
        self.encoder = encoder(spec, channels, residual, code_dim, activation)
        self.decoder = decoder(self.likelihood.n_params * spec.shape[0], channels, residual, code_dim, activation, size)
        self.codebook = Codebook(codes, code_dim, decay=decay, restart=restart)
        transformer = {"width": prior_width, "layers": prior_layers, "heads": prior_heads, "dropout": prior_dropout}
        try:
            self.prior = CausalTransformer(codes, self.places, **transformer)
        except ArgumentError as error:
            raise ArgumentError(f"prior_{error.argument}", error.problem) from error

    @torch.no_grad()
    def init_from_data(self, split: Split) -> None:
        """Start the decoder from the mean example, and the code vectors from encoder outputs of training images."""
        set_output_mean(self.decoder, split, self.likelihood.output_for)
        rows = split.spread(max(FEW, SPARE * len(self.codebook) // self.places))
        z = torch.cat([self.features(split.values(part)) for part in rows.split(eval_batch_size(split))])
        self.codebook.begin(z.flatten(0, 1))

    # -- the code -------------------------------------------------------------------------------------------------

    def features(self, x: Tensor) -> Tensor:
        """z (N, h·w, D), row by row of the grid."""
        return self.encoder(self.check(x)).float().flatten(2).mT

    def encode_indices(self, x: Tensor) -> Tensor:
        """k(x), (N, h·w) int64."""
        z = self.features(x)
        return self.codebook.nearest(z.flatten(0, 1)).view(z.shape[:2])

    def uses(self, x: Tensor) -> Tensor:
        """(K,) float32: how often each code is in the grids of inputs (N, *shape)."""
        return self.codebook.assigned(self.encode_indices(x).flatten()).sum(0)

    def output(self, vectors: Tensor) -> Tensor:
        """The input of the likelihood, for vectors (N, h·w, D)."""
        return self.decoder(vectors.mT.unflatten(2, self.grid)).float()

    def decode_indices(self, symbols: Tensor) -> Tensor:
        """The code vectors of grids (N, h·w), one after the other, (N, h·w·D)."""
        return self.codebook(symbols).flatten(1)

    def encode(self, x: Tensor) -> Tensor:
        """The code vectors of the grid, one after the other, (N, h·w·D)."""
        return self.decode_indices(self.encode_indices(x))

    def decode(self, z: Tensor) -> Tensor:
        """The means of p(x|z), (N, *shape), of any vectors (N, h·w·D), also between two codes."""
        return self.likelihood.mean(self.output(z.unflatten(1, (self.places, -1))))

    def reconstruct(self, x: Tensor) -> Tensor:
        """The means of p(x|e_k) for the grid k(x), (N, *shape)."""
        return self.decode(self.encode(x))

    # -- what is minimised ----------------------------------------------------------------------------------------

    def stages(self) -> tuple[str, ...]:
        """First the autoencoder, then the prior over its codes."""
        return ("autoencoder", "")

    def start_stage(self, stage: int) -> None:
        self.learns_prior = stage == 1

    def players(self) -> dict[str, list[nn.Module]]:
        return {"": [part for name, part in self.named_children() if (name == "prior") == self.learns_prior]}

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The loss of the stage."""
        return self.prior_loss(batch) if self.learns_prior else self.autoencoder_loss(batch, generator)

    def autoencoder_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The loss of the first stage; in training the code vectors follow. `perplexity` is that of the batch."""
        z = self.features(batch.input)
        index = self.codebook.nearest(z.detach().flatten(0, 1))
        e = self.codebook(index).view_as(z)
        distance = (z - e).square().flatten(1).sum(1)
        reconstruction = -self.likelihood.log_prob(self.output(straight_through(z, e)), batch.target)
        counts = self.codebook.assigned(index).sum(0)
        used = perplexity(self.world.sum(counts) if self.training else counts)
        if self.training:
            self.codebook.update(z.detach().flatten(0, 1), index, generator)
        return {
            "loss": reconstruction + self.commitment * distance,
            "reconstruction": reconstruction,
            "commitment": distance,
            "perplexity": used.expand(len(batch)),
        }

    def prior_loss(self, batch: Batch) -> dict[str, Tensor]:
        """−log p(k(x)), (N,) nats: the loss of the second stage. Encoder, codes and decoder do not change."""
        with torch.no_grad():
            symbols = self.encode_indices(batch.input)
        return {"loss": -self.prior.log_prob(symbols)}

    def bound(self, batch: Batch) -> dict[str, Tensor]:
        """`negative_elbo` = `reconstruction` + `kl`, each (N,) nats: −log p(x|e_k) and −log p(k)."""
        symbols = self.encode_indices(batch.input)
        output = self.output(self.codebook(symbols))
        reconstruction, kl = -self.likelihood.log_prob(output, batch.target), -self.prior.log_prob(symbols)
        return {"negative_elbo": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}

    def score(self, x: Tensor) -> Tensor:
        """−log p(x|e_k) − log p(k), nats, (N,): the negative ELBO."""
        return self.bound(Batch(x, x))["negative_elbo"]

    # -- what is drawn --------------------------------------------------------------------------------------------

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """The means of p(x|e_k) for grids k from the prior, (n, *shape); before the second stage the prior is uniform."""
        return self.decode(self.decode_indices(self.prior.sample(n, generator)))

    def latent(self, batches: Iterable[Batch]) -> Latent:
        """The mean and the standard deviation of the code vectors of the batches."""
        return Latent.of(torch.cat([self.encode(batch.input) for batch in batches]))


def straight_through(z: Tensor, e: Tensor) -> Tensor:
    """e, with its gradient passed to z (Bengio et al. 2013, "Estimating or propagating gradients …")."""
    return z + (e - z).detach()


class Residual(nn.Module):
    """x + W s(V s(x)): V of 3 × 3 to half the channels, W of 1 × 1 (He et al. 2016; the paper's blocks)."""

    def __init__(self, channels: int, activation: Activation) -> None:
        super().__init__()
        s, half = ACTIVATIONS[activation], max(1, channels // 2)
        self.change = nn.Sequential(s(), nn.Conv2d(channels, half, 3, padding=1), s(), nn.Conv2d(half, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """x + W s(V s(x)), of the shape of x (N, C, H, W)."""
        return x + self.change(x)


def encoder(spec: DataSpec, channels: list[int], residual: int, dim: int, activation: Activation) -> nn.Sequential:
    """(N, C, H, W) → (N, D, h, w)."""
    layers = downsampling([spec.shape[0], *channels], activation)
    blocks = [Residual(channels[-1], activation) for _ in range(residual)]
    return nn.Sequential(*layers[:-1], *blocks, ACTIVATIONS[activation](), nn.Conv2d(channels[-1], dim, 1))


def decoder(
    outputs: int, channels: list[int], residual: int, dim: int, activation: Activation, size: list[tuple[int, int]]
) -> nn.Sequential:
    """(N, D, h, w) → (N, outputs, H, W): the encoder's mirror image.

    size  (H, W) before and after each halving
    """
    widths = [*reversed(channels), outputs]
    blocks = [Residual(widths[0], activation) for _ in range(residual)]
    return nn.Sequential(nn.Conv2d(dim, widths[0], 3, padding=1), *blocks, *upsampling(widths, size, activation))
