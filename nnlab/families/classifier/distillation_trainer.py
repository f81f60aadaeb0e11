"""The trainer of distillation: it asks the teacher once about each example, where that is enough."""

from __future__ import annotations

from collections.abc import Callable

import torch

from nnlab.families.classifier.distillation import TAUGHT
from nnlab.families.classifier.trainer import ClassifierTrainer
from nnlab.training.randomness import fork_rng
from nnlab.training.trainer import evaluating


class DistillationTrainer(ClassifierTrainer):
    """The trainer of a classifier; the training examples have the teacher's logits as a part, if they never change."""

    def train(self, step: int, n: int, stop: Callable[[], bool]) -> int:
        self.ask_the_teacher()
        return super().train(step, n, stop)

    def ask_the_teacher(self) -> None:
        """Keep the teacher's logits of all training examples, if it has not been done and inputs do not change."""
        split = self.data.train
        fixed = self.noise.identity and self.augmentation.identity and not split.dynamic_binarization
        if TAUGHT in split or not fixed:
            return
        # by row of the source, as images and labels: so a logit stays with its example in any order
        logits = torch.zeros(len(split.target), len(self.model.spec.classes), device=self.device)
        with fork_rng(self.seed, self.device) as generator, evaluating(self.model):
            batches = self.builder(split).sequential(generator)
            logits[split.rows] = torch.cat([self.model.taught(batch.input) for batch in batches])
        split.add(TAUGHT, logits)
