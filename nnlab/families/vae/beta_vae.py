"""The β-VAE: it weights the KL, or keeps it near a capacity."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from nnlab.config.constraints import AtLeast
from nnlab.data.spec import Batch, DataSpec
from nnlab.errors import BadInput
from nnlab.families.vae.vae import VAE
from nnlab.nn.scheduled import Scheduled
from nnlab.nn.schedules import Constant, Schedule


class BetaVAE(VAE):
    """The VAE whose KL is weighted by β (Higgins et al. 2017, "beta-VAE: learning basic visual concepts with a constrained
    variational framework"), or kept near a capacity C (Burgess et al. 2018, "Understanding disentangling in β-VAE").

    loss = −E_q log p(x|z) + β |KL(q(z|x) ‖ N(0, I)) − C|, nats per image

    β rises linearly over `warmup` epochs, C rises to `capacity` over the whole run. With C = 0 the loss is that of
    Higgins et al., since the KL is never below 0; with β = 1 it is the VAE's. Validation and test metrics use the β and
    the C of the end of the run, so that epochs can be compared, and the best epoch is not the one with the smallest weight.

    capacity  nats per image; β is the second paper's γ
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        beta: Annotated[float, AtLeast(0)] = 4.0,
        warmup: Annotated[float, AtLeast(0)] = 0.0,
        capacity: Annotated[float, AtLeast(0)] = 0.0,
        **vae,
    ) -> None:
        super().__init__(spec, **vae)
        idle = [name for name, value in (("warmup", warmup), ("capacity", capacity)) if value and not beta]
        if idle:
            raise BadInput(*(f"model.{name}: has no effect with model.beta=0; leave one of them out" for name in idle))
        self.beta = Scheduled(beta, Constant(warmup=warmup))
        self.capacity = Scheduled(capacity, Rise())

    def weighted(
        self, batch: Batch, generator: torch.Generator, beta: Tensor | float, capacity: Tensor | float
    ) -> dict[str, Tensor]:
        """−log p(x|z) + β |KL − C| and its terms with these β and C, each (N,), nats."""
        terms = super().loss(batch, generator)
        return {**terms, "loss": terms["reconstruction"] + beta * (terms["kl"] - capacity).abs()}

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return self.weighted(batch, generator, self.beta.value, self.capacity.value)

    def final_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return self.weighted(batch, generator, self.beta.base, self.capacity.base)


class Rise(Schedule):
    """(t + 1)/T of update t, from 0."""

    def shape(self, step: float, total: float, per_epoch: int) -> float:
        return min((step + 1) / total, 1.0)
