"""The options of the `trainer` node of a config. No torch, so that the check is fast."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from nnlab.config.constraints import AtLeast, MoreThan, NonEmpty
from nnlab.errors import BadInput

PATTERN = re.compile(r"(\d+)\s*(epoch|step)s?")


@dataclass(frozen=True)
class CadenceText:
    """For an annotation: a text such as "5 epochs", "200 steps" or "never"."""

    def allows(self, value: str) -> bool:
        """Whether the text is a cadence: a number above zero with its unit, or "never"."""
        match = PATTERN.fullmatch(value)
        return value == "never" or bool(match and int(match[1]) > 0)

    def __str__(self) -> str:
        return "such as '5 epochs', '200 steps' or never"


Cadence = Annotated[str, CadenceText()]
Auto = Literal["auto"] | Cadence
Epochs = Annotated[int, AtLeast(1)]
Length = Epochs | Literal["auto"]
USUAL_EPOCHS, LEAST_STEPS = 20, 2000  # for `auto`
USUAL_SHOWS = 4  # pictures per run if `show_every` is auto
MOST_LOOKS = 100  # evaluations, checkpoints and rows of the table per run, if they are auto
AUTOMATIC = ("show_every", "evaluate_every", "save_every")  # options that may be auto


def period(cadence: Cadence, steps_per_epoch: int) -> int | None:
    """The number of steps between two events; None for never."""
    if cadence == "never":
        return None
    count, unit = PATTERN.fullmatch(cadence).groups()
    return int(count) * (steps_per_epoch if unit == "epoch" else 1)


class Cadences:
    """The number of steps between events of a stage; None is never."""

    def __init__(self, options: Options, steps_per_epoch: int) -> None:
        self.epoch = steps_per_epoch
        self.tell = options.epochs_between_looks(steps_per_epoch) * steps_per_epoch
        self.log, self.evaluate, self.show, self.save, self.keep = (
            period(cadence, steps_per_epoch)
            for cadence in (
                options.log_every,
                options.evaluate_every,
                options.show_every,
                options.save_every,
                options.keep_checkpoint_every,
            )
        )

    @property
    def _beside_log(self) -> list[int | None]:
        return [self.epoch, self.evaluate, self.show, self.save, self.keep]

    def next(self, step: int, end: int) -> int:
        """The next step after `step` with an event, in a stage that ends at `end`."""
        return min(end, *((step // every + 1) * every for every in [*self._beside_log, self.log] if every))

    def due(self, every: int | None, step: int, end: int) -> bool:
        """Whether there is an event at this step; at the end of a stage there is each event that is not `never`."""
        return every is not None and (step % every == 0 or step == end)

    def only_log(self, step: int, end: int) -> bool:
        """Whether the only event is a record of the training terms."""
        return not any(self.due(every, step, end) for every in self._beside_log)


class EarlyStopping:
    """Stop if the validation metric was not better by `min_delta` for `patience` evaluations; 0 never stops."""

    def __init__(self, *, patience: Annotated[int, AtLeast(0)] = 0, min_delta: Annotated[float, AtLeast(0)] = 0.0) -> None:
        self.patience, self.min_delta = patience, min_delta


class Pretraining:
    """Options of the stages before the last.

    epochs     of each stage; or a list, one number per stage; auto is half of what auto is for the last stage
    optimizer  a config node: each stage has its own optimizer, with a schedule over the length of the stage
    """

    def __init__(self, *, epochs: Length | Annotated[list[Epochs], NonEmpty()] = "auto", optimizer: Mapping) -> None:
        self.epochs, self.optimizer = epochs, optimizer

    def settle(self, steps_per_epoch: int) -> None:
        """Replace `auto` by half the usual number of epochs, rounded up, if an epoch has this many steps."""
        if self.epochs == "auto":
            self.epochs = -(-usual_epochs(steps_per_epoch) // 2)

    def of(self, stages: int) -> list[int]:
        """The epochs of each stage, after `auto` was replaced. Raises BadInput if a list has another length."""
        if isinstance(self.epochs, int):
            return [self.epochs] * stages
        if len(self.epochs) != stages:
            raise BadInput(f"trainer.pretraining.epochs: {len(self.epochs)} numbers for {stages} stages; give one each, or one")
        return list(self.epochs)


def epochs_text(epochs: int) -> str:
    """A cadence in epochs."""
    return f"{epochs} epoch" if epochs == 1 else f"{epochs} epochs"


def usual_epochs(steps_per_epoch: int) -> int:
    """USUAL_EPOCHS, or the epochs of LEAST_STEPS if those are more."""
    return max(USUAL_EPOCHS, -(-LEAST_STEPS // steps_per_epoch))


class Options:
    """The length of a run, and how often it is evaluated, shown and saved; configs/trainer/*.yaml explains each option."""

    epochs: int | Literal["auto"] | None = None
    steps: int | None = None
    pretraining: Pretraining | None = None
    keep_optimizer: bool = True

    def __init__(
        self,
        *,
        batch_size: Annotated[int, AtLeast(1)] = 128,
        log_every: Cadence = "50 steps",
        evaluate_every: Auto = "auto",
        show_every: Auto = "auto",
        save_every: Auto = "auto",
        keep_checkpoint_every: Cadence = "never",
        titles: bool = True,
    ) -> None:
        self.batch_size, self.titles = batch_size, titles
        self.log_every, self.evaluate_every, self.show_every = log_every, evaluate_every, show_every
        self.save_every, self.keep_checkpoint_every = save_every, keep_checkpoint_every
        self.early_stopping = EarlyStopping()

    @property
    def images_per_step(self) -> int:
        """The number of examples per step."""
        return self.batch_size

    def settle(self, steps_per_epoch: int) -> None:
        """Replace each `auto` by a number.

        epochs          20, or the epochs of LEAST_STEPS if those are more: a small dataset has few steps per epoch, and a
                        network needs a certain number of steps for any dataset
        show_every      a quarter of the run, in whole epochs, but not more often than every 5
        evaluate_every  1 epoch; in a run of more than 100 epochs a hundredth of it
        save_every      the same
        """
        if self.epochs == "auto":
            self.epochs = None if self.steps else usual_epochs(steps_per_epoch)
        if self.pretraining:
            self.pretraining.settle(steps_per_epoch)
        if self.show_every == "auto":
            quarter = -(-self.length(steps_per_epoch) // (USUAL_SHOWS * steps_per_epoch))
            self.show_every = epochs_text(max(USUAL_EPOCHS // USUAL_SHOWS, quarter))
        looks = epochs_text(self.epochs_between_looks(steps_per_epoch))
        self.evaluate_every = looks if self.evaluate_every == "auto" else self.evaluate_every
        self.save_every = looks if self.save_every == "auto" else self.save_every

    def epochs_between_looks(self, steps_per_epoch: int) -> int:
        """1, or more in a run of hundreds of short epochs, where an evaluation would take longer than the epoch."""
        return -(-self.length(steps_per_epoch) // (MOST_LOOKS * steps_per_epoch))

    def length(self, steps_per_epoch: int) -> int:
        """Steps of the last stage; most runs have only one stage."""
        return self.steps or self.epochs * steps_per_epoch


class UpdateOptions(Options):
    """Options of training by updates.

    keep_optimizer  whether all checkpoints have the optimizer's state. If not, only last.pt has it, until the run is complete;
                    then a complete run cannot be trained longer
    """

    def __init__(
        self,
        *,
        epochs: Length | None = "auto",
        steps: Annotated[int, AtLeast(1)] | None = None,
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        graph: Literal["auto", "none", "always"] = "auto",
        gradient_clip: Annotated[float, MoreThan(0)] | None = None,
        keep_optimizer: bool = True,
        **cadences,
    ) -> None:
        super().__init__(**cadences)
        self.epochs, self.steps = epochs, steps
        self.precision, self.graph = precision, graph
        self.gradient_clip, self.keep_optimizer = gradient_clip, keep_optimizer


class MonitoredOptions(UpdateOptions):
    """Options of training by updates that may stop early, by a validation metric."""

    def __init__(self, *, early_stopping: EarlyStopping, **updates) -> None:
        super().__init__(**updates)
        self.early_stopping = early_stopping


class GradientOptions(MonitoredOptions):
    """Options of gradient descent."""

    def __init__(self, *, compile: Literal["none", "auto"] = "none", **monitored) -> None:
        super().__init__(**monitored)
        self.compile = compile


class StagedOptions(GradientOptions):
    """Options of gradient descent in stages: `pretraining` of the parts one by one, then the whole model."""

    def __init__(self, *, pretraining: Pretraining, **gradient) -> None:
        super().__init__(**gradient)
        self.pretraining = pretraining


class PassOptions(Options):
    """Options of training by passes over the training set, e.g. EM."""

    def __init__(self, *, epochs: Epochs = 100, **cadences) -> None:
        super().__init__(**cadences)
        self.epochs = epochs


class OnePassOptions(Options):
    """Options of training in one pass."""

    epochs = 1
