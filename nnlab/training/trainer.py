"""The base of all trainers: its interface for the loop, metrics over a split, and the inputs of pictures."""

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
from nnlab.data.sampler import GroupSampler, Sampler
from nnlab.data.spec import Batch
from nnlab.data.split import Data, Split
from nnlab.evaluators import judge
from nnlab.evaluators.judge import Judge
from nnlab.metrics.reconstruction import how_measured
from nnlab.model import Metric, Model, Reconstructs, can
from nnlab.nn.world import ALONE, World
from nnlab.training import randomness
from nnlab.training.memory import Memory, saved_memory
from nnlab.training.meter import Meter
from nnlab.training.options import Options

SHOWN, MEASURED = 24, 1000  # images per picture, and images for the statistics of a latent space
PLOTTED = 100  # smallest number of rows for a plot of a table


@dataclass(frozen=True)
class Monitor:
    """The validation metric that chooses the best weights."""

    name: str
    higher_is_better: bool = False

    def better(self, value: float, than: float | None, by: float = 0.0) -> bool:
        """Whether a value is better than another by more than `by`; any value is better than none."""
        if than is None:
            return True
        return value > than + by if self.higher_is_better else value < than - by


@dataclass(frozen=True)
class Stage:
    """A part of a run with its own length: it starts with a new optimizer, schedule and early stopping.

    name   prefix of the names of its metrics: train/layer_1/loss; empty for the last stage
    steps  at most this many; the stage may converge or stop early
    """

    name: str
    steps: int


@dataclass(frozen=True)
class TrainerContext:
    """The objects that a trainer works with; `optimizer` is a config node."""

    model: Model
    data: Data
    noise: Noise
    augmentation: Augmentation
    judge: Judge | None
    options: Options
    optimizer: Mapping
    device: torch.device
    seed: int
    world: World = ALONE


class Preview(NamedTuple):
    """For pictures: a few images to show, and batches for the statistics of a latent space."""

    generator: torch.Generator
    few: Batch
    batches: list[Batch]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """A context without gradients and in evaluation mode (no dropout)."""
    was = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was)


class EstimatesLikelihood(Protocol):
    """A trainer that estimates a log-likelihood by sampling."""

    def estimate_by(self, samples: int) -> None:
        """Use this many samples per example from now on. Raises BadInput if the model has no likelihood."""


OF_CLASSES = ("class_agreement", "judge_accuracy", "conditional_accuracy")  # ends of a judge's figures that need its classes


def metrics_of_all_stages(model: Model) -> list[Metric]:
    """The model's own metrics in each of its stages; it is left in the last."""
    found: list[Metric] = []
    for stage in range(len(model.stages())):
        model.start_stage(stage)
        found += model.metrics()
    return found


