"""The trainer of metric learning: neighbours are to be of the same class."""

from __future__ import annotations

import math

from torch import Tensor

from nnlab.families.contrastive.trainer import EncoderTrainer
from nnlab.metrics.representation import retrieval
from nnlab.training.trainer import Monitor

NEAR = 0.02  # collapse: the loss differs from that of one point by less than this share, and so do the two mean distances
LOOKS = 3  # records in a row before a run says so


class MetricTrainer(EncoderTrainer):
    """Gradient descent on triplets; the validation split's recall chooses the weights.

    Figures:
    recall_at_1  share of the examples of a split whose nearest other code is of their class; at most 5,000 are compared;
                 higher is better
    map_at_r     mean average precision of the R nearest, R the number of others of the class (Musgrave et al. 2020); higher is
                 better
    """

    monitor = Monitor("recall_at_1", higher_is_better=True)
    higher = EncoderTrainer.higher | {"recall_at_1", "map_at_r"}
    collapsed = 0

    def retrieved(self, codes: Tensor, label: Tensor) -> dict[str, float]:
        recall, average = retrieval(codes, label)
        return {"recall_at_1": recall, "map_at_r": average} if math.isfinite(recall) else {}

    def check_health(self, means: dict[str, float]) -> None:
        model = self.model
        of_a_point = math.log(2) if model.margin is None else model.margin
        apart = abs(means["negative_distance"] - means["positive_distance"])
        same = abs(means["loss"] - of_a_point) < NEAR * of_a_point and apart < NEAR * of_a_point
        self.collapsed = self.collapsed + 1 if same else 0
        if self.collapsed == LOOKS:
            self.notices.append(
                f"the loss stays at {of_a_point:.3g}: all embeddings have become one point. Try a smaller optimizer.lr, "
                "model.mining=semi_hard, or model.margin=none"
            )

    def state(self) -> dict:
        return {**super().state(), "collapsed": self.collapsed}

    def restore(self, state: dict) -> None:
        """Restore what `state` returned, and how often the embeddings were one point."""
        super().restore(state)
        self.collapsed = state["collapsed"]
