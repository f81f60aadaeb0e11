"""The Jacobian's squared norm against torch.func's Jacobian, and against functions whose Jacobian is known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nnlab.metrics.jacobian import squared_jacobian


@pytest.mark.parametrize("codes", [1, 5, 40])
def test_it_is_that_of_each_examples_own_jacobian(codes):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 9), nn.Tanh(), nn.Linear(9, codes), nn.Sigmoid())
    x = torch.rand(7, 1, 3, 4)
    own = torch.func.vmap(torch.func.jacrev(lambda one: net(one[None])[0]))(x)
    torch.testing.assert_close(squared_jacobian(net, x), own.square().flatten(1).sum(1))
    with torch.inference_mode():
        torch.testing.assert_close(squared_jacobian(net, x.clone()), own.square().flatten(1).sum(1))


def test_of_a_linear_map_it_is_the_sum_of_its_squares_everywhere():
    layer = nn.Linear(6, 4)
    expected = layer.weight.detach().square().sum().expand(5)
    torch.testing.assert_close(squared_jacobian(layer, torch.randn(5, 6)), expected)
