"""The start of clusters and mixtures."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.data.feed import eval_batch_size
from nnlab.data.split import Split


def random_rows(split: Split, n: int) -> Tensor:
    """(n,) distinct rows of a split, all equally likely."""
    return split.at(torch.randperm(len(split))[:n])


def kmeans_plusplus(split: Split, clusters: int, starts: int = 1) -> Tensor:
    """(R, K, D) points of a split, R starts of k-means++: each next point has probability ∝ its squared
    distance from the nearest point so far (Arthur & Vassilvitskii 2007). If all these distances are 0, all are equally likely.
    """
    n, device = len(split), split.device
    nearest = torch.full((starts, n), torch.inf, dtype=torch.float64)
    places = torch.randint(n, (starts,))
    centres = torch.empty(starts, clusters, split.features, device=device)
    for j in range(clusters):
        centres[:, j] = split.values(split.at(places)).flatten(1)
        place = 0
        for rows in split.rows.split(eval_batch_size(split)):
            x = split.values(rows).flatten(1)
            for r in range(starts):
                part = nearest[r, place : place + len(rows)]
                part.copy_(torch.minimum(part, (x - centres[r, j]).square().sum(1).cpu()))
            place += len(rows)
        weights = torch.where(nearest.sum(1, keepdim=True) > 0, nearest, 1.0)
        # inverse transform sampling: multinomial takes at most 2²⁴ weights
        cumulative = weights.cumsum(1)
        drawn = cumulative[:, -1:] * torch.rand(starts, 1, dtype=torch.float64)
        places = torch.searchsorted(cumulative, drawn).flatten().clamp(max=n - 1)
    return centres