class Trainer(ABC):
    """The base of the trainers. The loop does the timing; a trainer does one step, the metrics, the pictures, and its state."""

    options: ClassVar[type[Options]]
    """The class of the `trainer` node for this trainer; a file of configs/trainer names it."""
    description: ClassVar[str]
    """The end of a message: "… learns by gradient"."""
    uses: ClassVar[frozenset[str]] = frozenset()
    """Which of `optimizer`, `noise` and `augmentation` have an effect on training; the others are an error."""
    mandatory: ClassVar[frozenset[str]] = frozenset()
    """Which of them it needs: `none` is allowed there only if the user typed it."""
    monitor: ClassVar[Monitor | None] = None
    """The validation metric that chooses the weights of the test metrics and of the last pictures; None: the last weights."""
    lower: ClassVar[frozenset[str]] = frozenset({"loss", "mse"})
    higher: ClassVar[frozenset[str]] = frozenset({"psnr"})
    """Metrics of which lower is better, and higher; a family adds its own. The summary has the best of each."""
    metadata: ClassVar[dict] = {}
    """How the metrics are estimated, for their records."""
    drop_last: ClassVar[bool] = False
    """Whether a last, smaller batch of an epoch is left out."""
    keeps_stage_pictures: ClassVar[bool] = False
    """Whether the pictures of a stage stay next to those of the next stages, with its name before theirs."""
    precision: object = "float32"

    def __init__(self, context: TrainerContext) -> None:
        self.model, self.data, self.noise = context.model, context.data, context.noise
        self.device, self.seed, self.world = context.device, context.seed, context.world
        self.batch_size = context.options.images_per_step
        self.sampler = self.make_sampler()
        self.steps_per_epoch = self.sampler.steps_per_epoch
        self.settings = context.options
        self.settings.settle(self.steps_per_epoch)
        self.stages: list[Stage] = []
        self.stage = 0
        self.augmentation = context.augmentation
        self.feed = BatchBuilder(self.data.train, self.noise, self.augmentation, self.model.views)
        self.generator = randomness.generator(self.seed, randomness.TRAINING, self.device, self.world.rank)
        self.meter = Meter()
        self.memory = Memory()
        self.notices: list[str] = []  # messages that the user sees once
        self.epoch = 0.0  # step of the weights that `images` draws
        own = metrics_of_all_stages(self.model)
        directions = {name: direction for metric in own for name, direction in metric.directions.items()}
        self.lower |= {name for name, direction in directions.items() if direction == "lower"}
        self.higher |= {name for name, direction in directions.items() if direction == "higher"}
        self.metadata = {**self.metadata, **{f"{metric.name}_by": metric.estimator for metric in own if metric.estimator}}
        if can(self.model, Reconstructs):
            self.metadata = {**self.metadata, **how_measured(self.model.spec)}
        self.judge = context.judge
        if self.judge:
            self.lower, self.higher = self.lower | self.judge.lower, self.higher | self.judge.higher
            self.metadata = {**self.metadata, "judge": self.judge.name, "judge_pairs": judge.PAIRS}

    def make_sampler(self) -> Sampler:
        """Which examples are in a training batch: groups of K of a class if the model asks for it, else a permutation."""
        if each := self.model.examples_per_class:
            return GroupSampler(self.data.train, self.batch_size, self.seed, each, self.world)
        return Sampler(self.data.train, self.batch_size, self.seed, drop_last=self.drop_last, world=self.world)

    # -- learning -------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Plan the stages and start the first. Called once, after the constructor, which only assigns.

        Raises BadInput if the length of the run does not fit the model.
        """
        self.stages = self.make_stages()
        self.start_stage(0)

    def make_stages(self) -> list[Stage]:
        """The stages of the run, in order: those of the model, with their lengths."""
        *before, last = self.model.stages()
        epochs = self.settings.pretraining.of(len(before)) if before else []
        first = [Stage(name, n * self.steps_per_epoch) for name, n in zip(before, epochs, strict=True)]
        return [*first, Stage(last, self.settings.length(self.steps_per_epoch))]

    @property
    def in_last_stage(self) -> bool:
        """Whether the whole model learns: the last stage."""
        return self.stage == len(self.stages) - 1

    def loss_terms(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The loss of a stage, as named terms, each (N,)."""
        return self.model.loss(batch, generator)

    @property
    def total_steps(self) -> int:
        """The number of steps of all stages, if none stops early."""
        return sum(stage.steps for stage in self.stages)

    def start_stage(self, stage: int) -> None:
        """Start a stage, with an empty memory."""
        self.stage = stage
        self.model.start_stage(stage)
        self.memory = Memory()

    @abstractmethod
    def train(self, step: int, n: int, stop: Callable[[], bool]) -> int:
        """Make `n` steps from step number `step` of the stage (from 0), fewer if `stop()` says so.

        Returns how many were made.
        """

    @property
    def converged(self) -> bool:
        """Whether more steps of this stage would change nothing."""
        return False

    def rates(self, step: int) -> dict[str, float]:
        """The scheduled numbers of a step of the stage, for its record."""
        return {}

    def check_health(self, means: dict[str, float]) -> None:  # noqa: B027 (most trainers have no check)
        """Called with the recorded means of the terms; may append warnings to `notices`; the user sees each once."""

    def diagnose(self, step: int) -> str | None:
        """The first layer with a value that is not finite in step number `step`, with the weights before it."""
        return None

    def state(self) -> dict:
        """The state for a bit-exact continuation."""
        return {
            "stage": self.stage,
            "model": self.model.state_dict(),
            "memory": self.memory.state_dict(),
            "random": randomness.state(self.generator, self.device),
            "meter": self.meter.state(),
        }

    def restore(self, state: dict) -> None:
        """Restore what `state` returned, for a bit-exact continuation. An override adds its own state."""
        self.start_stage(state.get("stage", 0))
        if self.judge:
            self.judge.load_weights(state.get("judge"))
        self.model.load_state_dict(state["model"])
        self.memory.restore(saved_memory(state), self.device)
        randomness.restore(state["random"], self.generator, self.device)
        self.meter.restore(state["meter"])

    # -- figures and pictures -------------------------------------------------------------------------------------

    def builder(self, split: Split) -> BatchBuilder:
        """Batches of a split for figures and pictures: with the noise, and augmented only for a model of several views."""
        augmentation = self.augmentation if self.model.views > 1 else None
        return BatchBuilder(split, self.noise, augmentation, self.model.views)

    def batch_metrics(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Named metrics of a batch, each (N,), one value per example; `evaluate_split` computes their means.

        If some examples have no value (the error inside a hole, without a hole), there are fewer than N.
        """
        raise NotImplementedError

    def images(self) -> dict[str, np.ndarray]:
        """Named pictures (H, W, 3) uint8 of the current model: the family's and the model's own. No effect on training."""
        prefix = "" if self.in_last_stage or not self.keeps_stage_pictures else f"{self.stages[self.stage].name}_"
        with self.preview() as view:
            pictures = {**self.pictures(view), **self.model.pictures(view.few, view.batches, view.generator)}
        return {prefix + name: picture for name, picture in pictures.items()}

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        """The pictures that all models of the family have; the model is in evaluation mode, without gradients."""
        return {}

    def evaluate(self, split: str, full: bool = True) -> dict[str, float]:
        """All metrics of a split, also the judge's, without effect on training.

        full  False during a run: the judge uses fewer examples, and the likelihood is not sampled, since both take
              minutes

        Figures:
        judge_examples  number of examples of the split that the judge compares with
        judge_pairs     largest number of them that are compared in pairs, for kernel_distance, precision and recall

        What the judge says of classes is left out where it has learned none of them.
        """
        with randomness.fork_rng(self.seed, self.device):  # an import may draw random numbers (scikit-learn)
            figures = self.evaluate_split(split)
        figures |= self.evaluate_metrics(split)
        if self.judge and self.model.makes_examples:
            feed = self.builder(self.data.split(split))
            rows = feed.split.rows if full else feed.split.spread(judge.VALIDATION_SAMPLES)
            self.metadata = {**self.metadata, "judge_examples": len(rows)}
            with randomness.fork_rng(self.seed, self.device) as generator, evaluating(self.model):
                found = self.judge.figures(self.model, feed, rows, generator)
            of_classes = self.classes_were_learned(split)
            figures |= {name: value for name, value in found.items() if of_classes or not name.endswith(OF_CLASSES)}
        return figures

    def classes_were_learned(self, split: str) -> bool:
        """Whether any class of a split is in the training split, as for people or letters that only the test has it is not."""
        learned, own = (part.labels(part.rows) for part in (self.data.train, self.data.split(split)))
        return learned is None or own is None or bool(torch.isin(own, learned).any())

    def evaluate_metrics(self, split: str) -> dict[str, float]:
        """The model's own metrics, over a split."""
        metrics = self.model.metrics()
        shared = all(metric.sums for metric in metrics)
        with self.evaluation(split, shared=shared) as (batches, generator):
            for batch in batches if metrics else ():
                for metric in metrics:
                    metric.update(batch, generator)
            for metric in metrics if shared else ():
                metric.merge(self.world)
            return {name: value for metric in metrics for name, value in metric.results().items()}

    def evaluate_split(self, split: str) -> dict[str, float]:
        """The means of `batch_metrics` over a split, in float32 with sums in float64; over the examples that have them."""
        sums: dict[str, Tensor] = {}
        counts: dict[str, int] = {}
        with self.evaluation(split) as (batches, generator):
            for batch in batches:
                for name, values in self.batch_metrics(batch, generator).items():
                    total = values.sum(dtype=torch.float64 if self.device.type != "mps" else torch.float32)
                    sums[name] = sums[name] + total if name in sums else total
                    counts[name] = counts.get(name, 0) + len(values)
        totals = self.world.sum(torch.stack(list(sums.values()))).tolist()  # waits only once for the device
        lengths = self.world.sum(torch.tensor(list(counts.values()))).tolist()
        return {name: total / n for name, total, n in zip(sums, totals, lengths, strict=True) if n}

    @contextmanager
    def evaluation(self, split: str, *, shared: bool = True) -> Iterator[tuple[Iterator[Batch], torch.Generator]]:
        """The batches of a split for metrics, and a generator. The model is in evaluation mode, without gradients.

        shared  whether each process has only its part of the split, a slice of it in the order of the file; `world.sum` and
                `world.concat` make the metrics those of the whole split
        """
        feed, rank = self.builder(self.data.split(split)), self.world.rank if shared else 0
        rows = self.world.shard(feed.split.rows) if shared else None
        with randomness.fork_rng(self.seed, self.device, rank) as generator, evaluating(self.model):
            yield feed.sequential(generator, rows), generator

    @contextmanager
    def preview(self) -> Iterator[Preview]:
        """The inputs of pictures: always the same images, from the validation split if there is one.

        For a table with very few validation rows they are from the training split.
        """
        enough = 1 if self.model.spec.kind == "image" else PLOTTED
        feed = self.builder(self.data.validation if len(self.data.validation) >= enough else self.data.train)
        with randomness.fork_rng(self.seed, self.device) as generator, evaluating(self.model):
            few = feed.batch(feed.split.spread(SHOWN), generator)
            yield Preview(generator, few, list(feed.sequential(generator, feed.split.spread(MEASURED))))


def trainer_of(model: type[Model] | Model) -> type[Trainer]:
    """The trainer that is named by a model's base class."""
    module, _, name = model.trainer.partition(":")
    return getattr(importlib.import_module(module), name)
