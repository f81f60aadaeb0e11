"""SimCLR: two views of an image are to be nearer to each other than to views of other images."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from nnlab.config.constraints import AtLeast, MoreThan
from nnlab.data.spec import Batch, DataSpec
from nnlab.families.contrastive.base import ContrastiveModel
from nnlab.families.contrastive.losses import nt_xent
from nnlab.nn.bodies import Body
from nnlab.nn.mlp import Width


class SimCLR(ContrastiveModel):
    """A simple framework for contrastive learning of visual representations (Chen et al. 2020).

    z = g(f(x)) of two augmented views of each of N examples
    ℓ_ij = −log ( exp(cos(z_i, z_j)/τ) / Σ_{k ≠ i} exp(cos(z_i, z_k)/τ) ),   k over all 2N views
    loss = ½ (ℓ_ij + ℓ_ji), nats per example; ln(2N − 1) if all embeddings are equal

    So all other views of the batch are negatives, and the loss depends on N. In an evaluation the groups are as large as in
    training. One product of 2N×2N gives all cosines. Codes are f(x); the head g is not used after training.

    Figures:
    loss  NT-Xent, the cross-entropy of finding the partner, nats per example; lower is better
    contrastive_accuracy  share of the views whose partner is the nearest of all other views; higher is better

    body         f; its keys are model.body.KEY
    temperature  τ
    head_hidden, head_dim  widths of g; head_hidden 0: as wide as the features
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        body: Body,
        temperature: Annotated[float, MoreThan(0)] = 0.5,
        head_hidden: Annotated[int, AtLeast(0)] = 0,
        head_dim: Width = 64,
    ) -> None:
        super().__init__(spec, body, head_hidden, head_dim)
        self.temperature = temperature

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        loss, right = nt_xent(*self.embedded(batch), self.temperature)
        return {"loss": loss, "contrastive_accuracy": right}
