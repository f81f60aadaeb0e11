"""Running statistics of batch normalisation, of weights that have not learned."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nnlab.nn.batch_norm import SharedBatchNorm
from nnlab.nn.settle import settle
from nnlab.nn.world import ALONE


def shared(width: int) -> SharedBatchNorm:
    layer = SharedBatchNorm(width)
    layer.world = ALONE
    return layer


@pytest.mark.parametrize("norm", [nn.BatchNorm1d, shared])
def test_running_statistics_become_the_means_over_the_batches_without_dropout(norm) -> None:
    net = nn.Sequential(norm(3), nn.Dropout(0.5), norm(3)).train()
    net[2].eval()
    x = 5 + 2 * torch.randn(61, 3)
    x[30:] += 100  # so that the batches differ
    settle(net, net, x.split(20))  # the last of a single example
    parts = x[:60].split(20)
    assert torch.allclose(net[0].running_mean, x[:60].mean(0), rtol=1e-4)
    assert torch.allclose(net[0].running_var, sum(part.var(0) for part in parts) / 3, rtol=1e-4)
    assert torch.allclose(net[2].running_mean, torch.zeros(3), atol=1e-4)
    assert torch.allclose(net[2].running_var, torch.full((3,), 20 / 19), atol=1e-2), "dropout would double the variance"
    assert [layer.training for layer in net] == [True, True, False]
    assert net[0].momentum == 0.1
    assert net[0].weight.grad is None


def test_a_small_batch_counts_less() -> None:
    net, x = nn.Sequential(nn.BatchNorm1d(3)), torch.randn(12, 3)
    settle(net, net, x.split(10))
    assert torch.allclose(net[0].running_mean, x.mean(0), atol=1e-6)


def test_without_batch_normalisation_nothing_is_computed() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    settle(net, pytest.fail, iter([torch.zeros(2, 3)]))
