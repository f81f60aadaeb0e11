"""The memory order of a gradient and of an optimizer's state: torch's fused optimizers read them by that of the parameter."""

from __future__ import annotations

import copy

import pytest
import torch
from conftest import QUIET, built
from torch import Tensor

from nnlab.model import Turn

ORDERS = (torch.contiguous_format, torch.channels_last)


def after_a_step(optimizer: str, order: torch.memory_format) -> torch.Tensor:
    """The weights after a step along a known gradient of every convolution, which is given in a memory order."""
    experiment = built(
        "model=cnn", "model.channels=[4,6]", "data=digits", f"optimizer={optimizer}", "trainer.precision=float32"
    )
    experiment.initialize()
    trainer = experiment.trainer
    trainer.start_stage(0)
    trainer.set_rates([0.1])
    weights = [p for p in trainer.player.parameters if p.ndim == 4]
    assert any(p.is_contiguous(memory_format=torch.channels_last) and not p.is_contiguous() for p in weights)
    for _ in range(2):  # the second step has what the first one left behind
        pairs = [(p, torch.linspace(-1, 1, p.numel()).view(p.shape).contiguous(memory_format=order)) for p in weights]
        trainer.make(Turn(gradients={"": pairs}))
    return torch.cat([p.detach().flatten() for p in weights])


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_a_step_does_not_depend_on_the_memory_order_of_its_gradient(optimizer: str) -> None:
    plain, last = (after_a_step(optimizer, order) for order in ORDERS)
    assert torch.allclose(plain, last, atol=1e-6)


# -- the state of a checkpoint ------------------------------------------------------------------------------------

SMALL = ["model=cnn", "model.channels=[4]", "model.hidden=8", "data=digits", "trainer.batch_size=64"]
SMALL += ["trainer.precision=float32"]


def contiguous(value: object) -> object:
    """The same state as a network of another memory order would have saved it."""
    if isinstance(value, Tensor):
        return value.contiguous()
    return {key: contiguous(each) for key, each in value.items()} if isinstance(value, dict) else value


def weights_after_a_step(state: dict, convert: bool) -> list[Tensor]:
    experiment = built(*SMALL, "trainer.steps=20", *QUIET)
    experiment.initialize()
    trainer = experiment.trainer
    trainer.restore(contiguous(copy.deepcopy(state)) if convert else copy.deepcopy(state))
    trainer.train(5, 1, lambda: False)
    return [parameter.detach().clone() for parameter in experiment.model.parameters()]


def test_a_checkpoint_of_another_memory_order_goes_on_the_same() -> None:
    experiment = built(*SMALL, "trainer.steps=20", *QUIET)
    experiment.initialize()
    experiment.trainer.train(0, 5, lambda: False)
    state = copy.deepcopy(experiment.trainer.state())
    kernel = next(experiment.model.parameters())
    assert not experiment.model.body[3].weight.is_contiguous(), "the kernels of cnn are channels last"
    assert kernel.dim() == 4
    same, other = (weights_after_a_step(state, convert) for convert in (False, True))
    assert all(torch.equal(a, b) for a, b in zip(same, other, strict=True))
