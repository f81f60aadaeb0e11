"""What the first pass over the training set records under train/: its terms with the weights before it."""

from __future__ import annotations

import numpy as np
from expected_outputs import per_example
from recorded_run import Asked, f64
from scipy import spatial, special, stats
from sklearn import decomposition


def everything(asked: Asked) -> np.ndarray:
    split = asked.trainer.data.train
    return per_example(f64(split.values(split.rows)))


def first_centres(asked: Asked) -> np.ndarray:
    """Of the start with the least inertia."""
    x = everything(asked)
    return min(f64(asked.model.starts), key=lambda centres: (spatial.distance.cdist(x, centres).min(1) ** 2).sum())


def to_first_centres(asked: Asked) -> np.ndarray:
    return spatial.distance.cdist(everything(asked), first_centres(asked))


def inertia(asked: Asked) -> float:
    return float((to_first_centres(asked).min(1) ** 2).sum())


def center_shift(asked: Asked) -> float:
    x, nearest, centres = everything(asked), to_first_centres(asked).argmin(1), first_centres(asked)
    return float(max(np.linalg.norm(x[nearest == k].mean(0) - centre) for k, centre in enumerate(centres)))


def empty_clusters(asked: Asked) -> float:
    return float(10 - len(np.unique(to_first_centres(asked).argmin(1))))


def joint_density(asked: Asked) -> np.ndarray:
    """log p(x) of the training set under a mixture as it begins."""
    model, x = asked.model, everything(asked)
    if asked.run.model_name == "gmm":
        parts = [
            stats.multivariate_normal(m, s @ s.T).logpdf(x) for m, s in zip(f64(model.means), f64(model.scales()), strict=True)
        ]
    else:
        parts = [x @ np.log(m) + (1 - x) @ np.log1p(-m) for m in f64(model.rates)]
    return np.logaddexp.reduce(np.stack(parts) + np.log(f64(model.weights))[:, None])


def log_likelihood(asked: Asked) -> float:
    return float(joint_density(asked).mean())


def bernoulli_bound(asked: Asked) -> float:
    """With the Beta prior Π m^a (1 − m)^a."""
    m, a = f64(asked.model.rates), asked.model.pseudo_count
    return log_likelihood(asked) + float(a * (np.log(m) + np.log1p(-m)).sum()) / len(everything(asked))


def class_likelihood(asked: Asked) -> float:
    split, x, total = asked.trainer.data.train, everything(asked), 0.0
    for row, c in zip(x, split.labels(split.rows).tolist(), strict=True):
        mixture = asked.model.mixtures[c]
        parts = [
            stats.multivariate_normal(m, s @ s.T).logpdf(row)
            for m, s in zip(f64(mixture.means), f64(mixture.scales()), strict=True)
        ]
        total += float(np.logaddexp.reduce(np.array(parts) + np.log(f64(mixture.weights))))
    return total / len(x)


def class_collapsed(asked: Asked) -> float:
    """Components that all points of their class together make responsible for less than two points."""
    split, x, total = asked.trainer.data.train, everything(asked), 0
    labels = split.labels(split.rows).numpy()
    for c, mixture in enumerate(asked.model.mixtures):
        own = x[labels == c]
        parts = [
            stats.multivariate_normal(m, s @ s.T).logpdf(own)
            for m, s in zip(f64(mixture.means), f64(mixture.scales()), strict=True)
        ]
        r = special.softmax(np.stack(parts) + np.log(f64(mixture.weights))[:, None], axis=0)
        total += int((r.sum(1) < min(2, len(own) / len(r))).sum())
    return total


def left_over(asked: Asked) -> float:
    """The variance beyond the components."""
    x = everything(asked)
    return float(np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1][asked.model.latent_dim :].sum())


def explained_variance(asked: Asked) -> float:
    fit = decomposition.PCA(asked.model.latent_dim, svd_solver="full").fit(everything(asked))
    return float(fit.explained_variance_ratio_.sum())


def quantization_error(asked: Asked) -> float:
    x = per_example(f64(asked.first.target))
    return float(spatial.distance.cdist(x, f64(asked.model.units)).min(1).mean())


def memory_energy(asked: Asked) -> float:
    """Hebb's rule W = (1/N) Σ ξξ′ without a diagonal, and the mean energy of what is stored."""
    s = np.where(everything(asked) > 0.5, 1.0, -1.0)
    w = s.T @ s / s.shape[1]
    np.fill_diagonal(w, 0)
    return float(np.mean([-0.5 * v @ w @ v for v in s]))


def load(asked: Asked) -> float:
    return len(everything(asked)) / 64
