"""torch's optimizers without torch's compiler, which takes two seconds to import.

Several methods of an optimizer are decorated so that a compiled program leaves them alone, and the decorators import the
compiler (`torch._dynamo`) at their first call. No program of nnlab's contains an optimizer's step: `trainer.compile` is of
the losses alone. What is computed here is the same to the last bit.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from torch.optim import Optimizer


def spare_the_compiler() -> None:
    """Tell torch's optimizers that they need no compiler to be left alone by it."""
    for method in vars(Optimizer).values():
        plain = getattr(method, "__wrapped__", None)
        if plain is not None:
            plain.__dynamo_disable = plain  # where `torch._disable_dynamo` keeps what the compiler made of it


def stepper(optimizer: Optimizer) -> Callable[[], None]:
    """`optimizer.step()` without its decorators."""
    plain = inspect.unwrap(type(optimizer).step)

    @torch.no_grad()
    def step() -> None:
        plain(optimizer)

    return step
