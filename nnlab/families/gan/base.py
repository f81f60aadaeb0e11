"""The base of the adversarial models: the parts of a game, its players and their losses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.gan.networks import normalizes
from nnlab.families.gan.objectives import OBJECTIVES, Objective
from nnlab.model import Model, Step, Turn
from nnlab.nn.ema import ExponentialMovingAverage

REGULARIZERS = ("gradient_penalty", "label_smoothing", "instance_noise")
Objects = tuple[Tensor, ...]  # the discriminator's input for N examples: (N, *shape) images, and e.g. codes or labels


@dataclass
class Wrong:
    """A third kind of example for a discriminator: the images of data beside conditions that are not theirs (Reed et al. 2016).

    conditions  what stands beside the images, in place of their own conditions
    counts      (N,) bool: which of them count; the others could not be given a wrong condition
    """

    conditions: Objects
    counts: Tensor


@dataclass
class Play:
    """The game's tensors for one batch.

    real, fake  what the discriminator learns to separate; the image comes first
    kept        other tensors that the players need, by name
    wrong       of a discriminator that is to see whether data and conditions belong together; it takes conditions (K, N, …),
                several for each image, and gives (K, N)
    """

    real: Objects
    fake: Objects
    kept: dict[str, Tensor] = field(default_factory=dict)
    wrong: Wrong | None = None


@dataclass
class Answer:
    """The losses of the other players, scalars, one per player; and terms for metrics.jsonl."""

    losses: dict[str, Tensor]
    terms: dict[str, Tensor]


class Game(Step, Protocol):
    """What the trainer of games offers to a model's turns."""

    objective: Objective

    def parts(self, batch: Batch) -> list[Batch]:
        """Parts of a batch, one per update of a discriminator."""
        ...

    def play(self, batch: Batch) -> Play:
        """The tensors of the game for a batch, with instance noise on the discriminator's inputs."""
        ...

    def critic(
        self,
        discriminate: Callable[..., Tensor],
        real: Objects,
        fake: Objects,
        name: str = "discriminator",
        wrong: Wrong | None = None,
    ) -> Turn:
        """A turn of a discriminator, which learns to separate data from samples, and from data beside wrong conditions."""
        ...


class Adversarial(Model):
    """Base of the models that learn by a game: min_G max_D E log D(x) + E log(1 − D(G(z))) (Goodfellow et al. 2014).

    A subclass defines the players (`players`), the discriminator's input (`play`, `discriminate`) and the losses of the other
    players (`answer`). Pictures, samples and metrics use running averages of the weights.

    A game with other turns overrides `turns`.

    parts    the names of the averaged networks; `averaged` holds the averages
    critics  the names of the players that are discriminators
    objectives    the names of the objectives that it can have
    regularizers  the options of trainer.discriminator that act on its discriminators
    """

    trainer = "nnlab.families.gan.trainer:GameTrainer"
    parts: ClassVar[tuple[str, ...]] = ("generator",)
    critics: tuple[str, ...] = ("discriminator",)
    objectives: ClassVar[tuple[str, ...]] = tuple(OBJECTIVES)
    regularizers: ClassVar[tuple[str, ...]] = REGULARIZERS

    def __init__(self, spec: DataSpec, **parts: nn.Module) -> None:
        super().__init__(spec)
        for name, module in parts.items():
            self.add_module(name, module)
        self.averaged = ExponentialMovingAverage({name: parts[name] for name in self.parts})

    # -- the game -------------------------------------------------------------------------------------------------

    def players(self) -> dict[str, list[nn.Module]]:
        """The discriminator and the players against it, by name, each with its parameters."""
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def turns(self, batch: Batch, game: Game) -> Iterator[Turn]:
        """The discriminator's turns, each with a part of the batch, then a turn of all other players.

        These learn from the samples of the discriminator's last turn, so they are made only once.
        """
        *first, last = game.parts(batch)
        for part in first:
            with torch.no_grad():
                play = game.play(part)
            yield game.critic(self.discriminate, play.real, play.fake, wrong=play.wrong)
        play = game.play(last)
        yield game.critic(self.discriminate, play.real, play.fake, wrong=play.wrong)
        with game.forward():
            answer = self.answer(play, game.objective)
        yield Turn(answer.losses, answer.terms)

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
    def plays_by_turns(self) -> bool:
        """Whether it has turns of its own and no `play`: then there are no metrics of a single discriminator."""
        return type(self).play is Adversarial.play

    @property
    def uses_batch_norm(self) -> bool:
        """Whether D's output for one example depends on the others of its batch; then a gradient per example does not exist."""
        players = self.players()
        return any(normalizes(part) for critic in self.critics for part in players[critic])

    @property
    def value_range(self) -> float:
        """The range of the values that the discriminator sees: the unit of the instance noise."""
        return self.spec.value_range

    def start_averages(self, *, anew: bool) -> None:
        """Called when a stage starts, `anew`, and when a run goes on in it: only the averages of what learns now change."""
        self.averaged.follow(part for parts in self.players().values() for part in parts)
        if anew:
            self.averaged.restart({name: getattr(self, name) for name in self.parts})

    def update_average(self, decay: float) -> None:
        """Move the averages one step towards the weights."""
        self.averaged.update_parameters({name: getattr(self, name) for name in self.parts}, decay)

    @property
    def size(self) -> int:
        return sum(p.numel() for p in self.parameters() if p.requires_grad)


def spread(x: Tensor) -> Tensor:
    """Σ_j Var x_j over a batch (N, …): half the mean squared distance between two of its examples."""
    flat = x.flatten(1)
    return (flat - flat.mean(0)).square().sum() / len(flat)  # flat.var(0) takes ten times as long on a CPU
