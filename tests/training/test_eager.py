"""An optimizer's step without torch's decorators is the same step."""

from __future__ import annotations

import pytest
import torch

from nnlab.training.eager import stepper


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD", "RMSprop"])
def test_the_step_is_the_same_to_the_last_bit(name: str) -> None:
    def trained(plain: bool) -> torch.Tensor:
        w = torch.nn.Parameter(torch.linspace(-1, 1, 7))
        optimizer = getattr(torch.optim, name)([w], lr=0.1, weight_decay=0.01)
        step = optimizer.step if plain else stepper(optimizer)
        for _ in range(3):
            (w**4).sum().backward()
            step()
            optimizer.zero_grad()
        return w.detach()

    assert torch.equal(trained(plain=True), trained(plain=False))
    assert not torch.equal(trained(plain=False), torch.linspace(-1, 1, 7))
