"""torch's optimizers without an import of torch's compiler, which takes two seconds.

Some methods of an optimizer have a decorator that excludes them from compiled programs. It imports the compiler
(`torch._dynamo`) at the first call. nnlab never compiles an optimizer's step: `trainer.compile` compiles only the losses.
The results are the same to the last bit.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from torch.optim import Optimizer


def spare_the_compiler() -> None:
    """Remove the decorators of torch's optimizers that import the compiler."""
    for method in vars(Optimizer).values():
        plain = getattr(method, "__wrapped__", None)
        if plain is not None:
            plain.__dynamo_disable = plain  # `torch._disable_dynamo` stores the compiler's result here


def stepper(optimizer: Optimizer) -> Callable[[], None]:
    """`optimizer.step()` without its decorators."""
    plain = inspect.unwrap(type(optimizer).step)

    @torch.no_grad()
    def step() -> None:
        plain(optimizer)

    return step
