"""Pictures of encoders: nearest neighbours by code, and views."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.contrastive.losses import Distance, distances
from nnlab.plotting.images import neighbours_sheet, sheet, to_pixels

QUERIES, NEAREST, VIEWED = 10, 8, 10


def neighbours_picture(
    x: Tensor, codes: Tensor, label: Tensor | None, spec: DataSpec, distance: Distance = "cosine"
) -> np.ndarray:
    """A row per query: the example (N, *shape) and the others with the nearest codes (N, d), by a distance.

    The queries are of as many classes as there are. A neighbour of another class is framed.
    """
    order = torch.arange(len(x)) if label is None else one_of_each(label.cpu())
    queries = order[:QUERIES].to(x.device)
    apart = distances(codes, distance).fill_diagonal_(torch.inf)[queries]
    count = min(NEAREST, len(x) - 1)
    nearest = apart.topk(count, dim=1, largest=False).indices
    tiles = to_pixels(x[torch.cat([queries[:, None], nearest], 1)], spec)
    titles = None if label is None else [spec.classes[c] for c in label[queries].tolist()]
    others = None if label is None else (label[nearest] != label[queries, None]).cpu().numpy()
    return neighbours_sheet(tiles, titles, others)


def one_of_each(label: Tensor) -> Tensor:
    """(N,) all places, the first of each class before the second of each, and so on."""
    order = label.argsort(stable=True)
    ranked = label[order]
    first = torch.searchsorted(ranked, ranked)
    rank = torch.empty_like(label)
    rank[order] = torch.arange(len(label)) - first
    return (rank * (int(label.max()) + 1) + label).argsort()


def views_picture(few: Batch, spec: DataSpec) -> np.ndarray:
    """Two views of each of a few examples, above each other."""
    n = min(VIEWED, len(few))
    return sheet(np.stack([to_pixels(view[:n], spec) for view in (few.target, few["view_2"])]), ["view 1", "view 2"])
