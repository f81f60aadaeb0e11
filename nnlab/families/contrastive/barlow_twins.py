"""Barlow twins: two views have the same code, and its coordinates are not correlated; no negatives."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from nnlab.config.constraints import AtLeast
from nnlab.data.spec import Batch, DataSpec
from nnlab.families.contrastive.base import NEAR, REMEDY, ContrastiveModel
from nnlab.families.contrastive.losses import redundancy
from nnlab.nn.bodies import Body
from nnlab.nn.mlp import Width


class BarlowTwins(ContrastiveModel):
    """Self-supervised learning by redundancy reduction (Zbontar et al. 2021, "Barlow twins").

    C = the correlations over a batch of the coordinates of z of one view with those of the other, (head_dim, head_dim). As in a
    batch normalisation 1e-5 is added to the variances
    loss = Σ_i (1 − C_ii)² + λ Σ_{i ≠ j} C_ij²

    The first sum makes both views alike, the second makes coordinates independent of each other: so the codes do not collapse,
    without negatives. Codes are f(x); the head g is not used after training.

    Figures:
    loss        invariance + λ · redundancy of a batch; in an evaluation the groups are as large as in training; lower is better
    invariance  Σ_i (1 − C_ii)²; lower is better
    redundancy  Σ_{i ≠ j} C_ij², without λ; lower is better

    body    f; its keys are model.body.KEY
    weight  λ
    head_hidden, head_dim  widths of g; head_hidden 0: as wide as the features
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        body: Body,
        weight: Annotated[float, AtLeast(0)] = 0.005,
        head_hidden: Annotated[int, AtLeast(0)] = 0,
        head_dim: Width = 256,
    ) -> None:
        super().__init__(spec, body, head_hidden, head_dim)
        self.weight = weight

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        alike, redundant = redundancy(*self.embedded(batch))
        terms = {"loss": alike + self.weight * redundant, "invariance": alike, "redundancy": redundant}
        return {name: value.expand(len(batch)) for name, value in terms.items()}

    def collapse(self, means: dict[str, float], batch_size: int) -> str:
        """What to do if all embeddings are one point: then all correlations are 0, and the invariance is head_dim."""
        width = self.head[-1].out_features
        return REMEDY if abs(means["invariance"] - width) < NEAR * width else ""
