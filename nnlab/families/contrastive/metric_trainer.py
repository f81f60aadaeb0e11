"""The trainer of metric learning: neighbours are to be of the same class."""

from __future__ import annotations

from torch import Tensor

from nnlab.errors import BadInput
from nnlab.families.contrastive.trainer import EncoderTrainer
from nnlab.metrics.representation import retrieval
from nnlab.training.trainer import Monitor, TrainerContext


class MetricTrainer(EncoderTrainer):
    """Gradient descent on triplets; the validation split's recall chooses the weights.

    Figures:
    recall_at_1  share of the examples of a split whose nearest other code is of their class; at most 5,000 are compared;
                 higher is better
    recall_at_5  share of those with one of their class among the 5 nearest; higher is better
    map_at_r     mean average precision of the R nearest, R the number of others of the class (Musgrave et al. 2020); higher is
                 better
    """

    monitor = Monitor("recall_at_1", higher_is_better=True)
    higher = EncoderTrainer.higher | {"recall_at_1", "recall_at_5", "map_at_r"}

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        each = self.model.examples_per_class
        if self.batch_size < 2 * each:
            raise BadInput(f"trainer.batch_size: {self.batch_size} examples are all of one class; give at least {2 * each}")

    def retrieved(self, codes: Tensor, label: Tensor) -> dict[str, float]:
        return retrieval(codes, label)
