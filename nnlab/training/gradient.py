"""Learning by the gradient of a batch's mean loss: one player, one optimizer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from nnlab.config.build import build, target
from nnlab.data.spec import Batch
from nnlab.training.diagnosis import first_not_finite
from nnlab.training.options import GradientOptions
from nnlab.training.precision import Precision
from nnlab.training.schedules import Clock, Schedule, Scheduled
from nnlab.training.trainer import Setting, Trainer

STAGE = 2**32  # more epochs than a stage will ever have: each stage has orders of its own


def build_optimizer(
    node: Mapping, parameters: Iterable[nn.Parameter], clock: Clock, device: torch.device
) -> tuple[torch.optim.Optimizer, Scheduled]:
    """The optimizer of a config's node over those parameters that learn, with its rate's schedule; fused where torch can."""
    node = dict(node)
    schedule = build(node.pop("schedule"), Schedule, place="optimizer.schedule")
    cls = target(node["_target_"], "optimizer")
    fused = {"fused": True} if "fused" in inspect.signature(cls).parameters and device.type in ("cpu", "cuda") else {}
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    optimizer = build(node, torch.optim.Optimizer, learning, place="optimizer", **fused)
    return optimizer, Scheduled(schedule, node["lr"], clock)


class GradientTrainer(Trainer):
    """One step: gather, cast, noise, forward, backward, clip, optimizer step, meter; nothing of it waits for the device."""

    options = GradientOptions
    learns = "by gradient"
    uses = frozenset({"optimizer", "noise", "augmentation"})

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.gradient_clip = setting.options.gradient_clip
        self.precision = Precision(setting.options.precision, self.device, self.model)
        self.optimizer_node = setting.optimizer
        self.enter(0)

    def learner(self, stage: int) -> tuple[Iterable[nn.Parameter], Mapping]:
        """What learns in a stage, and the node of the optimizer that it learns by."""
        return self.model.parameters(), self.optimizer_node

    def enter(self, stage: int) -> None:
        super().enter(stage)
        parameters, node = self.learner(stage)
        clock = Clock(self.stages[stage].steps, self.steps_per_epoch)
        self.optimizer, self.rate = build_optimizer(node, parameters, clock, self.device)
        self._order: tuple[int, Tensor] | None = None

    def rows(self, step: int) -> Tensor:
        """The rows of the batch of an update of the stage."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, self.feed.order(self.seed, epoch + self.stage * STAGE))
        return self._order[1][position * self.batch_size : (position + 1) * self.batch_size]

    def train(self, step: int, n: int, stop: Callable[[], bool]) -> int:
        self.model.train()
        for i in range(step, step + n):
            if stop():
                return i - step
            self.set_rate(i)
            batch = self.feed.batch(self.rows(i), self.generator)
            self.meter.add(self.update(batch), len(batch))
        return n

    def set_rate(self, step: int) -> None:
        rate = self.rate.rate(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        with self.precision.forward():
            return self.terms(batch, self.generator)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One update. Returns its named terms, scalars on the device. Device code alone, so that a CUDA graph can hold it."""
        with self.precision.step():
            means = {name: term.mean() for name, term in self.losses(batch).items()}
            means["loss"].backward()
        self.descend()
        return {name: mean.detach() for name, mean in means.items()}

    def descend(self) -> None:
        """Move the weights along their gradients, and forget these."""
        if self.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.gradient_clip)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def rates(self, step: int) -> dict[str, float]:
        return {"lr": self.rate.rate(step)}

    def diagnose(self, step: int) -> str | None:
        batch = self.feed.batch(self.rows(step), self.generator)
        with torch.no_grad(), self.precision.step():
            return first_not_finite(self.model, lambda: self.losses(batch))

    def state(self) -> dict:
        return {**super().state(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict) -> None:
        super().restore(state)
        self.optimizer.load_state_dict(state["optimizer"])
