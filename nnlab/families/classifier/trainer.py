"""The trainers of the classifiers that learn by gradient, with their pictures."""

from __future__ import annotations

import numpy as np
import torch

from nnlab.families.classifier.deciding import Deciding, need_test_labels
from nnlab.metrics.calibration import reliability
from nnlab.plotting.charts import reliability_chart
from nnlab.plotting.embedding import code_plot
from nnlab.plotting.images import directions, tiled
from nnlab.plotting.plane import concat_targets, is_2d
from nnlab.plotting.regions import regions_plot
from nnlab.training.gradient import GradientTrainer, LossTrainer
from nnlab.training.trainer import Monitor, Preview, TrainerContext

SHOWN = 100  # filters in a picture


class ClassifierTrainer(Deciding, GradientTrainer):
    """One optimizer; also the reliability diagram and the weights of the first layer."""

    monitor = Monitor("accuracy", higher_is_better=True)

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        spec = self.model.spec
        logits, labels = self.outputs(self.seen)
        pictures = {
            "confusion": self.confusion(logits, labels),
            "reliability": reliability_chart(reliability(logits.softmax(1), labels)),
        }
        if is_2d(spec):
            pictures["decision_regions"] = regions_plot(spec, concat_targets(view.batches), self.model.classify, spec.classes)
        if spec.kind == "image" and hasattr(self.model, "filters"):
            filters = self.model.filters
            strongest = filters.flatten(1).norm(dim=1).argsort(descending=True)[:SHOWN]
            pictures["filters"] = tiled(directions(filters[strongest]))
        return pictures


class MultiTaskTrainer(LossTrainer):
    """Of a classifier of several labels: the share of them that is read right chooses the best weights."""

    monitor = Monitor("accuracy", higher_is_better=True)
    higher = frozenset({"accuracy", "exact_match"})

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        if "label" in self.model.labels:
            need_test_labels(self.data)

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        """The features on their principal plane, coloured by the label of the data."""
        features = torch.cat([self.model.encode(batch.input) for batch in view.batches])
        known = view.batches[0].label is not None
        label = torch.cat([batch.label for batch in view.batches]).cpu().numpy() if known else None
        return {"codes": code_plot(features.cpu().numpy(), label, self.model.spec.classes)}
