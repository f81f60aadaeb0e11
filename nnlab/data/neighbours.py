"""An order of the examples in which those of a batch are near to each other."""

from __future__ import annotations

import torch
from torch import Tensor


def near_order(vectors: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """(n,) the numbers of n vectors (n, d) in an order in which each `size` of them, one after another, are near.

    They are the leaves of a random projection tree (Dasgupta & Freund 2008, "Random projection trees and low dimensional
    manifolds"): a part is cut in two across a line, and each half is cut again. Here a line goes through two vectors of the
    part, drawn at random, since a random direction would say little in many dimensions. A cut is as near to the middle as
    whole groups allow. The groups come in a random order; fewer than `size` vectors come last.
    """
    groups: list[Tensor] = []
    parts = [torch.randperm(len(vectors), generator=generator)]
    while parts:
        part = parts.pop()
        if len(part) <= size:
            groups.append(part)
            continue
        first, second = vectors[part[torch.randperm(len(part), generator=generator)[:2]]]
        part = part[(vectors[part] @ (first - second)).argsort(stable=True)]
        middle = max(1, round(len(part) / (2 * size))) * size
        parts += [part[:middle], part[middle:]]
    whole = [group for group in groups if len(group) == size]
    rest = [group for group in groups if len(group) < size]
    return torch.cat([*(whole[i] for i in torch.randperm(len(whole), generator=generator).tolist()), *rest])
