"""The base of the adversarial models: what a game is made of, who plays it and what each player minimises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.gan.networks import normalizes
from nnlab.families.gan.objectives import Objective
from nnlab.model import Model
from nnlab.nn.ema import ExponentialMovingAverage

Objects = tuple[Tensor, ...]  # what the discriminator sees of N examples: (N, *shape) images, and what comes with them


@dataclass
class Play:
    """What a batch makes of the game.

    real, fake  what the discriminator is to tell apart
    kept        what else the players learn from, by names of the model's own
    """

    real: Objects
    fake: Objects
    kept: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class Answer:
    """What the discriminator's opponents minimise, scalars: a loss of its own for each of them; and terms for the record."""

    losses: dict[str, Tensor]
    terms: dict[str, Tensor]


class Adversarial(Model):
    """Base of the models that learn by a game: min_G max_D E log D(x) + E log(1 − D(G(z))) (Goodfellow et al. 2014).

    A subclass says who plays (`players`), what the discriminator sees (`play`, `discriminate`) and what the others minimise
    (`answer`). What is shown, sampled and measured is made by the running averages of the parts that make something.

    parts  the names of these parts, `averaged` their averages
    """

    trainer = "nnlab.families.gan.trainer:GameTrainer"
    parts: ClassVar[tuple[str, ...]] = ("generator",)

    def __init__(self, spec: DataSpec, **parts: nn.Module) -> None:
        super().__init__(spec)
        for name, module in parts.items():
            self.add_module(name, module)
        self.averaged = ExponentialMovingAverage({name: parts[name] for name in self.parts})

    # -- the game -------------------------------------------------------------------------------------------------

    def players(self) -> dict[str, list[nn.Module]]:
        """The discriminator and, by their names, those who play against it, with what each of them learns."""
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def play(self, batch: Batch, generator: torch.Generator) -> Play:
        """What is made for a batch."""
        raise NotImplementedError

    def discriminate(self, *objects: Tensor) -> Tensor:
        """D, (N,): the larger, the more likely data."""
        raise NotImplementedError

    def answer(self, play: Play, objective: Objective) -> Answer:
        """The generator's loss, which is also the term `generator_loss`: the objective's mean over D's answers to samples."""
        loss = objective.generator(self.discriminate(*play.fake)).mean()
        return Answer({"generator": loss}, {"generator_loss": loss})

    @property
    def uses_batch_norm(self) -> bool:
        """Whether what D says of one example depends on the others of its batch: its gradient then has no norm of its own."""
        return normalizes(self.discriminator)

    @property
    def value_range(self) -> float:
        """How wide the values lie that the discriminator sees: the unit of the noise on them."""
        return self.spec.value_range

    def update_average(self, decay: float) -> None:
        """A step of the averages towards the weights."""
        self.averaged.update_parameters({name: getattr(self, name) for name in self.parts}, decay)

    @property
    def size(self) -> int:
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    # -- what it shows --------------------------------------------------------------------------------------------

    def measured(self, batches: Iterator[Batch], generator: torch.Generator) -> dict[str, float]:
        """Figures of a whole split that are not means over examples. None, unless a model says otherwise."""
        return {}

    def pictures(self, few: Batch, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
        """Named pictures that this model alone has."""
        return {}
