"""What every family's trainer offers the loop, and what they share: figures over a split, and what pictures are made from."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from nnlab.data.augmentation.base import Augmentation
from nnlab.data.feed import BatchBuilder
from nnlab.data.noise.base import Noise
from nnlab.data.spec import Batch
from nnlab.data.split import Data
from nnlab.evaluators import judge
from nnlab.evaluators.judge import Judge
from nnlab.model import Model
from nnlab.training import randomness
from nnlab.training.memory import Memory, saved_memory
from nnlab.training.meter import Meter
from nnlab.training.options import Options

SHOWN, MEASURED = 24, 1000  # images in a picture, and images that a latent space is measured on
PLOTTED = 100  # rows of a table that a plot needs


@dataclass(frozen=True)
class Monitor:
    """The validation figure that means better."""

    name: str
    higher_is_better: bool = False

    def better(self, value: float, than: float | None, by: float = 0.0) -> bool:
        """Whether a value is better than another by more than `by`; any value is better than none."""
        if than is None:
            return True
        return value > than + by if self.higher_is_better else value < than - by


@dataclass(frozen=True)
class Stage:
    """A part of a run with a length of its own: an optimizer, a schedule and early stopping begin anew with it.

    name   stands before the names of its figures: train/layer_1/loss; the last stage has none
    steps  at the most; it may converge or stop early
    """

    name: str
    steps: int


@dataclass(frozen=True)
class TrainerContext:
    """What a trainer works with, all of it built; `optimizer` is a config's node."""

    model: Model
    data: Data
    noise: Noise
    augmentation: Augmentation
    judge: Judge | None
    options: Options
    optimizer: Mapping
    device: torch.device
    seed: int


class Preview(NamedTuple):
    """For pictures: a few images to show, and batches to measure a latent space on."""

    generator: torch.Generator
    few: Batch
    batches: list[Batch]


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


class EstimatesLikelihood(Protocol):
    """A trainer whose figures hold a log-likelihood that is estimated by sampling."""

    def estimate_by(self, samples: int) -> None:
        """From now on by so many samples an example. Raises BadInput where the model has no likelihood."""


