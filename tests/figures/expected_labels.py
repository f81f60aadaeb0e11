"""Figures of a classifier of several labels: of each label by SciPy and scikit-learn, from the weights of its own layer."""

from __future__ import annotations

import numpy as np
import torch
from recorded_run import Asked, f64
from scipy.special import log_softmax
from sklearn import metrics

from nnlab.data.spec import Batch
from nnlab.training.trainer import evaluating


def logits(asked: Asked, batch: Batch) -> dict[str, np.ndarray]:
    """Of each label (N, classes)."""
    with torch.no_grad():
        features = f64(asked.model.body(batch.input))
    heads = zip(asked.model.labels, asked.model.heads, strict=True)
    return {name: features @ f64(head.weight).T + f64(head.bias) for name, head in heads}


def cross_entropy(asked: Asked, batch: Batch) -> float:
    told = {name: batch[name].numpy() for name in asked.model.labels}
    return sum(-log_softmax(own, 1)[np.arange(len(own)), told[name]].mean() for name, own in logits(asked, batch).items())


def right(asked: Asked, batch: Batch) -> np.ndarray:
    """(N, K) bool."""
    return np.stack([own.argmax(1) == batch[name].numpy() for name, own in logits(asked, batch).items()], 1)


def whole(asked: Asked) -> Batch:
    """A split, or at the first step its batch."""
    split = asked.trainer.data.split(asked.split)
    parts = {name: split.labels(split.rows, name) for name in asked.model.labels}
    values = split.values(split.rows)
    return Batch(values, values, label=parts.pop("label", None), extra=parts)


def loss(asked: Asked) -> float:
    with evaluating(asked.model):
        return float(cross_entropy(asked, whole(asked)))


def accuracy(asked: Asked) -> float:
    with evaluating(asked.model):
        return float(right(asked, whole(asked)).mean())


def exact_match(asked: Asked) -> float:
    """As scikit-learn does: its accuracy of rows of labels is that of the rows."""
    with evaluating(asked.model):
        found = right(asked, whole(asked))
    return float(metrics.accuracy_score(np.ones_like(found, dtype=int), found.astype(int)))


def worst_label_accuracy(asked: Asked) -> float:
    with evaluating(asked.model):
        return float(right(asked, whole(asked)).mean(0).min())


def first_loss(asked: Asked) -> float:
    return float(cross_entropy(asked, asked.first))


def first_accuracy(asked: Asked) -> float:
    return float(right(asked, asked.first).mean())


def first_exact_match(asked: Asked) -> float:
    return float(right(asked, asked.first).all(1).mean())
