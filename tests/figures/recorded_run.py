"""A small run of a model, and what independent computations of its figures start from."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from conftest import config_of, small
from omegaconf import OmegaConf
from torch import Tensor

from nnlab.checkpoints import checkpoint
from nnlab.checkpoints.reference import resolve_references
from nnlab.config.build import target
from nnlab.data.spec import Batch
from nnlab.experiment import judging
from nnlab.experiment.run import Experiment, build_experiment, run_experiment
from nnlab.recording.console import Console
from nnlab.runs.folder import RunFolder
from nnlab.training import randomness
from nnlab.training.trainer import Trainer, evaluating, trainer_of

SHORT = {
    "trainer.epochs": 1,
    "trainer.pretraining.epochs": 1,
    "trainer.batch_size": 64,
    "trainer.log_every": "1 step",
    "trainer.evaluate_every": "1 epoch",
    "trainer.show_every": "never",
    "trainer.precision": "float32",
}


def f64(x: Tensor) -> np.ndarray:
    return x.detach().cpu().double().numpy()


def overrides_of(model: str, *more: str) -> list[str]:
    """A model made small, on 150 digits, for one epoch (an adversarial one without moving, so that a step can be repeated)."""
    config = config_of(f"model={model}")
    known = OmegaConf.create(config)
    short = [f"{key}={value}" for key, value in SHORT.items() if OmegaConf.select(known, key) is not None]
    game = "Game" in trainer_of(target(config["model"]["_target_"], "model")).__name__
    still = ["optimizer.lr=0.0"] if game else []
    if game and "pretraining" in config["trainer"]:  # of whose stages no best weights are kept
        still += ["trainer.pretraining.optimizer.lr=0.0", "trainer.keep_checkpoint_every=1 epoch"]
    sized = small(model)
    if any(override.startswith("data=") for override in more):
        sized = [override for override in sized if "data" not in override]
    digits = [] if any(override.startswith("data=") for override in sized) else ["data=digits"]
    return [*sized, *digits, "data.limit=150", *short, *still, *more]


@dataclass
class Part:
    """A split as a model is given it, in the batches of an evaluation and as a whole."""

    batches: list[Batch] = field(default_factory=list)

    def _joined(self, name: str) -> Tensor | None:
        parts = [getattr(batch, name) for batch in self.batches]
        return None if parts[0] is None else torch.cat(parts)

    @cached_property
    def batch(self) -> Batch:
        return Batch(*(self._joined(name) for name in ("input", "target", "mask", "label")), erased=self.batches[0].erased)

    @property
    def x(self) -> np.ndarray:
        """(N, *shape) the clean examples."""
        return f64(self.batch.target)

    @property
    def labels(self) -> np.ndarray:
        return self.batch.label.numpy()

    def __len__(self) -> int:
        return len(self.batch.target)


class RecordedRun:
    """A run in a folder; its model with the weights that a record was made with."""

    def __init__(self, name: str, model: str, overrides: list[str]) -> None:
        self.model_name, self.overrides = model, overrides
        self.folder = RunFolder(Path(name).absolute())
        self.folder.path.mkdir()
        experiment = self.built()
        experiment.trainer.show = dict  # pictures take a quarter of the time
        run_experiment(experiment, self.folder, Console(quiet=True))
        self.parts: dict[str, Part] = {}
        # of beta_vae: β and C of an evaluation, and of the first step
        self.weights = self.first_weights = (4.0, 0.0) if model == "beta_vae" else (1.0, 0.0)
        if "model.capacity=5" in overrides:  # with a warm-up of an epoch of 3 steps
            self.weights, self.first_weights = (4.0, 5.0), (4.0 / 4, 5.0 / 3)

    @cached_property
    def records(self) -> list[dict]:
        return self.folder.read_metrics()

    def built(self) -> Experiment:
        experiment = build_experiment(copy.deepcopy(self.config))
        experiment.initialize()
        return experiment

    @cached_property
    def config(self) -> dict:
        config, problems = resolve_references(config_of(*self.overrides))
        assert not problems
        return judging.with_judge(config, Console(quiet=True))

    def trainer(self, stage: str = "") -> Trainer:
        """With the weights that a stage ended with; after one epoch the last are the best, too."""
        trainer = self.built().trainer
        trainer.restore(self.ended(trainer, stage) if stage else checkpoint.load(self.folder.checkpoints, "last")["trainer"])
        return trainer

    def ended(self, trainer: Trainer, stage: str) -> dict:
        """The state of a trainer at the end of a stage before the last."""
        name = f"best-{stage}"
        if trainer.monitor is None:
            names = [each.name for each in trainer.stages]
            steps = sum(each.steps for each in trainer.stages[: names.index(stage) + 1])
            name = f"step-{steps:06d}"
        return checkpoint.load(self.folder.checkpoints, name)["trainer"]

    def beginner(self, stage: str = "") -> Trainer:
        """About to make the first step of a stage."""
        trainer = self.built().trainer
        names = [stage.name for stage in trainer.stages]
        number = names.index(stage)
        if number:
            trainer.restore(self.ended(trainer, names[number - 1]))
        trainer.start_stage(number)
        if number:  # it may start from what the stage before has learned
            trainer.begin_stage()
            trainer.model.train()
        return trainer

    def part(self, trainer: Trainer, split: str) -> Part:
        if split not in self.parts:
            with fork_rng(trainer) as generator:
                self.parts[split] = Part([batch for batch, _ in walk(trainer, split, generator)])
        return self.parts[split]


@contextmanager
def fork_rng(trainer: Trainer) -> Iterator[torch.Generator]:
    """The random numbers of an evaluation."""
    with randomness.fork_rng(trainer.seed, trainer.device) as generator, evaluating(trainer.model):
        yield generator


def walk(trainer: Trainer, split: str, generator: torch.Generator) -> Iterator[tuple[Batch, torch.Generator]]:
    for batch in trainer.builder(trainer.data.split(split)).sequential(generator):
        yield batch, generator


@dataclass
class Asked:
    """Of a recorded figure: which trainer, on which split, or at which first step."""

    run: RecordedRun
    trainer: Trainer
    split: str
    stage: str

    @property
    def model(self):
        return self.trainer.model

    @property
    def part(self) -> Part:
        return self.run.part(self.trainer, self.split)

    @property
    def train(self) -> Part:
        return self.run.part(self.trainer, "train")

    def walk(self) -> Iterator[tuple[Batch, torch.Generator]]:
        with fork_rng(self.trainer) as generator:
            yield from walk(self.trainer, self.split, generator)

    @cached_property
    def output(self) -> np.ndarray:
        """(N, *shape) what the model makes of the inputs, all in one go."""
        batch = self.part.batch
        with torch.no_grad(), evaluating(self.model):
            made = self.model.rebuilt(batch) if hasattr(self.model, "rebuilt") else self.model.reconstruct(batch.input)
        return f64(made)

    @cached_property
    def first(self) -> Batch:
        """The batch of the first step; drawn with the training's random numbers, which the terms go on with."""
        trainer = self.trainer
        trainer.model.train()
        return trainer.feed.batch(trainer.sampler.rows(trainer.stage, 0), trainer.generator)
