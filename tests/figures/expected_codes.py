"""Figures of encoders without a decoder: their losses by loops, and what their codes are good for by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import exp, log

import numpy as np
import torch
from recorded_run import Asked, f64, fork_rng
from scipy import spatial, stats
from sklearn.linear_model import LogisticRegression

from nnlab.data.spec import Batch


def unit(z: np.ndarray) -> np.ndarray:
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def embedded(asked: Asked, batch: Batch) -> np.ndarray:
    """z of both views, one after the other, (2N, d); of `triplet` the embedding of its one view, (N, d)."""
    with torch.no_grad():
        if asked.model.views == 1:
            return f64(asked.model.encode(batch.target))
        return f64(asked.model.head(asked.model.encode(torch.cat([batch.target, batch["view_2"]]))))


# -- the losses, each of a batch: a value per example -----------------------------------------------------------------


def nt_xent(z: np.ndarray, label: np.ndarray) -> np.ndarray:
    cosine, n = unit(z) @ unit(z).T, len(z) // 2
    each = []
    for i in range(2 * n):
        others = [k for k in range(2 * n) if k != i]
        each.append(log(sum(exp(cosine[i, k] / 0.5) for k in others)) - cosine[i, (i + n) % (2 * n)] / 0.5)
    return (np.array(each[:n]) + each[n:]) / 2


def partners_found(z: np.ndarray, label: np.ndarray) -> np.ndarray:
    cosine, n = unit(z) @ unit(z).T - 9 * np.eye(len(z)), len(z) // 2
    right = cosine.argmax(1) == np.roll(np.arange(2 * n), n)
    return (right[:n].astype(float) + right[n:]) / 2


def supervised(z: np.ndarray, label: np.ndarray) -> np.ndarray:
    cosine, n, y = unit(z) @ unit(z).T, len(z) // 2, np.tile(label, 2)
    each = []
    for i in range(2 * n):
        others = np.arange(2 * n) != i
        total = log(np.exp(cosine[i, others] / 0.1).sum())
        each.append(total - (cosine[i] / 0.1)[others & (y == y[i])].mean())
    return (np.array(each[:n]) + each[n:]) / 2


def correlations(z: np.ndarray) -> np.ndarray:
    first, second = np.split(z, 2)
    a, b = ((v - v.mean(0)) / np.sqrt(v.var(0) + 1e-5) for v in (first, second))
    return a.T @ b / len(a)


def invariance(z: np.ndarray, label: np.ndarray) -> np.ndarray:
    return np.full(len(label), ((1 - np.diag(correlations(z))) ** 2).sum())


def redundancy(z: np.ndarray, label: np.ndarray) -> np.ndarray:
    c = correlations(z)
    return np.full(len(label), (c**2).sum() - (np.diag(c) ** 2).sum())


def twins(z: np.ndarray, label: np.ndarray) -> np.ndarray:
    return invariance(z, label) + 0.005 * redundancy(z, label)


def semi_hard(z: np.ndarray, label: np.ndarray) -> np.ndarray:
    d, found = spatial.distance.cdist(z, z), []
    for a, own in enumerate(label):
        positives = [p for p in np.flatnonzero(label == own) if p != a]
        others = d[a][label != own]
        cost = [max(0, d[a][p] - min(others[others > d[a][p]], default=others.max()) + 0.2) for p in positives]
        found.append(np.mean(cost) if cost else 0.0)
    return np.array(found)


def active(z: np.ndarray, label: np.ndarray) -> np.ndarray:
    return (semi_hard(z, label) > 0).astype(float)


def own_distance(z: np.ndarray, label: np.ndarray) -> np.ndarray:
    d, found = spatial.distance.cdist(z, z), []
    for a, own in enumerate(label):
        others = d[a][(label == own) & (np.arange(len(z)) != a)]
        found.append(others.mean() if len(others) else 0.0)
    return np.array(found)


def other_distance(z: np.ndarray, label: np.ndarray) -> np.ndarray:
    d = spatial.distance.cdist(z, z)
    return np.array([d[a][label != label[a]].mean() for a in range(len(z))])


Values = Callable[[np.ndarray, np.ndarray], np.ndarray]


def groups(asked: Asked) -> Iterator[tuple[Batch, torch.Generator]]:
    """Random groups of a split, about as large as a batch of 64; of a model that learns from classes, those of its trainer."""
    own = asked.trainer.data.split(asked.split)
    mixed = own.rows[torch.randperm(len(own), generator=torch.Generator().manual_seed(0))]
    parts = mixed.tensor_split(max(1, round(len(own) / 64)))
    with fork_rng(asked.trainer) as generator:
        for rows in asked.trainer.groups(own) if asked.model.examples_per_class else parts:
            yield asked.trainer.builder(own).batch(rows, generator), generator


def of_split(values: Values) -> Callable[[Asked], float]:
    """The mean over a split."""

    def figure(asked: Asked) -> float:
        asked.model.eval()
        return float(np.concatenate([values(embedded(asked, b), b.label.numpy()) for b, _ in groups(asked)]).mean())

    return figure


def of_first(values: Values) -> Callable[[Asked], float]:
    def term(asked: Asked) -> float:
        batch = asked.first
        return float(values(embedded(asked, batch), batch.label.numpy()).mean())

    return term


LOSSES = {
    "simclr": {"loss": nt_xent, "contrastive_accuracy": partners_found},
    "supcon": {"loss": supervised},
    "barlow_twins": {"loss": twins, "invariance": invariance, "redundancy": redundancy},
    "triplet": {
        "loss": semi_hard,
        "active_triplets": active,
        "positive_distance": own_distance,
        "negative_distance": other_distance,
    },
}
FIGURES = {(model, name): of_split(values) for model, named in LOSSES.items() for name, values in named.items()}
TERMS = {(model, name): of_first(values) for model, named in LOSSES.items() for name, values in named.items()}


def masked_error(asked: Asked, batches: list[tuple[Batch, torch.Generator]]) -> float:
    """The mean over examples of the squared error on the pixels of hidden patches, of patches of 4×4 of one channel."""
    found, model = [], asked.model
    for batch, generator in batches:
        x = f64(batch.target)
        order = torch.rand((len(x), model.count), generator=generator).argsort(1)
        with torch.no_grad():
            painted = f64(model.predict(batch.target, order))
        for n in range(len(x)):
            across = x.shape[3] // 4
            hidden = order[n, model.kept :].tolist()
            parts = [x[n, :, 4 * (t // across) :][:, :4, 4 * (t % across) :][:, :, :4].ravel() for t in hidden]
            found.append(np.mean([((painted[n, t] - part) ** 2).mean() for t, part in zip(hidden, parts, strict=True)]))
    return float(np.mean(found))


def masked_loss(asked: Asked) -> float:
    with torch.no_grad():
        found = []
        for batch, generator in groups(asked):
            found.append((masked_error(asked, [(batch, generator)]), len(batch)))
    return sum(value * n for value, n in found) / sum(n for _, n in found)


def first_masked_loss(asked: Asked) -> float:
    first = asked.first
    return masked_error(asked, [(first, asked.trainer.generator)])


FIGURES["mae", "loss"], TERMS["mae", "loss"] = masked_loss, first_masked_loss


# -- codes --------------------------------------------------------------------------------------------------------


def coded(asked: Asked, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The codes of the examples of a split as they are, and their labels."""
    own = asked.trainer.data.split(split)
    with torch.no_grad():
        return f64(asked.model.eval().encode(own.values(own.rows))), own.labels(own.rows).numpy()


