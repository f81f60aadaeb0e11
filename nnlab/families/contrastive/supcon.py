"""Supervised contrastive learning: all views of a class are to be near."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from nnlab.config.constraints import AtLeast, MoreThan
from nnlab.data.classes import need_classes
from nnlab.data.spec import Batch, DataSpec
from nnlab.families.contrastive.base import ContrastiveModel
from nnlab.families.contrastive.losses import supervised_contrast
from nnlab.nn.bodies import Body
from nnlab.nn.mlp import Width


class SupCon(ContrastiveModel):
    """Supervised contrastive learning (Khosla et al. 2020).

    ℓ_i = −1/|P(i)| Σ_{p ∈ P(i)} log ( exp(cos(z_i, z_p)/τ) / Σ_{k ≠ i} exp(cos(z_i, z_k)/τ) ),   k over all 2N views

    P(i) are all other views of the examples of i's class, its own second view among them. The loss is the mean of both views
    of an example, nats; with every example in a class of its own it is that of `simclr`. Codes are f(x).

    Figures:
    loss  the supervised contrastive loss, nats per example; in an evaluation the groups are as large as in training;
          lower is better

    body         f; its keys are model.body.KEY
    temperature  τ
    head_hidden, head_dim  widths of g; head_hidden 0: as wide as the features
    """

    of_classes = True

    def __init__(
        self,
        spec: DataSpec,
        *,
        body: Body,
        temperature: Annotated[float, MoreThan(0)] = 0.1,
        head_hidden: Annotated[int, AtLeast(0)] = 0,
        head_dim: Width = 64,
    ) -> None:
        need_classes(spec, "examples of a class are to be near")
        super().__init__(spec, body, head_hidden, head_dim)
        self.temperature = temperature

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return {"loss": supervised_contrast(torch.stack(self.embedded(batch)), batch.label, self.temperature)}
