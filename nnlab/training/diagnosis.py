"""Where a value that is not finite came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from nnlab.training.trainer import Trainer


def finite(tensors: Iterable[Tensor]) -> bool:
    """Whether all values are finite; waits for the device once."""
    checks = [t.isfinite().all() for t in tensors if t.is_floating_point()]
    return not checks or bool(torch.stack(checks).all())


def first_not_finite(model: nn.Module, forward: Callable[[], object]) -> str | None:
    """The first layer, in the order of computation, with a weight or an output that is not finite; None if all are."""
    found: list[str] = []

    def look(name: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: object) -> None:
            spoilt = [key for key, p in module.named_parameters(recurse=False) if not p.isfinite().all()]
            if spoilt:
                found.append(f"{name} ({type(module).__name__}): its {spoilt[0]}")
            elif isinstance(output, Tensor) and not output.isfinite().all():
                found.append(f"{name} ({type(module).__name__}): its output")

        return hook

    leaves = [(name, module) for name, module in model.named_modules() if not any(module.children())]
    hooks = [module.register_forward_hook(look(name)) for name, module in leaves if name]
    try:
        forward()
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None


def replay(trainer: Trainer, state: dict, start: int, step: int) -> str | None:
    """The first layer that is not finite in update `step` of a stage, lived through again from a state at `start`."""
    trainer.restore(state)
    while start < step:
        start += trainer.train(start, min(step - start, trainer.steps_per_epoch), lambda: False)
        trainer.meter.look()
    return trainer.diagnose(step)
