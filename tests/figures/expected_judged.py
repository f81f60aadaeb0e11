"""Figures that a judge, a trained classifier, finds of what a model makes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from expected_classes import recalls
from expected_outputs import first_stage, given
from recorded_run import Asked, f64, fork_rng
from scipy import spatial, stats
from sklearn import metrics, neighbors

from nnlab.data.feed import BatchBuilder


def judged(asked: Asked) -> dict[str, np.ndarray]:
    """Features and class probabilities of data and of as many samples, of the classes asked for where there are any."""
    judge, model, part = asked.trainer.judge, asked.model, asked.part
    with fork_rng(asked.trainer) as generator, torch.no_grad():
        if hasattr(model, "sample_class"):
            samples = model.sample_class(part.batch.label, generator)
        else:
            samples = model.sample(len(part), generator)
        real, fake = (judge.model.features(judge.adapt(x)) for x in (part.batch.target, samples))
        found = {"real": f64(real), "fake": f64(fake)}
        return found | {f"{k}_classes": f64(judge.model.decide(v)) for k, v in (("real", real), ("fake", fake))}


def frechet_distance(asked: Asked) -> float:
    found = judged(asked)
    return distance(found["real"], found["fake"])


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Of two sets of features (N, d), each taken as a Gaussian."""
    ca, cb = np.cov(a.T), np.cov(b.T)
    roots = np.sqrt(np.linalg.eigvals(ca @ cb).real.clip(0))  # whose sum is the trace of the root
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca + cb) - 2 * roots.sum())


def kernel_distance(asked: Asked) -> float:
    found = judged(asked)
    a, b = found["real"], found["fake"]
    k = lambda x, y: metrics.pairwise.polynomial_kernel(x, y, degree=3, coef0=1)  # noqa: E731
    n, m = len(a), len(b)
    aa, bb = k(a, a), k(b, b)
    within = (aa.sum() - np.trace(aa)) / (n * (n - 1)) + (bb.sum() - np.trace(bb)) / (m * (m - 1))
    return float(within - 2 * k(a, b).mean())


def share_inside(of: np.ndarray, among: np.ndarray) -> float:
    """The share of points that lie in a ball about another set's point as wide as to its third nearest neighbour."""
    radii = neighbors.NearestNeighbors(n_neighbors=4).fit(among).kneighbors(among)[0][:, 3]
    return float((spatial.distance.cdist(of, among) <= radii).any(1).mean())


def precision(asked: Asked) -> float:
    found = judged(asked)
    return share_inside(found["fake"], found["real"])


def recall(asked: Asked) -> float:
    found = judged(asked)
    return share_inside(found["real"], found["fake"])


def shares(asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    found = judged(asked)
    counted = [np.bincount(found[f"{k}_classes"].argmax(1), minlength=10) for k in ("fake", "real")]
    return tuple(c / c.sum() for c in counted)


def mode_coverage(asked: Asked) -> float:
    fake, real = shares(asked)
    return float(sum(f >= 0.1 * r for f, r in zip(fake, real, strict=True) if r > 0))


def min_class_share(asked: Asked) -> float:
    fake, real = shares(asked)
    return float(min(f for f, r in zip(fake, real, strict=True) if r > 0))


def class_divergence(asked: Asked) -> float:
    return float(stats.entropy(*shares(asked)))


def conditional_accuracy(asked: Asked) -> float:
    return float((judged(asked)["fake_classes"].argmax(1) == asked.part.labels).mean())


def worst_conditional_accuracy(asked: Asked) -> float:
    return min(recalls(asked.part.labels, judged(asked)["fake_classes"].argmax(1)))


def of_images(asked: Asked, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The judge's features of images, and the classes that it sees."""
    judge = asked.trainer.judge
    with torch.no_grad():
        features = judge.model.features(judge.adapt(x.float()))
        return f64(features), judge.model.decide(features).argmax(1).numpy()


def rebuilt(asked: Asked) -> torch.Tensor:
    with torch.no_grad():
        return asked.model.eval().reconstruct(asked.part.batch.input)  # of a cvae without being told the class


def clean(asked: Asked) -> torch.Tensor:
    split = asked.trainer.data.split(asked.split)
    return torch.cat([b.target for b in BatchBuilder(split).sequential(torch.Generator())])


def far(image: Callable[[Asked], torch.Tensor]) -> Callable[[Asked], float]:
    """The Fréchet distance of images from the clean ones."""
    return lambda asked: distance(of_images(asked, clean(asked))[0], of_images(asked, image(asked))[0])


def recognized(image: Callable[[Asked], torch.Tensor]) -> Callable[[Asked], float]:
    """The share of images that are seen as their class."""
    return lambda asked: float((of_images(asked, image(asked))[1] == asked.part.labels).mean())


def enlarged(asked: Asked) -> torch.Tensor:
    return torch.from_numpy(given(asked).copy())


def of_first_stage(asked: Asked) -> torch.Tensor:
    return torch.from_numpy(first_stage(asked))


def coarser(asked: Asked) -> torch.Tensor:
    """Images of 8×8 pixels without what 4×4 of them cannot hold: by the weights of a pixel's neighbours along each side."""
    smaller, larger = np.zeros((4, 8)), np.zeros((8, 4))
    for i in range(4):
        for j, weight in zip(range(2 * i - 1, 2 * i + 3), (1, 3, 3, 1), strict=True):
            larger[min(max(j, 0), 7), i] += weight / 4
            if 0 <= j < 8:
                smaller[i, j] = weight
    both = larger @ (smaller / smaller.sum(1, keepdims=True))
    return torch.from_numpy(both @ asked.part.x @ both.T)


reconstruction_frechet, class_agreement = far(rebuilt), recognized(rebuilt)
input_frechet, input_class_agreement = far(enlarged), recognized(enlarged)
srresnet_frechet, srresnet_class_agreement = far(of_first_stage), recognized(of_first_stage)
coarser_frechet, coarser_class_agreement = far(coarser), recognized(coarser)
judge_accuracy = recognized(clean)