def effective_rank(asked: Asked) -> float:
    codes, _ = coded(asked, asked.split)
    values = np.linalg.svd(codes - codes.mean(0), compute_uv=False)
    return float(np.exp(stats.entropy(values)))


def uniformity(asked: Asked) -> float:
    codes, _ = coded(asked, asked.split)
    return float(np.log(np.exp(-2 * spatial.distance.pdist(unit(codes)) ** 2).mean()))


def alignment(asked: Asked) -> float:
    """The views are drawn after those of the loss."""
    *_, (_, generator) = groups(asked)
    own, model = asked.trainer.data.split(asked.split), asked.model.eval()
    found = []
    with torch.no_grad():
        for batch in asked.trainer.builder(own).sequential(generator):
            first, second = (unit(f64(model.encode(view))) for view in (batch.target, batch["view_2"]))
            found.append(((first - second) ** 2).sum(1))
    return float(np.concatenate(found).mean())


def knn_accuracy(asked: Asked) -> float:
    (codes, label), (train, known) = coded(asked, asked.split), coded(asked, "train")
    cosine = unit(codes) @ unit(train).T
    near = cosine.argsort(1)[:, -20:]
    right = [
        np.bincount(known[places], weights=np.exp(row[places] / 0.07)).argmax() == truth
        for row, places, truth in zip(cosine, near, label, strict=True)
    ]
    return float(np.mean(right))


def probe_accuracy(asked: Asked) -> float:
    (codes, label), (train, known) = coded(asked, asked.split), coded(asked, "train")
    scale = np.sqrt(train.var(0).mean())
    fit = LogisticRegression(tol=1e-3, max_iter=1000).fit(((train - train.mean(0)) / scale).astype(np.float32), known)
    return float(fit.score(((codes - train.mean(0)) / scale).astype(np.float32), label))


def ranked(asked: Asked) -> list[list[bool]]:
    """Of each example of a split whether the others, the nearest first, are of its class; without those alone in theirs."""
    codes, label = coded(asked, asked.split)
    distance = spatial.distance.cdist(codes, codes)
    rows = [[label[j] == label[i] for j in distance[i].argsort() if j != i] for i in range(len(codes))]
    return [row for row in rows if any(row)]


def recall_at_1(asked: Asked) -> float:
    return float(np.mean([row[0] for row in ranked(asked)]))


def recall_at_5(asked: Asked) -> float:
    return float(np.mean([any(row[:5]) for row in ranked(asked)]))


def map_at_r(asked: Asked) -> float:
    found = []
    for row in ranked(asked):
        r = sum(row)
        found.append(sum(np.mean(row[: k + 1]) for k in range(r) if row[k]) / r)
    return float(np.mean(found))
