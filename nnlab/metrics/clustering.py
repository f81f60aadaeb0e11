"""Metrics of clusters: agreement with classes, separation, and saved volume."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from nnlab.nn.float64 import to_float64

SILHOUETTES = 1000  # points for the silhouette, which needs the distances of all pairs


def agreement(clusters: Tensor, labels: Tensor) -> dict[str, float]:
    """The agreement of clusters (N,) and classes (N,), by scikit-learn.

    Figures:
    nmi  normalised mutual information of clusters and classes (arithmetic mean), 0 … 1; higher is better
    ari  adjusted Rand index of clusters and classes (Hubert & Arabie 1985): 0 for chance, 1 if equal; higher is better
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    a, b = labels.cpu().numpy(), clusters.cpu().numpy()
    with warnings.catch_warnings():  # sklearn warns about few clusters, which is fine here
        warnings.simplefilter("ignore")
        return {"nmi": float(normalized_mutual_info_score(a, b)), "ari": float(adjusted_rand_score(a, b))}


def silhouette(x: Tensor, clusters: Tensor) -> dict[str, float]:
    """The mean of (b − a)/max(a, b) over points (N, D) with clusters (N,) (Rousseeuw 1987).

    a  a point's mean distance to the others of its cluster, b to those of the nearest other cluster; 0 for a single point
    No value if all points are in one cluster.

    Figures:
    silhouette  separation of the clusters, −1 … 1: mean (b − a)/max(a, b) with the mean distance a to the own cluster
                and b to the nearest other one, over at most 1,000 points; higher is better
    """
    names, own = clusters.unique(return_inverse=True)
    if len(names) < 2:
        return {}
    x = to_float64(x.flatten(1))
    member = to_float64(torch.nn.functional.one_hot(own.to(x.device), len(names)))
    count, place = member.sum(0), own.to(x.device)[:, None]
    total = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist") @ member
    alone = count[place[:, 0]] == 1
    a = total.gather(1, place)[:, 0] / (count[place[:, 0]] - 1).clamp(min=1)
    b = (total / count).scatter(1, place, torch.inf).amin(1)
    value = (b - a) / torch.maximum(a, b).clamp(min=torch.finfo(torch.float64).tiny)
    return {"silhouette": value.masked_fill(alone, 0).mean().item()}


def criteria(log_likelihood: float, n: int, free: int) -> dict[str, float]:
    """The criteria of a total log-likelihood over n examples, nats, with this many free parameters.

    Figures:
    aic  Akaike's criterion 2·(free numbers) − 2·log-likelihood of the whole split; lower is better
    bic  Schwarz's criterion (free numbers)·log n − 2·log-likelihood of the whole split; lower is better
    """
    return {"aic": 2 * free - 2 * log_likelihood, "bic": free * math.log(n) - 2 * log_likelihood}


def saved(n: int, features: int, clusters: int) -> float:
    """The share of the volume that is saved if each example is stored as the number of its prototype.

    The prototypes count too, so it is below 0 if there are more prototypes than examples.
    """
    number = math.ceil(math.log2(max(clusters, 2))) / 8  # bytes of a cluster's number; one byte per value
    return 1 - (n * number + clusters * features) / (n * features)