class Trainer(ABC):
    """What learning is. The loop owns time; a trainer owns one step, the figures, the pictures, and its whole state."""

    options: ClassVar[type[Options]]
    """The class of the `trainer` node that it understands; configs/trainer holds one by this name."""
    description: ClassVar[str]
    """How, as the end of a sentence: "… learns by gradient"."""
    requires: ClassVar[frozenset[str]] = frozenset()
    """Which of `optimizer`, `noise` and `augmentation` have an effect on learning; the others are refused."""
    mandatory: ClassVar[frozenset[str]] = frozenset()
    """Which of them it has no task without: `none` is taken there only if it was typed."""
    monitor: ClassVar[Monitor | None] = None
    lower: ClassVar[frozenset[str]] = frozenset({"loss", "mse"})
    higher: ClassVar[frozenset[str]] = frozenset({"psnr"})
    """Figures of which less is better, and more; a family adds its own. The summary keeps the best of each."""
    metadata: ClassVar[dict] = {}
    """How the figures are estimated, for their records."""
    drop_last: ClassVar[bool] = False
    """Whether the examples that are left at the end of an epoch, too few for a batch, wait for another epoch."""
    precision: object = "float32"

    def __init__(self, context: TrainerContext) -> None:
        self.model, self.data, self.noise = context.model, context.data, context.noise
        self.device, self.seed = context.device, context.seed
        self.batch_size = context.options.images_per_step
        whole, rest = divmod(len(self.data.train), self.batch_size)
        self.steps_per_epoch = whole + (rest > 0 and not (whole and self.drop_last))
        self.settings = context.options
        self.settings.settle(self.steps_per_epoch)
        self.stages: list[Stage] = []
        self.stage = 0
        self.feed = BatchBuilder(self.data.train, self.noise, context.augmentation)
        self.generator = randomness.generator(self.seed, randomness.TRAINING, self.device)
        self.meter = Meter()
        self.memory = Memory()
        self.notices: list[str] = []  # what the user is to be told once
        self.epoch = 0.0  # of the weights that `images` draws
        own = self.model.metrics()
        self.lower |= {metric.name for metric in own if metric.direction == "lower"}
        self.higher |= {metric.name for metric in own if metric.direction == "higher"}
        self.metadata = {**self.metadata, **{f"{metric.name}_by": metric.estimator for metric in own if metric.estimator}}
        self.judge = context.judge
        if self.judge:
            self.lower, self.higher = self.lower | judge.LOWER, self.higher | judge.HIGHER
            self.metadata = {**self.metadata, "judge": self.judge.name, "judge_pairs": judge.PAIRS}

    # -- learning -------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Plan the stages and make ready for the first. Called once, after the constructor, which only assigns.

        Raises BadInput where the length of the run does not go with the model.
        """
        self.stages = self.make_stages()
        self.start_stage(0)

    def make_stages(self) -> list[Stage]:
        """The stages of the run, one after the other. One, unless a family says otherwise."""
        return [Stage("", self.settings.length(self.steps_per_epoch))]

    def loss_terms(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """What a stage minimises, in named terms, each (N,)."""
        return self.model.loss(batch, generator)

    @property
    def total_steps(self) -> int:
        """Of all stages, if none ends early."""
        return sum(stage.steps for stage in self.stages)

    @property
    def images_per_epoch(self) -> int:
        """How many training examples an epoch reads; fewer than there are where the last, smaller batch is left out."""
        return min(len(self.data.train), self.steps_per_epoch * self.batch_size)

    def start_stage(self, stage: int) -> None:
        """Make ready for a stage, which begins with an empty memory."""
        self.stage = stage
        self.memory = Memory()

    @abstractmethod
    def train(self, step: int, n: int, stop: Callable[[], bool]) -> int:
        """Make `n` steps from step number `step` of the stage (from 0), fewer if `stop()` says so.

        Returns how many were made.
        """

    @property
    def converged(self) -> bool:
        """Whether further steps of this stage would change nothing."""
        return False

    def rates(self, step: int) -> dict[str, float]:
        """Scheduled numbers of a step of the stage, for the record."""
        return {}

    def check_health(self, means: dict[str, float]) -> None:  # noqa: B027 (most have nothing to say)
        """Called with the recorded means of the terms; may append warnings to `notices`, each of which is told once."""

    def diagnose(self, step: int) -> str | None:
        """The first layer with a value that is not finite in step number `step`, with the weights before it."""
        return None

    def state(self) -> dict:
        """All that a bit-exact continuation needs."""
        return {
            "stage": self.stage,
            "model": self.model.state_dict(),
            "memory": self.memory.state_dict(),
            "random": randomness.state(self.generator, self.device),
            "meter": self.meter.state(),
        }

    def restore(self, state: dict) -> None:
        """Take up what `state` returned, so that a resumed run goes on to the bit. An override adds what is its own."""
        self.start_stage(state.get("stage", 0))
        if self.judge:
            self.judge.load_weights(state.get("judge"))
        self.model.load_state_dict(state["model"])
        self.memory.restore(saved_memory(state), self.device)
        randomness.restore(state["random"], self.generator, self.device)
        self.meter.restore(state["meter"])

    # -- figures and pictures -------------------------------------------------------------------------------------

    def batch_metrics(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Named figures of a batch, each (N,), one value per example: whose means `evaluate_split` takes.

        A figure that some examples lack (the error inside a hole, where there is none) has fewer values.
        """
        raise NotImplementedError

    @abstractmethod
    def images(self) -> dict[str, np.ndarray]:
        """Named pictures (H, W, 3) uint8 of the model as it is, without effect on training."""

    def evaluate(self, split: str, full: bool = True) -> dict[str, float]:
        """All figures of a split, the judge's among them, without effect on training.

        full  False, in the course of a run: the judge compares with some examples, and no likelihood is sampled. What is left
              out then takes minutes

        Figures:
        judge_examples  how many examples of the split the judge compares with
        judge_pairs     how many of them at most are compared pair by pair, for kernel_distance, precision and recall
        """
        with randomness.fork_rng(self.seed, self.device):  # even a library that is imported now may draw, as scikit-learn does
            figures = self.evaluate_split(split)
        figures |= self.evaluate_metrics(split)
        if self.judge:
            feed = BatchBuilder(self.data.split(split), self.noise)
            rows = feed.split.rows if full else feed.split.spread(judge.VALIDATION_SAMPLES)
            self.metadata = {**self.metadata, "judge_examples": len(rows)}
            with randomness.fork_rng(self.seed, self.device) as generator, evaluating(self.model):
                figures |= self.judge.figures(self.model, feed, rows, generator)
        return figures

    def evaluate_metrics(self, split: str) -> dict[str, float]:
        """The figures that the model brings itself, over a split."""
        metrics, feed = self.model.metrics(), BatchBuilder(self.data.split(split), self.noise)
        with randomness.fork_rng(self.seed, self.device) as generator, evaluating(self.model):
            for batch in feed.sequential(generator) if metrics else ():
                for metric in metrics:
                    metric.update(batch, generator)
            return {metric.name: metric.compute() for metric in metrics}

    def evaluate_split(self, split: str) -> dict[str, float]:
        """The means of `batch_metrics` over a split, in float32 with sums in float64; each over the examples that have it."""
        feed = BatchBuilder(self.data.split(split), self.noise)
        sums: dict[str, Tensor] = {}
        counts: dict[str, int] = {}
        with randomness.fork_rng(self.seed, self.device) as generator, evaluating(self.model):
            for batch in feed.sequential(generator):
                for name, values in self.batch_metrics(batch, generator).items():
                    total = values.sum(dtype=torch.float64 if self.device.type != "mps" else torch.float32)
                    sums[name] = sums[name] + total if name in sums else total
                    counts[name] = counts.get(name, 0) + len(values)
        totals = torch.stack(list(sums.values())).tolist()  # one wait for the device
        return {name: total / counts[name] for name, total in zip(sums, totals, strict=True) if counts[name]}

    @contextmanager
    def preview(self) -> Iterator[Preview]:
        """What pictures are made from: always the same images, of the validation set where there is one.

        Of a table whose validation split is a handful of rows, which would make an empty plot, of the training set.
        """
        enough = 1 if self.model.spec.kind == "image" else PLOTTED
        feed = BatchBuilder(self.data.validation if len(self.data.validation) >= enough else self.data.train, self.noise)
        with randomness.fork_rng(self.seed, self.device) as generator, evaluating(self.model):
            few = feed.batch(feed.split.spread(SHOWN), generator)
            yield Preview(generator, few, list(feed.sequential(generator, feed.split.spread(MEASURED))))


def trainer_of(model: type[Model] | Model) -> type[Trainer]:
    """The trainer that a model's base class names."""
    module, _, name = model.trainer.partition(":")
    return getattr(importlib.import_module(module), name)
