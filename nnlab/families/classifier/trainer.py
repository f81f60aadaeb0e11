"""The trainers of the classifiers that learn by gradient, with their pictures."""

from __future__ import annotations

import numpy as np
import torch

from nnlab.data.classes import need_test_labels
from nnlab.errors import BadInput
from nnlab.families.classifier.deciding import Deciding
from nnlab.metrics.calibration import reliability
from nnlab.plotting.charts import reliability_chart
from nnlab.plotting.embedding import code_plot
from nnlab.plotting.images import directions, tiled
from nnlab.plotting.plane import concat_targets, is_2d
from nnlab.plotting.regions import regions_plot
from nnlab.training.gradient import GradientTrainer
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


class MultiTaskTrainer(GradientTrainer):
    """Of a classifier of several labels: the share of them that is read right chooses the best weights.

    Figures:
    loss         sum over the labels of the cross-entropies −log p_k(label_k|x), nats per example; lower is better
    accuracy     share of the labels of all examples that are read right; higher is better
    exact_match  share of the examples of which all labels are read right; higher is better
    worst_label_accuracy  share of the examples whose label is read right, of the label where it is smallest; higher is better
    """

    monitor = Monitor("accuracy", higher_is_better=True)
    lower = frozenset({"loss"})
    higher = frozenset({"accuracy", "exact_match", "worst_label_accuracy"})

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        if "label" in self.model.labels:
            need_test_labels(self.data)
        placed = [name for name in self.model.labels if name.startswith("place_")]
        if self.augmentation.mirrors and placed:
            raise BadInput(
                f"augmentation.flip: mirrors images whose label {placed[0]} says what is on the left and what on the right; "
                "leave it out"
            )

    def evaluate_split(self, split: str) -> dict[str, float]:
        with self.evaluation(split) as (batches, _):
            parts = [tuple(part.cpu() for part in self.model.of_each(batch)) for batch in batches]
        loss, right = (part.double() for part in self.world.concat(parts))
        return {
            "loss": loss.sum(1).mean().item(),
            "accuracy": right.mean().item(),
            "exact_match": right.amin(1).mean().item(),
            "worst_label_accuracy": right.mean(0).min().item(),
        }

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        """The features on their principal plane, coloured by the label of the data."""
        features = torch.cat([self.model.encode(batch.input) for batch in view.batches])
        known = view.batches[0].label is not None
        label = torch.cat([batch.label for batch in view.batches]).cpu().numpy() if known else None
        return {"codes": code_plot(features.cpu().numpy(), label, self.model.spec.classes)}
