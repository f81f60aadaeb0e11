"""Metric learning by triplets: an example is to be nearer to its class than to others."""

from __future__ import annotations

from math import log
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nnlab.config.constraints import AtLeast, MoreThan
from nnlab.data.classes import need_classes
from nnlab.data.spec import Batch, DataSpec
from nnlab.families.contrastive.losses import Distance, Mining, distances, triplets
from nnlab.model import Model
from nnlab.nn.bodies import Body, undecayed
from nnlab.nn.mlp import Width

NEAR = 0.02  # collapse: the loss differs from that of one point by less than this share, and so do the two mean distances


class Triplet(Model):
    """Metric learning by the triplet loss (Schroff et al. 2015, "FaceNet"; Hermans et al. 2017, "In defense of …").

    max(0, d(a, p) − d(a, n) + m) of an anchor a, a positive p of its class and a negative n of another, e the embedding
    d(x, y) = ‖e(x) − e(y)‖, or 1 − cos(e(x), e(y))

    A batch holds P groups of K examples of a class (P·K is trainer.batch_size), so each example is an anchor that has at least
    K − 1 positives; of many classes a random batch would have none. Several groups may be of the same class. If all of them
    are, no anchor has a negative: the loss of the batch is 0, and nothing is learned from it.

    Mining chooses: `hard` the farthest positive and the nearest negative of each anchor; `semi_hard` for each positive the
    nearest negative that is farther away than it (d(a, p) < d(a, n)), without one the farthest; `all` all triplets, which needs
    memory for (P·K)³ numbers. `hard` may first draw all embeddings together.

    The code is e(x), so that classes never seen can be told apart by their distances. A loss that stays at the margin (with a
    soft margin at log 2) means that all embeddings have become one point; a run says so.

    Figures:
    loss  the mean over anchors, in groups as in training; an anchor without a negative counts as 0, and an evaluation leaves
          out examples without another of their class. Lower is better; with hard mining it hardly falls while the embedding
          gets better
    active_triplets    share of the anchors whose loss is above 0; without a margin it is that of all that have a triplet
    positive_distance  mean distance of an anchor to the others of its class in the batch
    negative_distance  mean distance of an anchor to the other classes

    body        its keys are model.body.KEY; a linear layer of its features is the embedding
    latent_dim  length of the embedding
    distance    euclidean or cosine
    mining      hard, semi_hard or all
    margin      m; none: the soft margin log(1 + exp(d(a, p) − d(a, n)))
    examples_per_class  K
    """

    trainer = "nnlab.families.contrastive.metric_trainer:MetricTrainer"
    compares: ClassVar[bool] = True
    of_classes: ClassVar[bool] = True

    def __init__(
        self,
        spec: DataSpec,
        *,
        body: Body,
        latent_dim: Width = 16,
        distance: Distance = "euclidean",
        mining: Mining = "semi_hard",
        margin: Annotated[float, MoreThan(0)] | None = 0.2,
        examples_per_class: Annotated[int, AtLeast(2)] = 4,
    ) -> None:
        need_classes(spec, "triplets are of two classes")
        super().__init__(spec)
        self.body, width = body.build(spec.shape)
        self.head = nn.Linear(width, latent_dim)
        self.latent_dim, self.distance, self.mining, self.margin = latent_dim, distance, mining, margin
        self.compared_by = distance
        self.examples_per_class = examples_per_class

    def encode(self, x: Tensor) -> Tensor:
        """e(x), (N, latent_dim); of length 1 if the distance is the cosine."""
        features = self.body(self.check(x)).float()
        with torch.autocast(x.device.type, enabled=False):  # a margin is small against the rounding of bfloat16
            e = self.head(features)
        return functional.normalize(e, dim=1) if self.distance == "cosine" else e

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        loss, counts, near, far = triplets(
            distances(self.encode(batch.target), self.distance), batch.label, self.mining, self.margin
        )
        active = (loss > 0) & counts
        return {"loss": loss, "active_triplets": active.float(), "positive_distance": near, "negative_distance": far}

    def undecayed(self) -> list[nn.Parameter]:
        return [*undecayed(self.body), self.head.bias]

    def collapse(self, means: dict[str, float], batch_size: int) -> str:
        """What to do if all embeddings have become one point; else nothing."""
        of_a_point = log(2) if self.margin is None else self.margin
        apart = abs(means["negative_distance"] - means["positive_distance"])
        if abs(means["loss"] - of_a_point) < NEAR * of_a_point and apart < NEAR * of_a_point:
            return "Try a smaller optimizer.lr, model.mining=semi_hard, or model.margin=none"
        return ""
