from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.charts import confusion_chart, reliability_chart
from nnlab.data.feed import Feed
from nnlab.data.spec import Batch
from nnlab.errors import BadInput
from nnlab.evaluation.calibration import expected_calibration_error, reliability
from nnlab.families.classifier.base import classification
from nnlab.latent.plane import is_plane, joint
from nnlab.latent.regions import regions_plot
from nnlab.pictures import directions, tiled
from nnlab.training.gradient import GradientTrainer
from nnlab.training.randomness import aside
from nnlab.training.trainer import Monitor, Setting, evaluating

SHOWN = 100  # filters in a picture


class ClassifierTrainer(GradientTrainer):
    """One optimizer; accuracy and calibration; the confusion matrix, and what the first layer looks for."""

    monitor = Monitor("accuracy", higher_is_better=True)
    lower = frozenset({"loss", "calibration_error"})
    higher = frozenset({"accuracy"})

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        if self.data.test.y is None:
            name = self.model.spec.name
            raise BadInput(f"data: the test examples of {name} have no labels, by which a classifier is measured; add them")

    def figures(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return classification(self.model.logits(batch.input), batch.label)

    def outputs(self, split: str) -> tuple[Tensor, Tensor]:
        """Logits (N, classes) and labels (N,) of a split, on the CPU."""
        feed = Feed(self.data.split(split), self.noise)
        with aside(self.seed, self.device) as generator, evaluating(self.model):
            found = [(self.model.logits(batch.input).cpu(), batch.label.cpu()) for batch in feed.in_order(generator)]
        logits, labels = zip(*found, strict=True)
        return torch.cat(logits), torch.cat(labels)

    def measure(self, split: str) -> dict[str, float]:
        """The mean loss and accuracy, and the calibration error of the split as a whole."""
        logits, labels = self.outputs(split)
        means = {name: values.double().mean().item() for name, values in classification(logits, labels).items()}
        return {**means, "calibration_error": expected_calibration_error(logits.softmax(1), labels)}

    def show(self) -> dict[str, np.ndarray]:
        spec, split = self.model.spec, "validation" if len(self.data.validation) else "train"
        logits, labels = self.outputs(split)
        pictures = {
            "confusion": confusion_chart(logits.argmax(1), labels, spec.classes),
            "reliability": reliability_chart(reliability(logits.softmax(1), labels)),
        }
        if is_plane(spec):
            with self.viewing() as view:
                pictures["decision_regions"] = regions_plot(spec, joint(view.batches), self.model.classify, spec.classes)
        if spec.kind == "image" and hasattr(self.model, "filters"):
            filters = self.model.filters
            strongest = filters.flatten(1).norm(dim=1).argsort(descending=True)[:SHOWN]
            pictures["filters"] = tiled(directions(filters[strongest]))
        return pictures
