"""Figures of classes, clusters, mixtures and maps: each by numpy, SciPy or scikit-learn, over a whole split at once."""

from __future__ import annotations

from math import comb, log

import numpy as np
import torch
from expected_outputs import per_example
from recorded_run import Asked, f64
from scipy import spatial, stats
from sklearn import linear_model, metrics

from nnlab.metrics.probe import TOLERANCE, C
from nnlab.training.trainer import evaluating


def probabilities(asked: Asked) -> np.ndarray:
    with torch.no_grad(), evaluating(asked.model):
        return f64(asked.model.classify(asked.part.batch.input))


def cross_entropy(asked: Asked) -> float:
    p = probabilities(asked)
    return float(-np.log(p[np.arange(len(p)), asked.part.labels]).mean())


def taught(asked: Asked) -> np.ndarray:
    """What the teacher takes the examples for."""
    with torch.no_grad():
        return asked.model.teacher.eval()(asked.part.batch.input).argmax(1).numpy()


def teacher_accuracy(asked: Asked) -> float:
    return float(metrics.accuracy_score(asked.part.labels, taught(asked)))


def teacher_agreement(asked: Asked) -> float:
    return float(metrics.accuracy_score(taught(asked), probabilities(asked).argmax(1)))


def accuracy(asked: Asked) -> float:
    return float(metrics.accuracy_score(asked.part.labels, probabilities(asked).argmax(1)))


def recalls(labels: np.ndarray, said: np.ndarray) -> list[float]:
    """Of each class that there is."""
    return [float((said[labels == c] == c).mean()) for c in np.unique(labels)]


def balanced_accuracy(asked: Asked) -> float:
    return float(np.mean(recalls(asked.part.labels, probabilities(asked).argmax(1))))


def worst_class_accuracy(asked: Asked) -> float:
    return min(recalls(asked.part.labels, probabilities(asked).argmax(1)))


def calibration_error(asked: Asked) -> float:
    p, right = probabilities(asked).max(1), probabilities(asked).argmax(1) == asked.part.labels
    error = 0.0
    for b in range(15):
        here = (p > b / 15) & (p <= (b + 1) / 15)
        error += abs(right[here].mean() - p[here].mean()) * here.mean() if here.any() else 0.0
    return error


def logistic_accuracy(asked: Asked) -> float:
    """scikit-learn's own regression on the same values; C as the probe has it."""
    x, seen = per_example(asked.train.x), per_example(asked.part.x)
    scale = np.sqrt(x.var(0).mean())
    fit = linear_model.LogisticRegression(C=C, tol=TOLERANCE, max_iter=1000).fit((x - x.mean(0)) / scale, asked.train.labels)
    return float(fit.score((seen - x.mean(0)) / scale, asked.part.labels))


def clusters(asked: Asked) -> np.ndarray:
    return asked.model.assign(asked.part.batch.target).numpy()


