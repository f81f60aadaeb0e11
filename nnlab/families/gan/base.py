"""The base of the adversarial models: the parts of a game, its players and their losses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.gan.networks import normalizes
from nnlab.families.gan.objectives import Objective
from nnlab.model import Model
from nnlab.nn.ema import ExponentialMovingAverage

Objects = tuple[Tensor, ...]  # the discriminator's input for N examples: (N, *shape) images, and e.g. codes or labels


@dataclass
class Play:
    """The game's tensors for one batch.

    real, fake  what the discriminator learns to separate
    kept        other tensors that the players need, by name
    """

    real: Objects
    fake: Objects
    kept: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class Answer:
    """The losses of the other players, scalars, one per player; and terms for metrics.jsonl."""

    losses: dict[str, Tensor]
    terms: dict[str, Tensor]


class Adversarial(Model):
    """Base of the models that learn by a game: min_G max_D E log D(x) + E log(1 − D(G(z))) (Goodfellow et al. 2014).

    A subclass defines the players (`players`), the discriminator's input (`play`, `discriminate`) and the losses of the other
    players (`answer`). Pictures, samples and metrics use running averages of the weights.

    parts  the names of the averaged networks; `averaged` holds the averages
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
        """The discriminator and the players against it, by name, each with its parameters."""
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def play(self, batch: Batch, generator: torch.Generator) -> Play:
        """The tensors of the game for a batch."""
        raise NotImplementedError

    def discriminate(self, *objects: Tensor) -> Tensor:
        """D, (N,): larger for what looks like data."""
        raise NotImplementedError

    def answer(self, play: Play, objective: Objective) -> Answer:
        """The generator's loss, also the term `generator_loss`: the mean of the objective over D's outputs for samples."""
        loss = objective.generator(self.discriminate(*play.fake)).mean()
        return Answer({"generator": loss}, {"generator_loss": loss})

    @property
    def uses_batch_norm(self) -> bool:
        """Whether D's output for one example depends on the others of its batch; then a gradient per example does not exist."""
        return normalizes(self.discriminator)

    @property
    def value_range(self) -> float:
        """The range of the values that the discriminator sees: the unit of the instance noise."""
        return self.spec.value_range

    def update_average(self, decay: float) -> None:
        """Move the averages one step towards the weights."""
        self.averaged.update_parameters({name: getattr(self, name) for name in self.parts}, decay)

    @property
    def size(self) -> int:
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    # -- what it shows --------------------------------------------------------------------------------------------

    def measured(self, batches: Iterator[Batch], generator: torch.Generator) -> dict[str, float]:
        """Metrics of a whole split that are not means over examples; by default none."""
        return {}
