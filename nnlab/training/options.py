"""What the `trainer` node of a config may say. No torch: these values are checked in an instant."""

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
    """Completes an annotation: a text such as "5 epochs", "200 steps" or "never"."""

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
USUAL_EPOCHS, LEAST_STEPS = 20, 2000  # of a length that is `auto`
USUAL_SHOWS = 4  # in a run whose `show_every` is auto
MOST_LOOKS = 100  # evaluations, checkpoints and rows of the table in a run, where they are auto
AUTOMATIC = ("show_every", "evaluate_every", "save_every")  # cadences that may be auto


def period(cadence: Cadence, steps_per_epoch: int) -> int | None:
    """The number of steps between two events; None for never."""
    if cadence == "never":
        return None
    count, unit = PATTERN.fullmatch(cadence).groups()
    return int(count) * (steps_per_epoch if unit == "epoch" else 1)


class Cadences:
    """When there is something to do, in steps of a stage; None is never."""

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
        """The next step after `step` that something is due on, of a stage that ends with `end`."""
        return min(end, *((step // every + 1) * every for every in [*self._beside_log, self.log] if every))

    def due(self, every: int | None, step: int, end: int) -> bool:
        """Whether an event falls on this step; at the end of a stage each does that is not `never`."""
        return every is not None and (step % every == 0 or step == end)

    def only_log(self, step: int, end: int) -> bool:
        """Whether nothing but a record of the training terms is due."""
        return not any(self.due(every, step, end) for every in self._beside_log)


class EarlyStopping:
    """Stop when the validation figure has not been better by `min_delta` for `patience` evaluations; 0 never stops."""

    def __init__(self, *, patience: Annotated[int, AtLeast(0)] = 0, min_delta: Annotated[float, AtLeast(0)] = 0.0) -> None:
        self.patience, self.min_delta = patience, min_delta


class Pretraining:
    """Of the stages before the last.

    epochs     of each stage; or a list, one number per stage; auto is half of what auto is for the last stage
    optimizer  a config's node: each stage has one of its own, with a schedule over its own length
    """

    def __init__(self, *, epochs: Length | Annotated[list[Epochs], NonEmpty()] = "auto", optimizer: Mapping) -> None:
        self.epochs, self.optimizer = epochs, optimizer

    def settle(self, steps_per_epoch: int) -> None:
        """Replace `auto` by half the usual number of epochs, rounded up, for an epoch of so many steps."""
        if self.epochs == "auto":
            self.epochs = -(-usual_epochs(steps_per_epoch) // 2)

    def of(self, stages: int) -> list[int]:
        """The epochs of each, once `auto` is settled. Raises BadInput if a list has another length."""
        if isinstance(self.epochs, int):
            return [self.epochs] * stages
        if len(self.epochs) != stages:
            raise BadInput(f"trainer.pretraining.epochs: {len(self.epochs)} numbers for {stages} stages; one each, or just one")
        return list(self.epochs)


def epochs_text(epochs: int) -> str:
    """A cadence in epochs."""
    return f"{epochs} epoch" if epochs == 1 else f"{epochs} epochs"


def usual_epochs(steps_per_epoch: int) -> int:
    """USUAL_EPOCHS, or as many as LEAST_STEPS need if those are more."""
    return max(USUAL_EPOCHS, -(-LEAST_STEPS // steps_per_epoch))


class Options:
    """How long a run is and how often one looks; configs/trainer/*.yaml say what each is for."""

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
        """What a step learns from."""
        return self.batch_size

    def settle(self, steps_per_epoch: int) -> None:
        """What is `auto` becomes a number.

        epochs          20, or as many as LEAST_STEPS need if those are more: a small set has few steps per epoch, and a net
                        needs a certain number of them whatever the set
        show_every      a quarter of the run, in whole epochs, but no more often than every 5
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
        """1, and more in a run of hundreds of short epochs, where a look would take longer than the epoch."""
        return -(-self.length(steps_per_epoch) // (MOST_LOOKS * steps_per_epoch))

    def length(self, steps_per_epoch: int) -> int:
        """Steps of the last stage, which in most runs is the only one."""
        return self.steps or self.epochs * steps_per_epoch


class UpdateOptions(Options):
    """Of learning update after update.

    keep_optimizer  whether checkpoints from which nothing needs to go on hold the optimizer's state too: all but last.pt,
                    and last.pt once the run is complete. Without it a complete run cannot be trained longer
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
    """Of updates that may stop early, by a figure of the validation split."""

    def __init__(self, *, early_stopping: EarlyStopping, **updates) -> None:
        super().__init__(**updates)
        self.early_stopping = early_stopping


class GradientOptions(MonitoredOptions):
    """Of learning by the gradient of a batch."""

    def __init__(self, *, compile: Literal["none", "auto"] = "none", **monitored) -> None:
        super().__init__(**monitored)
        self.compile = compile


class StagedOptions(GradientOptions):
    """Of learning by gradient in stages: `pretraining` of part after part, then of the whole."""

    def __init__(self, *, pretraining: Pretraining, **gradient) -> None:
        super().__init__(**gradient)
        self.pretraining = pretraining


class PassOptions(Options):
    """Of learning by passes over the whole set: EM and its kin."""

    def __init__(self, *, epochs: Epochs = 100, **cadences) -> None:
        super().__init__(**cadences)
        self.epochs = epochs


class OnePassOptions(Options):
    """Of what one pass over the set settles."""

    epochs = 1
