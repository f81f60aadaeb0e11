"""The classes of generated examples, by a classifier."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.metrics.checks import class_scores
from nnlab.nn.float64 import to_float64


def class_shares(probabilities: Tensor) -> Tensor:
    """(C,) the share of examples per most probable class, from class probabilities (N, C); float64, sum 1.

    Raises ValueError unless N, C ≥ 1 and all are finite.
    """
    scores = class_scores(probabilities)
    return to_float64(torch.bincount(scores.argmax(1), minlength=scores.shape[1])) / len(scores)


def mode_coverage(probabilities: Tensor, reference: Tensor | None = None, least: float = 0.1) -> int:
    """The number of the reference's classes that occur in the examples, from class probabilities (N, C); 0 … C.

    A class counts if its share is at least `least` times its share in the reference. A reference is (C,) shares or counts
    of real examples, by default equal; a class that it lacks does not count. The number of modes of Metz et al. 2017
    ("Unrolled Generative Adversarial Networks") counts a class from one example on; as a share it does not grow with N.
    Below N = 1/(least · reference share) one example is enough. Raises ValueError for what `class_shares` refuses, a
    `least` outside (0, 1], and a reference that is not C values of at least 0 with a positive sum.
    """
    if not 0 < least <= 1:
        raise ValueError(f"least: expected a share in (0, 1], got {least}")
    shares = class_shares(probabilities)
    expected = reference_shares(reference, shares)
    # tolerance for rounding: 0.3 · 0.1 is not exactly 0.03
    enough = shares >= least * expected * (1 - 1e-12)
    return int((enough & (expected > 0)).sum())


def class_divergence(probabilities: Tensor, reference: Tensor | None = None) -> float:
    """KL(shares ‖ reference) = Σ_c s_c log(s_c / r_c), nats, of the classes of examples with probabilities (N, C).

    0 if the classes are as frequent as in the reference, log(1/r_c) if all are of class c (log C for an equal
    reference), ∞ if one has a class that the reference lacks. About (C − 1)/2N for N examples of the reference
    itself. As in Metz et al. 2017. The reference and the errors are those of `mode_coverage`.
    """
    shares = class_shares(probabilities)
    expected = reference_shares(reference, shares)
    held = shares > 0  # 0 log 0 = 0
    return (shares[held] * (shares[held] / expected[held]).log()).sum().clamp(min=0).item()


def reference_shares(reference: Tensor | None, shares: Tensor) -> Tensor:
    """(C,) the reference as shares."""
    if reference is None:
        return torch.full_like(shares, 1 / len(shares))
    if reference.shape != shares.shape:
        raise ValueError(f"reference: expected ({len(shares)},) shares, got {tuple(reference.shape)}")
    if not (reference.isfinite().all() and (reference >= 0).all() and reference.sum() > 0):
        raise ValueError(f"reference: expected shares of at least 0 with a positive sum, got {reference.tolist()}")
    reference = to_float64(reference).to(shares.device)
    return reference / reference.sum()


def class_agreement(probabilities: Tensor, labels: Tensor) -> float:
    """The share of examples, 0 … 1, whose most probable class of (N, C) is their label (N,).

    For reconstructions with the labels of their inputs: how many keep their class. A perfect reconstruction has the
    classifier's own accuracy; compare with it. Raises ValueError unless there is one label per example.
    """
    predicted = class_scores(probabilities).argmax(1)
    if labels.shape != predicted.shape:
        raise ValueError(f"labels: expected ({len(predicted)},), one per example, got {tuple(labels.shape)}")
    return (predicted == labels.to(predicted.device)).sum().item() / len(predicted)


def class_recalls(probabilities: Tensor, labels: Tensor) -> Tensor:
    """(K,) float64 of each of the K classes that occur among labels (N,), in order: the share of its examples whose most
    probable class of (N, C) is theirs.

    Raises ValueError unless there is one label per example.
    """
    predicted = class_scores(probabilities).argmax(1)
    if labels.shape != predicted.shape:
        raise ValueError(f"labels: expected ({len(predicted)},), one per example, got {tuple(labels.shape)}")
    labels = labels.to(predicted.device)
    counts = torch.bincount(labels)
    right = torch.bincount(labels[predicted == labels], minlength=len(counts))
    present = counts > 0
    return to_float64(right)[present] / counts[present]
