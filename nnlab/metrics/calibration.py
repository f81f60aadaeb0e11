"""Calibration: whether a classifier's confidence is equal to its accuracy."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nnlab.metrics.checks import class_scores
from nnlab.nn.float64 import to_float64


class Reliability(NamedTuple):
    """Confidence and accuracy per bin of confidence: the data of a reliability diagram (Guo et al. 2017)."""

    confidence: Tensor  # (bins,) mean confidence of a bin's examples; NaN in an empty bin
    accuracy: Tensor  # (bins,) share of right answers in the bin; NaN in an empty bin
    count: Tensor  # (bins,) number of examples, int64


def reliability(probabilities: Tensor, labels: Tensor, bins: int = 15) -> Reliability:
    """The points of a reliability diagram, from class probabilities (N, C) and labels (N,).

    Confidence is the largest probability of an example; bin b of B holds those in ((b − 1)/B, b/B]. Float64. Raises
    ValueError unless bins ≥ 1, N ≥ 1, each row is a distribution, and each example has a label in 0 … C − 1.
    """
    if bins < 1:
        raise ValueError(f"bins: expected at least 1, got {bins}")
    check_distributions(probabilities, labels)
    confidence, predicted = to_float64(probabilities.detach()).max(1)
    right = (predicted == labels.to(predicted.device)).double()
    edges = torch.arange(1, bins, dtype=torch.float64, device=confidence.device) / bins
    member = torch.nn.functional.one_hot(torch.bucketize(confidence, edges), bins)
    count, member = member.sum(0), member.double()
    return Reliability(member.T @ confidence / count, member.T @ right / count, count)


def expected_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Σ_b n_b/N |accuracy_b − confidence_b| over the bins of `reliability`, 0 … 1 (Guo et al. 2017, with 15 bins).

    "On Calibration of Modern Neural Networks". The estimate is too high: for a perfectly
    calibrated classifier its expectation is up to ½ √(B/N), not 0.
    """
    confidence, accuracy, count = reliability(probabilities, labels, bins)
    gap = (accuracy - confidence).abs().nan_to_num(0.0)  # an empty bin has no weight
    return ((gap * count).sum() / count.sum()).item()


def check_distributions(probabilities: Tensor, labels: Tensor) -> None:
    """Raise ValueError unless rows (N, classes) are distributions and labels (N,) are class numbers."""
    n, classes = class_scores(probabilities).shape
    # sums of half-precision probabilities are 1 within a few 1e-3
    if (probabilities < 0).any() or (probabilities.float().sum(1) - 1).abs().max() > 0.01:
        raise ValueError("expected probabilities that sum to 1 in each row; give softmax(logits), not logits")
    if labels.shape != (n,):
        raise ValueError(f"labels: expected ({n},), one per example, got {tuple(labels.shape)}")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels: expected 0 … {classes - 1}, got {labels.min().item()} … {labels.max().item()}")
