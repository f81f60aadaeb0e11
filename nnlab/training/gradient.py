"""Gradient descent on a batch's mean loss, with one optimizer; also the base of trainers with several optimizers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import chain
from typing import ClassVar

import torch
from torch import Tensor, nn

from nnlab.data.neighbours import near_order
from nnlab.data.spec import Batch
from nnlab.errors import BadInput
from nnlab.model import Turn
from nnlab.nn.scheduled import Scheduled
from nnlab.nn.schedules import StageLength
from nnlab.training import randomness
from nnlab.training.diagnosis import first_not_finite
from nnlab.training.graph import CudaGraphRunner
from nnlab.training.options import GradientOptions, UpdateOptions
from nnlab.training.player import OptimizerGroup, laid_out_as
from nnlab.training.precision import Precision
from nnlab.training.trainer import Monitor, Trainer, TrainerContext, evaluating


class GradientTrainer(Trainer):
    """One step: gather, cast, noise, forward, backward, clip, optimizer step, meter; it never waits for the device.

    On a GPU the step is captured as a CUDA graph. So `update` is device code alone, and a number that changes from step to
    step is a tensor on the device (`Scheduled`): a Python number would stay what it was at the capture.

    Figures:
    lr  learning rate at this step
    """

    options = GradientOptions
    description = "by gradient"
    uses = frozenset({"optimizer", "noise", "augmentation"})
    autocasts: ClassVar[bool] = True
    """Whether an update runs under autocast if `trainer.precision` is bfloat16."""

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        options: UpdateOptions = context.options
        self.gradient_clip, self.keep_optimizer = options.gradient_clip, options.keep_optimizer
        self.precision = Precision(options.precision, self.device, self.model, self.autocasts)
        self.optimizer_node = context.optimizer
        self.graph = CudaGraphRunner.wanted(options.graph, self.device) and self.world.size == 1
        compiles = getattr(options, "compile", "none") == "auto"
        if compiles and self.device.type == "cuda":
            self.losses = torch.compile(self.losses)
        elif compiles:
            self.notices.append(f"trainer.compile: not used on {self.device.type}, where it is not faster")
        self.scheduled = {name: m for name, m in self.model.named_modules() if isinstance(m, Scheduled)}

    def optimizer_of(self, player: str) -> Mapping:
        """The config node of a player's optimizer in this stage: that of the run, or of the stages before the last."""
        return self.optimizer_node if self.in_last_stage else self.settings.pretraining.optimizer

    def start_stage(self, stage: int) -> None:
        super().start_stage(stage)
        self.refuse_near_batches()
        self.clock = StageLength(self.stages[stage].steps, self.steps_per_epoch)
        self.players = {
            name: OptimizerGroup(
                self.optimizer_of(name),
                parameters_of(modules),
                self.clock,
                self.device,
                on_device=self.graph,
                world=self.world,
                undecayed=self.model.undecayed(),
            )
            for name, modules in self.model.players().items()
        }
        self._graphed: CudaGraphRunner | None = None

    @property
    def player(self) -> OptimizerGroup:
        """The only player."""
        (player,) = self.players.values()
        return player

    # -- the order of the data, and what is scheduled -------------------------------------------------------------

    def order(self, epoch: int) -> Tensor:
        """(n,) the rows in the order for an epoch of the stage."""
        return self.near_order(epoch) if epoch and self.model.near_batches else self.sampler.order(self.stage, epoch)

    def refuse_near_batches(self) -> None:
        """Raise BadInput where near examples cannot come into the same batches, or never would."""
        if not self.model.near_batches:
            return
        name = type(self.model).__name__
        if self.data.train.unpaired or self.model.examples_per_class:
            other = "data whose parts are not paired" if self.data.train.unpaired else "batches by class"
            raise BadInput(f"model: {name} wants near examples in its batches, which does not go with {other}")
        if self.stages[self.stage].steps <= self.steps_per_epoch:
            raise BadInput(
                f"model: {name} has batches of near examples from the second epoch of a stage on, but this stage ends before; "
                "give it more epochs, or leave the option out"
            )

    def near_order(self, epoch: int) -> Tensor:
        """(n,) the same where the model wants near examples together: by its vectors as they are when the epoch begins.

        The memory holds it, for a run that goes on in the middle of an epoch.
        """
        kept = self.memory.group("order")
        if kept is None or int(kept["epoch"]) != epoch:
            with randomness.fork_rng(self.seed, self.device) as generator, evaluating(self.model), self.forward():
                batches = self.builder(self.data.train).sequential(generator)
                vectors = torch.cat([self.model.nearness(batch) for batch in batches]).float().cpu()
            draw = torch.Generator().manual_seed(self.sampler.seed_of(self.stage, epoch))
            rows = self.data.train.rows
            rows = rows[near_order(vectors, self.sampler.batch_size, draw).to(rows.device)]
            self.world.broadcast([rows])  # a last bit of the vectors may differ between processes
            kept = {"epoch": torch.tensor(epoch), "rows": rows}
            self.memory.set_group("order", kept)
        return kept["rows"]

    def rows(self, step: int) -> Tensor:
        """The rows of the batch of an update of the stage."""
        return self.sampler.of_batch(self.order(step // self.steps_per_epoch), step)

    def rates(self, step: int) -> dict[str, float]:
        """Each player's learning rate, and other scheduled numbers."""
        rates = {f"{name}_lr".lstrip("_"): player.rate(step) for name, player in self.players.items()}
        return {**rates, **{name: m.at(step, self.clock) for name, m in self.scheduled.items()}}

    def set_rates(self, values: Iterable[float | Tensor]) -> None:
        """Set the values of `rates`, in its order, as numbers or as scalars on the device."""
        setters = [player.set_rate for player in self.players.values()] + [m.set for m in self.scheduled.values()]
        for setter, value in zip(setters, values, strict=True):
            setter(value)

    # -- the step -------------------------------------------------------------------------------------------------

    def train(self, step: int, n: int, stop: Callable[[], bool]) -> int:
        if step == 0:
            self.begin_stage()
        self.model.train()
        if self.graph and self._graphed is None:
            self._graphed = CudaGraphRunner(self)
        return (self._graphed.train if self.graph else self.train_eagerly)(step, n, stop)

    def begin_stage(self) -> None:
        """Called before the first update of a stage: a later one may start from what the one before has learned."""
        if self.stage:
            with randomness.fork_rng(self.seed, self.device) as generator, evaluating(self.model):
                self.model.init_stage(self.builder(self.data.train).sequential(generator))

    def train_eagerly(self, step: int, n: int, stop: Callable[[], bool]) -> int:
        """Make one update after another, without a CUDA graph."""
        for i in range(step, step + n):
            if stop():
                return i - step
            self.set_rates(self.rates(i).values())
            rows, length = self.rows(i), self.sampler.length(i)
            if self.world.size > 1:
                self.world.share = len(rows) / length
            self.meter.add(self.update(self.feed.batch(rows, self.generator)), length)
        return n

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One update: the model's turns. Returns their terms, scalars on the device; the last of those with the same name."""
        terms: dict[str, Tensor] = {}
        with self.precision.step():
            for turn in self.turns(batch):
                terms |= self.make(turn)
        terms = {name: term.detach() for name, term in terms.items()}
        if self.world.size > 1:
            means = self.world.mean(torch.stack([term.float() for term in terms.values()]))
            terms = dict(zip(terms, means, strict=True))
        return terms

    def turns(self, batch: Batch) -> Iterator[Turn]:
        """The turns of an update with a batch."""
        return self.model.turns(batch, self)

    def make(self, turn: Turn) -> dict[str, Tensor]:
        """Compute the gradients of a turn, then make a step of each of its players. Returns the terms.

        Several players have the norm of each gradient among the terms.
        """
        terms, left = dict(turn.terms), len(turn.losses)
        for name, loss in turn.losses.items():
            left -= 1
            loss.backward(inputs=self.players[name].parameters if name else None, retain_graph=left > 0)
        for parameter, gradient in chain.from_iterable(turn.gradients.values()):
            parameter.grad = laid_out_as(parameter, gradient)
        for name in (*turn.losses, *turn.gradients):
            self.players[name].average_gradients()
            if name:
                terms[f"{name}_gradient"] = self.players[name].gradient_norm()
            self.players[name].step(self.gradient_clip)
        return terms

    def forward(self) -> AbstractContextManager:
        """The context of a forward pass in the run's precision."""
        return self.precision.forward()

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The terms of a training batch, each (N,), computed in the run's precision."""
        with self.forward():
            return self.loss_terms(batch, self.generator)

    def changes(self) -> Iterator[Tensor]:
        """Every tensor that an update changes and the next one reads."""
        yield from self.model.parameters()
        yield from self.model.buffers()
        yield from self.memory.buffers()
        for player in self.players.values():
            yield from player.changes()

    def diagnose(self, step: int) -> str | None:
        batch = self.feed.batch(self.rows(step), self.generator)
        with torch.no_grad(), self.precision.step():
            return first_not_finite(self.model, lambda: self.losses(batch))

    def state(self) -> dict:
        return {**super().state(), "optimizer": {name: player.state() for name, player in self.players.items()}}

    def restore(self, state: dict) -> None:
        """Restore what `state` returned, with the optimizers' states if the checkpoint has them."""
        super().restore(state)
        if not self.keep_optimizer and "optimizer" not in state:  # training cannot go on from this checkpoint
            return
        saved = state["optimizer"]
        for name, player in self.players.items():
            player.restore(saved.get(name, saved))  # in an older run this is the only player's


class LossTrainer(GradientTrainer):
    """For a model that has only a loss: its terms are the metrics, and the validation loss chooses the best weights.

    Figures:
    loss  the training loss per example; lower is better
    """

    monitor = Monitor("loss")

    def batch_metrics(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return self.loss_terms(batch, generator)


def parameters_of(modules: Iterable[nn.Module]) -> Iterator[nn.Parameter]:
    """The parameters of several modules, in order."""
    return chain.from_iterable(module.parameters() for module in modules)
