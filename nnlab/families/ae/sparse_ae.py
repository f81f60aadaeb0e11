"""The sparse autoencoder, which penalises active units, and its decoder of unit-length atoms."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast, Between
from nnlab.data.spec import Batch, DataSpec
from nnlab.errors import BadInput
from nnlab.families.ae.base import Autoencoder
from nnlab.families.ae.pictures import decomposition_picture, dictionary_picture
from nnlab.model import Mean, Metric
from nnlab.nn.float64 import to_float64
from nnlab.nn.mlp import Activation, Width, mlp_encoder
from nnlab.nn.world import World

Penalty = Literal["l1", "l2", "kl"]
RATE = 0.05  # of `kl`, if none is given
ACTIVE = 0.1  # a unit is active if it changes the image by at least this much


class SparseAE(Autoencoder):
    """The image as a sum of a few out of many atoms (Olshausen & Field 1996; Ng 2011, "Sparse autoencoder").

    h = s(f(x − c)) ≥ 0,   x̂ = c + Σ_j h_j d_j,   ‖d_j‖ = 1

    loss = Σ (x̂ − x)² + weight · ω(h),   x clean, summed over the image
    l1  ω = Σ_j h_j                            s = relu
    l2  ω = Σ_j h_j²                           s = relu
    kl  ω = Σ_j KL(ρ ‖ ρ̂_j), nats              s = σ, ρ̂_j the mean of h_j over the batch, ρ the target rate

    The atoms d_j are the decoder's columns, and have length 1. Otherwise small codes with long atoms would make the penalty
    small, and the code would not be sparse. `latent_dim` may be larger than the length of x.

    f reads x − c, and c starts as the data's mean (as in Bricken et al. 2023, "Towards monosemanticity"). With f(x), nine
    units in ten are never active again, since the part that all images share dominates each step.

    hidden  widths of f's layers; [] is one linear map
    target  ρ; only for `kl`; None is 0.05

    Figures:
    reconstruction  squared error Σ (x̂ − x)², summed over an image
    penalty         ω(h), multiplied by model.weight in the loss: Σ h, Σ h², or the KL of mean activities from the target
    active_units    share of the units that change the image by 0.1 or more
    """

    _squashes = False  # a sum of atoms, for any range of the data

    def __init__(
        self,
        spec: DataSpec,
        *,
        hidden: list[Width] = (),
        latent_dim: Width = 1024,
        activation: Activation = "relu",
        penalty: Penalty = "l1",
        weight: Annotated[float, AtLeast(0)] = 0.3,
        target: Annotated[float, Between(0.001, 0.999)] | None = None,
    ) -> None:
        if target is not None and penalty != "kl":
            raise BadInput(f"model.target: {penalty} has no target rate; leave it none, or use model.penalty=kl")
        rates = penalty == "kl"
        encoder = mlp_encoder(spec.shape, hidden, latent_dim, activation).append(nn.Sigmoid() if rates else nn.ReLU())
        decoder = nn.Sequential(Atoms(latent_dim, spec.features), nn.Unflatten(1, spec.shape))
        super().__init__(spec, encoder, decoder, latent_dim=latent_dim)
        self.penalty, self.weight = penalty, weight
        self.target = RATE if target is None else target
        if rates:  # each unit starts at the target rate
            nn.init.constant_(encoder[-2].bias, torch.tensor(self.target).logit().item())

    def encode(self, x: Tensor) -> Tensor:
        """h, (N, latent_dim)."""
        return self.encoder(self.check(x) - self.constant).float()

    @property
    def constant(self) -> Tensor:
        """c, (*shape)."""
        return self.decoder[0].bias.view(self.spec.shape)

    @property
    def atoms(self) -> Tensor:
        """d, (latent_dim, *shape)."""
        return self.decoder[0].columns.T.unflatten(1, self.spec.shape)

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        code = self.encode(batch.input)
        reconstruction = (self.decode(code) - batch.target).square().flatten(1).sum(1)
        penalty = self.omega(code)
        return {"loss": reconstruction + self.weight * penalty, "reconstruction": reconstruction, "penalty": penalty}

    def omega(self, code: Tensor) -> Tensor:
        """ω(h), (N,), of codes (N, latent_dim); for `kl` the same for each code, since it belongs to the batch."""
        if self.penalty == "l1":
            return code.sum(1)
        if self.penalty == "l2":
            return code.square().sum(1)
        mean = self.world.mean(code.mean(0)) if self.training else code.mean(0)
        return bernoulli_kl(self.target, mean).sum().expand(len(code))

    def metrics(self) -> list[Metric]:
        """The share of active units; for `kl` also the penalty, of the mean activities over the split."""
        active = Mean("active_units", lambda batch, _: self.active(self.encode(batch.input)))
        return [active, SplitPenalty(self), SplitLoss(self)] if self.penalty == "kl" else [active]

    def pictures(self, few: Batch, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
        """The dictionary, and images as sums of their atoms; of a table none."""
        if self.spec.kind == "table":
            return {}
        codes = torch.cat([self.encode(batch.input) for batch in batches])
        return {"dictionary": dictionary_picture(self, codes), "decomposition": decomposition_picture(self, few)}

    def active(self, code: Tensor) -> Tensor:
        """(N,) the share of units whose atom changes the image by 0.1 or more, of codes (N, latent_dim)."""
        return (code >= ACTIVE).float().mean(1)


class SplitPenalty(Metric):
    """ω of the mean activities over a split; it is not a mean over batches."""

    sums = ("activity", "count")

    def __init__(self, model: SparseAE, name: str = "penalty", direction: Literal["lower"] | None = None) -> None:
        super().__init__(name, unit="nats", direction=direction)
        self.model = model
        self.activity: Tensor | float = 0.0
        self.count = 0

    def update(self, batch: Batch, generator: torch.Generator) -> None:
        """Add the activities of a batch, in float64."""
        self.activity = self.activity + to_float64(self.model.encode(batch.input)).sum(0)
        self.count += len(batch)

    def compute(self) -> float:
        """ω(Σ h / N)."""
        return self.model.omega((self.activity / self.count)[None]).item()


class SplitLoss(SplitPenalty):
    """The reconstruction error per example, and the weighted penalty of the mean activities over a split."""

    def __init__(self, model: SparseAE) -> None:
        super().__init__(model, "loss", "lower")
        self.reconstruction = Mean("reconstruction", lambda batch, generator: model.loss(batch, generator)["reconstruction"])

    def update(self, batch: Batch, generator: torch.Generator) -> None:
        """Add the activities and the errors of a batch."""
        super().update(batch, generator)
        self.reconstruction.update(batch, generator)

    def merge(self, world: World) -> None:
        """Add the activities and the errors of the other processes."""
        super().merge(world)
        self.reconstruction.merge(world)

    def compute(self) -> float:
        """Σ ‖x̂ − x‖² / N + weight · ω(Σ h / N)."""
        return self.reconstruction.compute() + self.model.weight * super().compute()


class Atoms(nn.Linear):
    """c + Σ_j h_j w_j/‖w_j‖, of the weight's columns w_j."""

    @property
    def columns(self) -> Tensor:
        """w_j/‖w_j‖, the columns of a matrix (features, latent_dim)."""
        return F.normalize(self.weight, dim=0)

    def forward(self, code: Tensor) -> Tensor:
        """(N, features) of codes h (N, latent_dim)."""
        return F.linear(code, self.columns, self.bias)


def bernoulli_kl(rate: float, mean: Tensor) -> Tensor:
    """KL(Bernoulli(ρ) ‖ Bernoulli(ρ̂)) = ρ log ρ/ρ̂ + (1 − ρ) log (1 − ρ)/(1 − ρ̂), elementwise, nats."""
    mean = mean.clamp(1e-6, 1 - 1e-6)  # for a unit that is never active in a batch the KL is infinite
    return rate * (rate / mean).log() + (1 - rate) * ((1 - rate) / (1 - mean)).log()
