"""Initialization of networks from the data."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nnlab.data.feed import eval_batch_size
from nnlab.data.split import Split
from nnlab.nn.float64 import to_float64


def mean_of(split: Split) -> Tensor:
    """(*shape) the mean example of a split, summed in float64."""
    total = sum(to_float64(split.values(rows)).sum(0) for rows in split.rows.split(eval_batch_size(split)))
    return (total / len(split)).float().to(split.device)


def constant_columns(split: Split) -> Tensor:
    """(D,) bool: the values of an example that are the same in all examples of a split."""
    first = split.values(split.rows[:1]).flatten(1)
    same = torch.ones_like(first[0], dtype=torch.bool)
    for rows in split.rows.split(eval_batch_size(split)):
        same &= (split.values(rows).flatten(1) == first).all(0)
    return same


@torch.no_grad()
def set_output_mean(decoder: nn.Module, split: Split, output_for: Callable[[Tensor], Tensor]) -> None:
    """Set the last bias of a decoder so that it starts from the mean example instead of gray.

    A fully connected layer has a bias for each value, a convolution one for each channel.
    """
    layer = [m for m in decoder.modules() if getattr(m, "bias", None) is not None][-1]
    mean = mean_of(split)
    if isinstance(layer, nn.Linear):
        layer.bias.copy_(output_for(mean).flatten())
    else:
        layer.bias.copy_(output_for(mean.flatten(1).mean(1)))
