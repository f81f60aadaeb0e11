"""For trainers of models with one logit per class: loss, accuracy, calibration and the confusion matrix."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from nnlab.data.classes import need_test_labels
from nnlab.families.classifier.base import classification
from nnlab.metrics.calibration import expected_calibration_error
from nnlab.metrics.mode_coverage import class_recalls
from nnlab.nn.world import ALONE
from nnlab.plotting.charts import confusion_chart
from nnlab.training.trainer import Trainer, TrainerContext


class Deciding(Trainer):
    """Metrics over a whole split, for models with one logit per class.

    Figures:
    loss               cross-entropy −log p(class|x), nats per example; lower is better
    accuracy           share of the examples whose most likely class is the right one; higher is better
    balanced_accuracy  mean over the classes of the share of their examples that are classified right; higher is better
    worst_class_accuracy  the smallest of these shares; higher is better
    calibration_error  expected calibration error with 15 bins, 0 … 1 (Guo et al. 2017): |confidence − accuracy|;
                       lower is better
    """

    lower = frozenset({"loss", "calibration_error"})
    higher = frozenset({"accuracy", "balanced_accuracy", "worst_class_accuracy"})

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        need_test_labels(self.data)

    def outputs(self, split: str, *, shared: bool = False) -> tuple[Tensor, Tensor]:
        """Logits (N, classes) and labels (N,) of a split, on the CPU; `shared` as for `evaluation`."""
        with self.evaluation(split, shared=shared) as (batches, _):
            parts = [(self.model.logits(batch.input).cpu(), batch.label.cpu()) for batch in batches]
        logits, labels = (self.world if shared else ALONE).concat(parts)
        return logits, labels

    def evaluate_split(self, split: str) -> dict[str, float]:
        logits, labels = self.outputs(split, shared=True)
        means = {name: values.double().mean().item() for name, values in classification(logits, labels).items()}
        probabilities = logits.softmax(1)
        recalls = class_recalls(probabilities, labels)
        of_classes = {"balanced_accuracy": recalls.mean().item(), "worst_class_accuracy": recalls.min().item()}
        return {**means, **of_classes, "calibration_error": expected_calibration_error(probabilities, labels)}

    @property
    def seen(self) -> str:
        """The split that the pictures show."""
        return "validation" if len(self.data.validation) else "train"

    def confusion(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        """The confusion matrix as a picture (H, W, 3), of logits (N, classes) and labels (N,)."""
        return confusion_chart(logits.argmax(1), labels, self.model.spec.classes)
