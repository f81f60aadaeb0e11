"""The trainer of metric learning: neighbours are to be of the same class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.families.contrastive.trainer import CODED, EncoderTrainer
from nnlab.metrics.representation import counts_of, retrieval
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
        if len(self.sampler.groups) < 2:
            raise BadInput(f"model: a triplet is of two classes, but only one has {each} training examples")
        own = self.data.validation
        if len(own) and int(counts_of(own.labels(own.spread(CODED))).max()) < 2:
            raise BadInput(
                "data.validation: recall_at_1 chooses the weights, but no class has two validation examples; "
                "give a larger share, or 0"
            )

    def groups(self, own: Split) -> Sequence[Tensor]:
        """The rows of a split in batches as those of training: of groups of about K examples of a class."""
        each, draw = self.model.examples_per_class, torch.Generator().manual_seed(0)
        label, rows = own.labels(own.rows).cpu(), own.rows.cpu()
        classes = [of for of in (rows[label == c] for c in label.unique()) if len(of) > 1]
        mixed = [of[torch.randperm(len(of), generator=draw)] for of in classes]
        parts = [part for of in mixed for part in of.tensor_split(max(1, len(of) // each))]
        order = torch.randperm(len(parts), generator=draw)
        count = min(len(parts), max(1, round(sum(map(len, parts)) / self.batch_size)))
        return [torch.cat([parts[i] for i in some]).to(own.rows.device) for some in order.tensor_split(count or 1) if len(some)]

    def retrieved(self, codes: Tensor, label: Tensor) -> dict[str, float]:
        return retrieval(codes, label)
