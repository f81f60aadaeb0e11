"""Running averages of weights against the recursion they are defined by."""

from __future__ import annotations

import torch
from torch import nn

from nnlab.families.gan.networks import with_spectral_norm
from nnlab.nn.ema import WARM_UP, ExponentialMovingAverage


def test_the_average_follows_its_recursion() -> None:
    torch.manual_seed(0)
    modules = {"a": nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), "b": nn.Linear(2, 2)}
    averaged = ExponentialMovingAverage(modules)
    expected = {key: value.clone() for key, value in averaged.state_dict().items()}
    for t in range(1, 30):
        for module in modules.values():
            for p in module.parameters():
                p.data.normal_()
        modules["a"](torch.randn(5, 3))
        averaged.update_parameters(modules, 0.9)
        decay = min(0.9, (1 + t) / (WARM_UP + t))
        for name, module in modules.items():
            for key, value in module.state_dict().items():
                whole = f"{name}.{key}"
                mixed = decay * expected[whole] + (1 - decay) * value if value.is_floating_point() else value
                expected[whole] = mixed
    found = averaged.state_dict()
    for key, value in expected.items():
        if key != "updates":
            torch.testing.assert_close(found[key], value, rtol=1e-5, atol=1e-6)


def test_only_what_learns_is_averaged_and_a_restart_begins_at_the_weights() -> None:
    modules = {"a": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))}
    first, second = modules["a"]
    averaged = ExponentialMovingAverage(modules)
    own = averaged["a"]
    for learning, other in ((first, second), (second, first)):
        kept = own[list(modules["a"]).index(other)].weight.clone()
        with torch.no_grad():
            learning.weight.add_(1)
            other.weight.add_(1)
        averaged.follow([learning])
        averaged.restart(modules)
        mine = own[list(modules["a"]).index(learning)]
        assert torch.equal(mine.weight, learning.weight)
        with torch.no_grad():
            learning.weight.add_(11)
        averaged.update_parameters(modules, 0.9)
        assert torch.allclose(mine.weight, learning.weight - 2)  # the first decay is 2/11
        assert torch.equal(own[list(modules["a"]).index(other)].weight, kept)


def test_nothing_moves_while_only_others_learn() -> None:
    layer = nn.Linear(2, 2)
    averaged = ExponentialMovingAverage({"a": layer})
    averaged.follow([nn.Linear(2, 2)])
    kept = averaged["a"].weight.clone()
    with torch.no_grad():
        layer.weight.add_(1)
    averaged.restart({"a": layer})
    averaged.update_parameters({"a": layer}, 0.5)
    assert torch.equal(averaged["a"].weight, kept)


def test_copies_neither_learn_nor_leave_evaluation() -> None:
    averaged = ExponentialMovingAverage({"a": nn.BatchNorm1d(2)})
    nn.Sequential(averaged).train()
    assert not any(module.training for module in averaged.modules())
    assert not any(p.requires_grad for p in averaged.parameters())


def test_what_spectral_normalisation_keeps_stays_of_length_one() -> None:
    torch.manual_seed(0)
    layer = with_spectral_norm(nn.Linear(6, 5)).train()
    averaged = ExponentialMovingAverage({"a": layer})
    for _ in range(20):
        layer.parametrizations.weight.original.data.normal_()
        layer(torch.zeros(1, 6))
        averaged.update_parameters({"a": layer}, 0.99)
    kept = {key: value for key, value in averaged.state_dict().items() if key.endswith(("_u", "_v"))}
    assert len(kept) == 2
    assert all(abs(vector.norm().item() - 1) < 1e-5 for vector in kept.values())
