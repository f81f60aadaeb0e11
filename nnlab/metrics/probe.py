"""Linear probe: the accuracy of a linear classifier on features, trained with few labels.

Multinomial logistic regression (Alain & Bengio 2017, "Understanding intermediate layers using linear classifier probes"):

    p(c|φ) = softmax(W φ + b),   minimise  ½ ‖W‖² − C Σ_i log p(y_i|φ_i)   over n labelled examples, C = 1

It is given φ = (features − μ)/s: μ (d,) the mean over all training examples, without their labels, and s one number,
s² = the mean of the features' variances. One number, since a pixel at the rim that is lit once in 55,000 images would be
blown up to a hundred standard deviations if each had its own.

Whether C = 1 favours one of them: of 784 pixels, their 16 principal components and the 16 codes of an autoencoder on MNIST,
all three were best with it at 100 labels, of C = 0.001, 0.01, … 1000 (three draws, chosen on the test split); at 1,000 labels
the pixels lost 1.2 points to their best C = 0.01, the other two nothing. At 10 labels C hardly matters. With a mean squared
length of 1 instead of d, C = 1 would be 1.6 points short for the pixels at 100 labels, and 1.1 for the components.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean, stdev

import numpy as np
import torch
from torch import Tensor

from nnlab.data.feed import BatchBuilder
from nnlab.errors import BadInput

C = 1.0  # the weight of the labels against the prior
TOLERANCE = 1e-3  # lbfgs stops when no entry of the gradient of the mean loss is larger
MOST_STEPS = 1000  # of lbfgs

Encoder = Callable[[Tensor], Tensor]  # (N, *shape) → (N, d)


@dataclass
class Scaling:
    """How features become inputs of the classifier.

    mean   (d,) over a split
    scale  root of the mean of the d variances over it, the same unit as the features
    """

    mean: np.ndarray
    scale: float

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """(n, d) features as inputs of the classifier; features that never vary become zeros."""
        return ((values - self.mean) / (self.scale or 1.0)).astype(np.float32)


def scaling_of(values: np.ndarray) -> Scaling:
    """By features (n, d) alone, where not all of a split are known."""
    wide = values.astype(np.float64)
    return Scaling(wide.mean(0).astype(np.float32), float(np.sqrt(wide.var(0).mean())))


@dataclass
class Features:
    """The features of a split by an encoder.

    values   (m, d) float32 of the wanted examples
    scaling  by all examples of the split
    """

    values: np.ndarray
    scaling: Scaling


def draw(labels: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """(n,) places of (N,) labels: a random subset that is balanced, in ascending order.

    The classes differ by at most one example; if a class has too few, the others replace it. Subsets from the same seed
    are nested: the subset of 100 contains the subset of 10. Raises ValueError unless 1 ≤ n ≤ N.
    """
    if not 1 <= n <= len(labels):
        raise ValueError(f"n: expected 1 … {len(labels)}, got {n}")
    shuffled = torch.randperm(len(labels), generator=generator)
    rank = torch.empty(len(labels), dtype=torch.int64)  # of each example among those of its class
    for c in labels.unique():
        own = shuffled[labels[shuffled] == c]
        rank[own] = torch.arange(len(own))
    # by rank, the classes of one rank in a random order
    return shuffled[rank[shuffled].argsort(stable=True)][:n].sort().values


def features(encoders: dict[str, Encoder], feed: BatchBuilder, wanted: Tensor, seed: int = 0) -> dict[str, Features]:
    """The features of each encoder for a split, in one pass: all encoders get the same batches.

    wanted  (N,) bool, which of the split's examples to keep. Raises BadInput if a feature is not finite.
    """
    generator = torch.Generator(feed.split.device).manual_seed(seed)
    kept: dict[str, list[np.ndarray]] = {name: [] for name in encoders}
    sums: dict[str, np.ndarray] = {}
    start, n = 0, len(feed.split)
    for batch in feed.sequential(generator):
        mine = wanted[start : start + len(batch)].numpy()
        for name, encode in encoders.items():
            values = encode(batch.input).float().cpu().numpy()
            if not np.isfinite(values).all():
                row = start + int(np.isfinite(values).all(1).argmin())
                raise BadInput(f"{name}: the features of example {row} are not finite: are the inputs, or the weights, huge?")
            wide = values.astype(np.float64)
            sums[name] = sums.get(name, 0.0) + np.stack([wide.sum(0), (wide**2).sum(0)])
            kept[name].append(values[mine])
        start += len(batch)
    moments = {name: total / n for name, total in sums.items()}
    variance = {name: (second - first**2).clip(0).mean() for name, (first, second) in moments.items()}
    return {
        name: Features(np.concatenate(kept[name]), Scaling(moments[name][0].astype(np.float32), float(np.sqrt(variance[name]))))
        for name in encoders
    }


def accuracy(train: np.ndarray, labels: np.ndarray, test: np.ndarray, truth: np.ndarray) -> tuple[float, bool]:
    """The share (0 … 1) of test examples (M, d) that a classifier of training examples (n, d) gets right.

    And whether its fit converged. The features are scaled already; labels (n,), truth (M,).
    """
    from sklearn.exceptions import ConvergenceWarning  # a second to import
    from sklearn.linear_model import LogisticRegression

    classifier = LogisticRegression(C=C, tol=TOLERANCE, max_iter=MOST_STEPS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        classifier.fit(train, labels)
    converged = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    return float((classifier.predict(test) == truth).mean()), converged


@dataclass
class Result:
    """Results of one encoder and one number of labels: accuracies 0 … 1, one per draw, and whether each fit converged.

    converged  None: training had a fixed length, so nobody knows
    """

    accuracies: list[float]
    converged: list[bool] | None = None

    @property
    def mean(self) -> float:
        """The mean accuracy over the draws, 0 … 1."""
        return mean(self.accuracies)

    @property
    def std(self) -> float | None:
        """The standard deviation over the draws, with n − 1; None for a single draw."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else None

    @property
    def metadata(self) -> dict:
        """As plain values, for a file."""
        converged = {} if self.converged is None else {"converged": all(self.converged)}
        return {"accuracy": self.mean, "std": self.std, "accuracies": self.accuracies, **converged}

    def __str__(self) -> str:
        return f"{100 * self.mean:.1f}" + ("" if self.std is None else f" ± {100 * self.std:.1f}")


def results_of(
    train: Features, labels: np.ndarray, test: np.ndarray, truth: np.ndarray, draws: dict[int, list[np.ndarray]]
) -> dict[int, Result]:
    """For each number of labels n, the accuracies of classifiers of the draws (n,), places among the training features.

    labels (m,) of the training features, test (M, d) not yet scaled, truth (M,)
    """
    inputs, seen = train.scaling(train.values), train.scaling(test)
    results = {}
    for n, drawn in draws.items():
        fits = [accuracy(inputs[places], labels[places], seen, truth) for places in drawn]
        results[n] = Result([right for right, _ in fits], [ended for _, ended in fits])
    return results
