"""The base of the classifiers: learned features, a linear head and the cross-entropy."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nnlab.data.classes import need_classes
from nnlab.data.spec import Batch, DataSpec
from nnlab.model import Model


class Classifier(Model):
    """p(c|x) = softmax(V φ(x) + b): a linear head on learned features φ (Bishop 2006, chapter 5).

    loss = −log p(label|x), nats per example

    body   φ: (N, *shape) → (N, width)
    """

    trainer = "nnlab.families.classifier.trainer:ClassifierTrainer"
    distributes = True

    def __init__(self, spec: DataSpec, body: nn.Module, width: int) -> None:
        super().__init__(spec)
        need_classes(spec, "a classifier learns from classes")
        self.body = body
        self.head = nn.Linear(width, len(spec.classes))

    def features(self, x: Tensor) -> Tensor:
        """φ(x), (N, width)."""
        return self.body(self.check(x)).float()

    def logits(self, x: Tensor) -> Tensor:
        """log p(c|x) up to a constant, (N, classes)."""
        return self.head(self.features(x)).float()

    def decide(self, features: Tensor) -> Tensor:
        """p(c|x), (N, classes), of φ(x), (N, width)."""
        return self.head(features).float().softmax(1)

    def classify(self, x: Tensor) -> Tensor:
        """p(c|x), (N, classes)."""
        return self.decide(self.features(x))

    def encode(self, x: Tensor) -> Tensor:
        """φ(x), (N, width): the input of the last layer."""
        return self.features(x)

    def score(self, x: Tensor) -> Tensor:
        """−log max_c p(c|x), nats, (N,): large if the classifier is unsure (Hendrycks & Gimpel 2017)."""
        return -self.logits(x).log_softmax(1).amax(1)

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return classification(self.logits(batch.input), batch.label)


def classification(logits: Tensor, label: Tensor) -> dict[str, Tensor]:
    """Cross-entropy −log p(label|x) in nats, and whether the most likely class is right; each (N,)."""
    return {
        "loss": functional.cross_entropy(logits, label, reduction="none"),
        "accuracy": (logits.argmax(1) == label).float(),
    }
