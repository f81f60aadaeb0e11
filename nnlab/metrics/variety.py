"""How much variations of examples differ, beside how much the examples of a class do."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.nn.float64 import to_float64


def variety(x: Tensor, first: Tensor, second: Tensor, label: Tensor) -> dict[str, float]:
    """Mean squared distances, as shares of the mean squared distance of two examples of a class.

    x              (N, …) examples with classes (N,)
    first, second  (N, …) two variations of each
    variation_variety   of the two variations
    variation_distance  of the first from its example

    Nothing if no class has two examples that differ.
    """
    flat, a, b = (to_float64(values.flatten(1)) for values in (x, first, second))
    _, number, counts = label.unique(return_inverse=True, return_counts=True)
    means = torch.zeros(len(counts), flat.shape[1], dtype=flat.dtype, device=flat.device).index_add_(0, number, flat)
    means /= counts[:, None]
    squares = (flat - means[number]).square().sum(1)
    # Σ over ordered pairs of a class of the squared distance = 2 n Σ squares of the class; n (n − 1) pairs
    pairs = (counts * (counts - 1)).sum()
    apart = (2 * counts[number] * squares).sum() / pairs
    figures = {"variation_variety": (a - b).square().sum(1).mean(), "variation_distance": (a - flat).square().sum(1).mean()}
    return {name: float(value / apart) for name, value in figures.items()} if pairs and apart else {}