def table(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([[int(((a == i) & (b == j)).sum()) for j in np.unique(b)] for i in np.unique(a)])


def mutual_information(a: np.ndarray, b: np.ndarray) -> float:
    """2 I(a; b) / (H(a) + H(b))."""
    joint = table(a, b) / len(a)
    ha, hb, hab = (stats.entropy(p.ravel()) for p in (joint.sum(1), joint.sum(0), joint))
    return float(2 * (ha + hb - hab) / (ha + hb))


def rand_index(a: np.ndarray, b: np.ndarray) -> float:
    """Hubert & Arabie 1985, equation 5, by counting pairs."""
    counts = table(a, b)
    together = sum(comb(n, 2) for n in counts.ravel())
    rows, columns = (sum(comb(int(n), 2) for n in counts.sum(axis)) for axis in (1, 0))
    chance = rows * columns / comb(len(a), 2)
    return (together - chance) / ((rows + columns) / 2 - chance)


def nmi(asked: Asked) -> float:
    return mutual_information(asked.part.labels, clusters(asked))


def ari(asked: Asked) -> float:
    return rand_index(asked.part.labels, clusters(asked))


def silhouette(asked: Asked) -> float:
    return float(metrics.silhouette_score(per_example(asked.part.x), clusters(asked)))


def to_centres(asked: Asked) -> np.ndarray:
    return spatial.distance.cdist(per_example(asked.part.x), f64(asked.model.centres))


def inertia(asked: Asked) -> float:
    return float((to_centres(asked).min(1) ** 2).sum())


def within_cluster_distance(asked: Asked) -> float:
    return float(to_centres(asked).min(1).mean())


def between_center_distance(asked: Asked) -> float:
    return float(spatial.distance.pdist(f64(asked.model.centres)).mean())


def volume_saved(asked: Asked) -> float:
    """Of bytes: an example is 64, its prototype's number (of 10) half a byte, and 10 prototypes are 640."""
    n = len(asked.part)
    return 1 - (n * 4 / 8 + 10 * 64) / (n * 64)


def mixture_density(asked: Asked) -> np.ndarray:
    """log p(x) of each example, by SciPy's densities or a sum over the bits."""
    model, x = asked.model, per_example(asked.part.x)
    if asked.run.model_name == "gmm":
        parts = [gaussian(x, mean, scale) for mean, scale in zip(f64(model.means), f64(model.scales()), strict=True)]
    else:
        parts = [bernoulli(x, rate) for rate in f64(model.rates)]
    return np.logaddexp.reduce(np.stack(parts) + np.log(f64(model.weights))[:, None])


def gaussian(x: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return stats.multivariate_normal(mean, scale @ scale.T).logpdf(x)


def bernoulli(x: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Σ x log m + (1 − x) log (1 − m)."""
    return x @ np.log(rate) + (1 - x) @ np.log1p(-rate)


def mixture_likelihood(asked: Asked) -> float:
    return float(mixture_density(asked).mean())


def class_likelihood(asked: Asked) -> float:
    """Mean log p(x|c) of each example under the mixture of its own class."""
    total = 0.0
    for x, c in zip(per_example(asked.part.x), asked.part.labels, strict=True):
        mixture = asked.model.mixtures[c]
        parts = [gaussian(x, mean, scale) for mean, scale in zip(f64(mixture.means), f64(mixture.scales()), strict=True)]
        total += np.logaddexp.reduce(np.array(parts) + np.log(f64(mixture.weights)))
    return total / len(asked.part)


def free_numbers(asked: Asked) -> int:
    """Of 10 components: weights less one, and of each pixel a mean; of a Gaussian what its covariances are free in."""
    covariances = {"diagonal": 10 * 64, "spherical": 10, "tied": 64 * 65 // 2}
    return 9 + 10 * 64 + (covariances[asked.model.covariance] if asked.run.model_name == "gmm" else 0)


def aic(asked: Asked) -> float:
    return 2 * free_numbers(asked) - 2 * float(mixture_density(asked).sum())


def bic(asked: Asked) -> float:
    return free_numbers(asked) * log(len(asked.part)) - 2 * float(mixture_density(asked).sum())


def to_units(asked: Asked) -> np.ndarray:
    return spatial.distance.cdist(per_example(asked.part.x), f64(asked.model.units))


def quantization_error(asked: Asked) -> float:
    return float(to_units(asked).min(1).mean())


def lattice() -> np.ndarray:
    """(100, 2) rows and columns."""
    return np.array([(i, j) for i in range(10) for j in range(10)], dtype=float)


def topographic_error(asked: Asked) -> float:
    order = to_units(asked).argsort(1)
    places = lattice()
    return float(np.mean([np.abs(places[a] - places[b]).max() > 1 for a, b in order[:, :2]]))


def distortion(asked: Asked) -> float:
    d, places, radius = to_units(asked), lattice(), asked.trainer.last_radius
    apart = spatial.distance.cdist(places, places)
    h = np.exp(-(apart**2) / (2 * radius**2)) if radius else (apart == 0).astype(float)
    return float(np.mean([(h[row.argmin()] * row**2).sum() for row in d]))
