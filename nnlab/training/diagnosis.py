"""The origin of a value that is not finite."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nnlab.checkpoints import checkpoint
from nnlab.checkpoints.progress import Progress
from nnlab.errors import RunFailed
from nnlab.runs.folder import RunFolder

if TYPE_CHECKING:
    from nnlab.training.trainer import Trainer


class Diverged(RunFailed):
    """A value that is not finite."""


def finite(tensors: Iterable[Tensor]) -> bool:
    """Whether all values are finite; waits for the device once."""
    checks = [t.isfinite().all() for t in tensors if t.is_floating_point()]
    return not checks or bool(torch.stack(checks).all())


def first_not_finite(model: nn.Module, forward: Callable[[], object]) -> str | None:
    """The first layer, in the order of computation, with a weight or an output that is not finite; None if all are."""
    places: list[str] = []

    def look(name: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: object) -> None:
            spoilt = [key for key, p in module.named_parameters(recurse=False) if not p.isfinite().all()]
            if spoilt:
                places.append(f"{name} ({type(module).__name__}): its {spoilt[0]}")
            elif isinstance(output, Tensor) and not output.isfinite().all():
                places.append(f"{name} ({type(module).__name__}): its output")

        return hook

    leaves = [(name, module) for name, module in model.named_modules() if not any(module.children())]
    hooks = [module.register_forward_hook(look(name)) for name, module in leaves if name]
    try:
        forward()
    finally:
        for hook in hooks:
            hook.remove()
    return places[0] if places else None


def divergence(trainer: Trainer, folder: RunFolder, progress: Progress, step: int, term: str, after: bool) -> Diverged:
    """The error for a value that is not finite. The layer is found by repeating the steps from the last good checkpoint.

    step   the run's step (from 0) in which the value appeared; with `after`, the number of steps before it
    """
    where, kept = "", "No checkpoint was saved before it"
    if checkpoint.available(folder.checkpoints):
        state = checkpoint.load(folder.checkpoints, "last")
        start, began = state["progress"]["step"], progress.stage_began  # a checkpoint of this stage
        alone = trainer.world.size == 1  # an update needs all processes
        layer = alone and replay(trainer, state["trainer"], start - began, step - began)
        where = f"; first layer with a value that is not finite: {layer}" if layer else ""
        kept = f"The checkpoint of step {start} is kept"
    when = f"after update {step}" if after else f"in update {step + 1}"
    return Diverged(
        f"{term} is not finite {when} (epoch {max(step - after, 0) // trainer.steps_per_epoch + 1}){where}. "
        f"{kept}. Try a smaller optimizer.lr, trainer.gradient_clip=1 or trainer.precision=float32"
    )


def replay(trainer: Trainer, state: dict, start: int, step: int) -> str | None:
    """The first layer that is not finite in update `step` of a stage, which is repeated from a state at `start`."""
    trainer.restore(state)
    while start < step:
        start += trainer.train(start, min(step - start, trainer.steps_per_epoch), lambda: False)
        trainer.meter.look()
    return trainer.diagnose(step)
