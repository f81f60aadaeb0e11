"""The base of the encoders that learn from several views of an example."""

from __future__ import annotations

from math import log
from typing import ClassVar

import torch
from torch import Tensor, nn

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.contrastive.losses import Distance
from nnlab.model import Model
from nnlab.nn.bodies import Body, undecayed

NEAR = 0.005  # collapse: the loss differs from that of equal embeddings by less than this share
REMEDY = "Try a smaller optimizer.lr, a larger trainer.batch_size, or a stronger augmentation"


class ContrastiveModel(Model):
    """An encoder h = f(x) and a head g, which is thrown away: losses are of z = g(h), codes are h (Chen et al. 2020).

    g is a linear layer, batch normalisation, a ReLU and a linear layer. h is better for other tasks than z, which has lost
    what the views do not share.

    body        f
    head_hidden, head_dim  widths of g; head_hidden 0: as wide as h
    """

    trainer = "nnlab.families.contrastive.trainer:EncoderTrainer"
    views: ClassVar[int] = 2
    compares: ClassVar[bool] = True
    """Whether its loss compares the examples of a batch with each other."""
    of_classes: ClassVar[bool] = False
    """Whether its loss needs labels, those of the test examples too."""
    compared_by: Distance = "cosine"
    """How near codes are."""

    def __init__(self, spec: DataSpec, body: Body, head_hidden: int, head_dim: int) -> None:
        super().__init__(spec)
        self.body, width = body.build(spec.shape)
        hidden = head_hidden or width
        first = [nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()]
        self.head = nn.Sequential(*first, nn.Linear(hidden, head_dim))

    def encode(self, x: Tensor) -> Tensor:
        """h, (N, width), of examples (N, *shape)."""
        return self.body(self.check(x)).float()

    def embedded(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """z of both views of a batch, (N, head_dim) each. Both go through the networks together."""
        z = self.head(self.encode(torch.cat([batch.target, batch["view_2"]]))).float()
        first, second = z.chunk(2)
        return first, second

    def collapse(self, means: dict[str, float], batch_size: int) -> str:
        """What to do if all embeddings have become one point; else nothing.

        means  of the loss and of other terms since the last record. Of equal embeddings the cross-entropy is ln(2N − 1)
        """
        of_a_point = log(2 * batch_size - 1)
        return REMEDY if abs(means["loss"] - of_a_point) < NEAR * of_a_point else ""

    def undecayed(self) -> list[nn.Parameter]:
        return [*undecayed(self.body), *undecayed(self.head)]
