"""The trainer of the classifiers that learn by gradient, with their pictures."""

from __future__ import annotations

import numpy as np

from nnlab.families.classifier.deciding import Deciding
from nnlab.metrics.calibration import reliability
from nnlab.plotting.charts import reliability_chart
from nnlab.plotting.images import directions, tiled
from nnlab.plotting.plane import concat_targets, is_2d
from nnlab.plotting.regions import regions_plot
from nnlab.training.gradient import GradientTrainer
from nnlab.training.trainer import Monitor, Preview

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
