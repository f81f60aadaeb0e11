"""How useful codes are: what their neighbours are, how they fill their space."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from nnlab.nn.float64 import to_float64

NEIGHBOURS = 20  # of the k-nearest-neighbour classifier
SHARPNESS = 0.07  # of the weights of its votes (Wu et al. 2018)
RANKS = (1, 5)  # k of recall@k
POINT = 1e-5  # codes that differ by less than this share of their length are one point: the rest is rounding in float32
CHUNK = 1024  # queries whose distances to all others are in memory together


def knn_accuracy(codes: Tensor, label: Tensor, train: Tensor, known: Tensor, k: int = NEIGHBOURS) -> float:
    """The share of codes (N, d) with labels (N,) that their k nearest of `train` (M, d) with labels `known` (M,) tell right.

    Near is by the cosine; each neighbour's vote has the weight exp(cos/0.07) (Wu et al. 2018, "Unsupervised feature learning
    via non-parametric instance discrimination", section 3.4).
    """
    train, classes = normalize(to_float64(train), dim=1), int(known.max()) + 1
    k, right = min(k, len(train)), 0
    for part, truth in zip(codes.split(CHUNK), label.split(CHUNK), strict=True):
        cosine, nearest = (normalize(to_float64(part), dim=1) @ train.mT).topk(k, dim=1)
        votes = torch.zeros(len(part), classes, dtype=train.dtype, device=train.device)
        votes.scatter_add_(1, known.to(train.device)[nearest], ((cosine - 1) / SHARPNESS).exp())
        right += int((votes.argmax(1) == truth.to(train.device)).sum())
    return right / len(codes)


def retrieval(codes: Tensor, label: Tensor) -> dict[str, float]:
    """Recall@k and MAP@R of codes (N, d) with classes (N,), each a query for all others, by the Euclidean distance.

    recall@k  share of the queries that have one of their class among the k nearest other codes; k is 1 and 5
    MAP@R     mean over the queries of 1/R Σ_{i ≤ R} precision(i) · [the i-th nearest is of the class], with R the number of
              others of the class (Musgrave et al. 2020, "A metric learning reality check")

    A query without another of its class does not count.

    Returns recall_at_1, recall_at_5 and map_at_r; nothing if no query has another of its class.
    """
    codes, found, averages, n = to_float64(codes), dict.fromkeys(RANKS, 0), 0.0, 0
    label = label.to(codes.device)
    relatives = counts_of(label) - 1
    most = int(relatives.max())
    if most < 1:
        return {}
    for start in range(0, len(codes), CHUNK):
        part = codes[start : start + CHUNK]
        distance = torch.cdist(part, codes)
        own = torch.arange(start, start + len(part), device=codes.device)
        distance[torch.arange(len(part), device=codes.device), own] = torch.inf
        nearest = distance.topk(min(max(most, *RANKS), len(codes) - 1), largest=False).indices
        right = label[nearest] == label[own, None]
        rank = torch.arange(1, right.shape[1] + 1, device=codes.device)
        r = relatives[own]
        counted = right & (rank <= r[:, None])
        precision = counted.cumsum(1) / rank
        valid = r > 0
        averages += ((precision * counted).sum(1) / r.clamp(min=1))[valid].double().sum().item()
        for k in RANKS:
            found[k] += int(right[valid, :k].any(1).sum())
        n += int(valid.sum())
    return {**{f"recall_at_{k}": count / n for k, count in found.items()}, "map_at_r": averages / n}


def counts_of(label: Tensor) -> Tensor:
    """(N,) how many of labels (N,) are equal to each."""
    _, number, counts = label.unique(return_inverse=True, return_counts=True)
    return counts[number]


def uniformity(codes: Tensor) -> float:
    """log E exp(−2 ‖z_i − z_j‖²) over pairs i ≠ j of codes (N, d), each scaled to length 1 (Wang & Isola 2020).

    0: all are one point. About −4: many codes, spread evenly over a sphere of many dimensions. A code that is 0 stays 0.
    """
    z = normalize(to_float64(codes), dim=1)
    length = z.square().sum(1)  # 1, or 0 of a code that is 0
    square = (length[:, None] + length - 2 * z @ z.mT).clamp(min=0)
    n = len(z)
    near = (-2 * square).exp().fill_diagonal_(0)
    return (near.sum() / (n * (n - 1))).log().item()


def alignment(first: Tensor, second: Tensor) -> float:
    """E ‖z − z′‖² of codes of two views, (N, d) each, scaled to length 1 (Wang & Isola 2020); 0: the same."""
    a, b = (normalize(to_float64(view), dim=1) for view in (first, second))
    return (a - b).square().sum(1).mean().item()


def effective_rank(codes: Tensor) -> float:
    """exp(−Σ p_i log p_i) with p the singular values of centred codes (N, d), as shares of their sum (Roy & Vetterli 2007).

    d: all directions are used alike; 1: codes on a line; 0: all codes are one point, up to rounding.
    """
    codes = to_float64(codes)
    values = torch.linalg.svdvals(codes - codes.mean(0))
    if values[0] <= POINT * codes.norm():
        return 0.0
    p = values / values.sum()
    return torch.special.entr(p).sum().exp().item()
