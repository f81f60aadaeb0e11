"""The memory order of a gradient: torch's fused optimizers read parameter and gradient side by side, and do not look at it."""

from __future__ import annotations

import pytest
import torch
from conftest import built

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
