"""Learning by the gradient of a batch's mean loss: one player, one optimizer."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nnlab.config.build import build, target
from nnlab.data.feed import Feed
from nnlab.data.spec import Batch
from nnlab.training import randomness
from nnlab.training.diagnosis import first_not_finite
from nnlab.training.meter import Meter
from nnlab.training.options import GradientOptions
from nnlab.training.precision import Precision
from nnlab.training.schedules import Clock, Schedule, Scheduled
from nnlab.training.trainer import Setting, Trainer

SHOWN, MEASURED = 24, 1000  # images in a picture, and images that a latent space is measured on


class View(NamedTuple):
    """For pictures: a few images to show, and batches to measure a latent space on."""

    generator: torch.Generator
    few: Batch
    batches: list[Batch]


def build_optimizer(
    node: Mapping, model: nn.Module, clock: Clock, device: torch.device
) -> tuple[torch.optim.Optimizer, Scheduled]:
    """The optimizer of a config's node over a model's parameters, with its rate's schedule; fused where torch can."""
    node = dict(node)
    schedule = build(node.pop("schedule"), Schedule, place="optimizer.schedule")
    cls = target(node["_target_"], "optimizer")
    fused = {"fused": True} if "fused" in inspect.signature(cls).parameters and device.type in ("cpu", "cuda") else {}
    optimizer = build(node, torch.optim.Optimizer, list(model.parameters()), place="optimizer", **fused)
    return optimizer, Scheduled(schedule, node["lr"], clock)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Without gradients, and without dropout and its like."""
    was = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was)


class GradientTrainer(Trainer):
    """One update: gather, cast, noise, forward, backward, clip, optimizer step, meter; nothing of it waits for the device."""

    def __init__(self, setting: Setting, options: GradientOptions, optimizer: Mapping) -> None:
        super().__init__(setting)
        self.batch_size = options.batch_size
        self.steps_per_epoch = -(-len(self.data.train) // options.batch_size)
        self.total_steps = options.length(self.steps_per_epoch)
        self.gradient_clip = options.gradient_clip
        self.precision = Precision(options.precision, self.device, self.model)
        self.feed = Feed(self.data.train, self.noise)
        self.generator = randomness.generator(self.seed, randomness.TRAINING, self.device)
        clock = Clock(self.total_steps, self.steps_per_epoch)
        self.optimizer, self.rate = build_optimizer(optimizer, self.model, clock, self.device)
        self.meter = Meter()
        self._order: tuple[int, Tensor] | None = None

    def rows(self, step: int) -> Tensor:
        """The rows of the batch of an update."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, self.feed.order(self.seed, epoch))
        return self._order[1][position * self.batch_size : (position + 1) * self.batch_size]

    def train(self, step: int, n: int, stop: Callable[[], bool]) -> int:
        self.model.train()
        for i in range(step, step + n):
            if stop():
                return i - step
            self.set_rate(i)
            self.update(self.feed.batch(self.rows(i), self.generator))
        return n

    def set_rate(self, step: int) -> None:
        rate = self.rate.rate(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        with self.precision.forward():
            return self.model.loss(batch, self.generator)

    def update(self, batch: Batch) -> None:
        with self.precision.step():
            means = {name: term.mean() for name, term in self.losses(batch).items()}
            means["loss"].backward()
        if self.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.gradient_clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.meter.add({name: mean.detach() for name, mean in means.items()}, len(batch))

    def rates(self, step: int) -> dict[str, float]:
        return {"lr": self.rate.rate(step)}

    def diagnose(self, step: int) -> str | None:
        batch = self.feed.batch(self.rows(step), self.generator)
        with torch.no_grad(), self.precision.step():
            return first_not_finite(self.model, lambda: self.losses(batch))

    @abstractmethod
    def figures(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Named figures of a batch, each (N,), one value an image."""

    def evaluate(self, split: str) -> dict[str, float]:
        """The means of `figures` over a split, in float32 with sums in float64."""
        feed = Feed(self.data.split(split), self.noise)
        sums: dict[str, Tensor] = {}
        with randomness.aside(self.seed, self.device) as generator, evaluating(self.model):
            for batch in feed.in_order(generator):
                for name, values in self.figures(batch, generator).items():
                    total = values.sum(dtype=torch.float64 if self.device.type != "mps" else torch.float32)
                    sums[name] = sums[name] + total if name in sums else total
        return {name: total.item() / len(feed.split) for name, total in sums.items()}

    @contextmanager
    def viewing(self) -> Iterator[View]:
        """What pictures are made from: always the same images, of the validation set where there is one."""
        feed = Feed(self.data.validation if len(self.data.validation) else self.data.train, self.noise)
        with randomness.aside(self.seed, self.device) as generator, evaluating(self.model):
            few = feed.batch(feed.split.spread(SHOWN), generator)
            yield View(generator, few, list(feed.in_order(generator, feed.split.spread(MEASURED))))

    def state(self) -> dict:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": randomness.state(self.generator, self.device),
            "meter": self.meter.state(),
        }

    def restore(self, state: dict) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        randomness.restore(state["random"], self.generator, self.device)
        self.meter.restore(state["meter"])
