"""Precision and recall of generated examples in a space of features."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.metrics.checks import feature_sets, row_blocks


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> dict[str, float]:
    """`precision` and `recall` of features fake (M, d) against real (N, d), each a share in 0 … 1.

    A set's manifold is the union of closed balls, one around each of its points. The radius is the distance to the k-th
    nearest other point of the set.

    precision = the share of fakes within the reals' manifold;  recall = the share of reals within the fakes'

    Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric for Assessing Generative Models", with k = 3. Both depend
    on N and M: compare only values of equal counts. Blocks of bounded memory. Raises ValueError unless k ≥ 1, both have
    at least k + 1 examples, and one width.
    """
    if k < 1:
        raise ValueError(f"k: expected at least 1 neighbour, got {k}")
    real, fake = feature_sets({"real": real, "fake": fake}, least=k + 1)
    real_radii, fake_radii = radii(real, k), radii(fake, k)
    good = 0
    recalled = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for rows in row_blocks(fake, len(real)):
        between = distances(fake[rows], real)
        good += (between <= real_radii).any(1).sum()
        recalled |= (between <= fake_radii[rows, None]).any(0)
    return {"precision": good.item() / len(fake), "recall": recalled.sum().item() / len(real)}


def radii(x: Tensor, k: int) -> Tensor:
    """(N,) Euclidean distance of each point of x (N, d) to its k-th nearest other point; 0 where it has k duplicates."""
    parts = []
    for rows in row_blocks(x, len(x)):
        others = distances(x[rows], x)
        others.diagonal(rows.start).fill_(torch.inf)  # a point is not its own neighbour; its duplicates are
        parts.append(others.topk(k, dim=1, largest=False).values[:, -1])
    return torch.cat(parts)


def distances(x: Tensor, y: Tensor) -> Tensor:
    """(N, M) Euclidean distances.

    Summed from differences, √Σ (x − y)², at several times the cost of ‖x‖² − 2x·y + ‖y‖²: duplicates are at exactly 0, and
    a distance is the same in whatever block it is computed, so that a ball of radius 0, which collapsed generators have,
    holds what coincides with its centre.
    """
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
