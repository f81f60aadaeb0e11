"""The trainer of the adversarial models: the players' updates, the gradient penalty, warnings and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from nnlab.data.spec import Batch
from nnlab.errors import BadInput
from nnlab.families.gan.base import REGULARIZERS, Adversarial, Objects, Play, Wrong, spread
from nnlab.families.gan.health import TrainingMonitor
from nnlab.families.gan.networks import interpolated
from nnlab.families.gan.objectives import OBJECTIVES, accuracies, threshold_of
from nnlab.families.gan.options import GameOptions, StagedGameOptions
from nnlab.metrics.reconstruction import reconstruction_figures, with_pooled
from nnlab.model import Decodes, Encodes, Reconstructs, Samples, SamplesClasses, Turn, Varies, can
from nnlab.nn.scheduled import Scheduled
from nnlab.nn.schedules import Linear
from nnlab.plotting.animation import ImageHistory
from nnlab.plotting.images import tiled, to_pixels
from nnlab.plotting.latent import class_picture, motion, reconstruction_picture, variations_picture
from nnlab.plotting.tables import table_pictures
from nnlab.training.diagnosis import first_not_finite
from nnlab.training.gradient import GradientTrainer
from nnlab.training.randomness import fork_rng
from nnlab.training.trainer import Preview, TrainerContext, evaluating

MAX_CRITIC_EXAMPLES = 2000  # the discriminator is evaluated on at most this many examples of a split
FILMED = 64  # samples per picture, always from the same noise
PER_CLASS = VARIATIONS = 8
Discriminate = Callable[..., Tensor]


class GameTrainer(GradientTrainer):
    """The game: updates of the discriminator, then one update of each other player; each player has its own optimizer.

    The model says who plays and in which turns (`players`, `turns`); `critic` is the turn of any discriminator.

    Figures:
    discriminator_loss  the discriminator's loss, by trainer.objective; data beside wrong texts, if it sees such, and samples
                        have half the weight each
    generator_loss      the objective's loss of the discriminator's outputs for samples
    encoder_loss        the same for the pairs of the encoder (bigan)
    real_accuracy       share of the data that the discriminator takes for data; 0.5 if it cannot see a difference
    fake_accuracy       share of the samples that it takes for samples
    wrong_accuracy      share of the data beside wrong texts that it does not take for data
    real_score          its mean output (logit or score) for data
    fake_score          its mean output for samples
    critic_examples          number of examples of the split that it was evaluated on
    diversity           variance of the samples of a batch, as a share of the data's; near 0 if all samples are alike
    gradient_penalty    mean (‖∇D‖ − 1)² between data and samples
    weighted_penalty    gradient_penalty times trainer.discriminator.gradient_penalty
    instance_noise      standard deviation of the noise on the discriminator's inputs, at this step
    discriminator_gradient, generator_gradient, encoder_gradient, decoder_gradient, autoencoder_gradient
                        Euclidean norm of a player's gradient
    discriminator_lr, generator_lr, encoder_lr, decoder_lr, autoencoder_lr
                        learning rate of a player at this step
    """

    options = GameOptions
    description = "by a game of networks against each other"
    uses = frozenset({"optimizer", "augmentation"})
    drop_last = True  # a small last batch would give bad statistics for batch normalisation
    bounding: ClassVar[str] = "trainer=wgan_gp"
    """What to type for a gradient penalty."""

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        own = self.settings.discriminator
        self.refuse(context.model)
        self.objective = OBJECTIVES[self.settings.objective](own.label_smoothing)
        if own.instance_noise:
            self.scheduled["instance_noise"] = Scheduled(own.instance_noise * self.model.value_range, Linear()).to(self.device)
        self.health = TrainingMonitor()
        self.reel = ImageHistory()
        self.steps_done = 0

    def refuse(self, model: Adversarial) -> None:
        """Raises BadInput for an objective that does not fit the model; the message names those that do."""
        own, objective = self.settings.discriminator, self.settings.objective
        name = type(model).__name__
        critics = [part for player in model.critics for part in model.players()[player]]
        for key in REGULARIZERS:
            if getattr(own, key) and not (critics and key in model.regularizers):
                why = f"the discriminator of {name} does not use it" if critics else f"this {name} has no discriminator"
                raise BadInput(f"trainer.discriminator.{key}: has no effect, {why}; leave it out")
        if critics and objective not in model.objectives:
            raise BadInput(f"trainer.objective: {name} can have {', '.join(model.objectives)}, not {objective}")
        if own.gradient_penalty and model.uses_batch_norm:
            raise BadInput(
                f"trainer.discriminator.gradient_penalty: the discriminator of {name} uses batch normalisation: there is no "
                "gradient per example; add model.normalization=none, or leave the penalty out"
            )
        bounded = any(hasattr(m, "parametrizations") for part in critics for m in part.modules())
        if critics and objective == "wasserstein" and not own.gradient_penalty and not bounded:
            able = ", ".join(known for known in OBJECTIVES if known != "wasserstein")
            how = f"model.normalization=none {self.bounding}" if model.uses_batch_norm else self.bounding
            raise BadInput(
                f"trainer.objective: wasserstein needs a critic with a bounded gradient, which {name} does not have; "
                f"give {how}, which adds a gradient penalty, or use {able}"
            )

    def optimizer_of(self, player: str) -> Mapping:
        own = self.settings.discriminator.optimizer if player in self.model.critics else None
        return own or super().optimizer_of(player)

    # -- the step -------------------------------------------------------------------------------------------------

    def train(self, step: int, n: int, stop: Callable[[], bool]) -> int:
        done = super().train(step, n, stop)
        self.steps_done = step + done
        return done

    def update(self, batch: Batch) -> dict[str, Tensor]:
        terms = super().update(batch)
        self.model.update_average(self.settings.ema_decay)
        return terms

    def parts(self, batch: Batch) -> list[Batch]:
        """Parts of a batch, one per update of the discriminator; fewer if there are not two examples, or groups, for each."""
        each = self.model.examples_per_class or 1
        return batch.tensor_split(max(1, min(self.settings.discriminator.n_critic, len(batch) // max(2, each))), each)

    def play(self, batch: Batch) -> Play:
        """The tensors of the game for a batch, under autocast, with instance noise on the discriminator's inputs."""
        with self.forward():
            play = self.model.play(batch, self.generator)
        return replace(play, real=self.add_instance_noise(play.real), fake=self.add_instance_noise(play.fake))

    def add_instance_noise(self, objects: Objects) -> Objects:
        """The discriminator's inputs, with instance noise on the first of them."""
        noise = self.scheduled.get("instance_noise")
        if noise is None:
            return objects
        first, *rest = objects
        sample_prior = torch.randn(first.shape, device=first.device, generator=self.generator)
        return (torch.addcmul(first, sample_prior, noise.value), *rest)

    def critic(
        self,
        discriminate: Discriminate,
        real: Objects,
        fake: Objects,
        name: str = "discriminator",
        wrong: Wrong | None = None,
    ) -> Turn:
        """A turn of a discriminator, which learns to separate data from samples; gradients do not reach who made them.

        discriminate  D, of as many arguments as `real` and `fake` have: (N,) or, of a critic that judges patches, (N, …)
        name          of the player; the terms of one with another name than `discriminator` begin with it
        wrong         wrong conditions of the data: their loss is that of samples, and each of both has half the weight
        """
        own = tuple(part.detach() for part in real)
        fake = tuple(seen if b is a else b.detach() for a, b, seen in zip(real, fake, own, strict=True))
        real = own
        with self.forward():
            if wrong:  # both at once, since features of the same images are computed only once so
                r, w = discriminate(real[0], *map(torch.stack, zip(real[1:], wrong.conditions, strict=True)))
            else:
                r = discriminate(*real)
            f = discriminate(*fake)
        of_samples = self.objective.samples(f).mean()
        if wrong:
            of_samples = 0.5 * (of_samples + mean_where(self.objective.samples(w), wrong.counts))
        loss = self.objective.data(r).mean() + of_samples
        real_accuracy, fake_accuracy = accuracies(self.objective, r, f)
        terms = {"discriminator_loss": loss, "real_accuracy": real_accuracy, "fake_accuracy": fake_accuracy}
        weight = self.settings.discriminator.gradient_penalty
        if weight:
            share = torch.rand(len(real[0]), device=self.device, generator=self.generator)
            terms["gradient_penalty"] = gradient_penalty_of(discriminate, real, fake, share)  # autocast has only two digits
            terms["weighted_penalty"] = weight * terms["gradient_penalty"]
            loss = loss + terms["weighted_penalty"]
        if wrong:
            terms["wrong_accuracy"] = mean_where((w < threshold_of(self.objective, r, f)).float(), wrong.counts)
        terms["diversity"] = spread(fake[0]) / spread(real[0]).clamp(min=1e-12)
        if name != "discriminator":
            terms = {f"{name}_{key.removeprefix('discriminator_')}": value for key, value in terms.items()}
        return Turn({name: loss}, terms)

    def diagnose(self, step: int) -> str | None:
        batch = self.feed.batch(self.rows(step), self.generator)

        def round_of_the_game() -> None:
            if not self.model.plays_by_turns:
                play = self.play(self.parts(batch)[0])
                self.model.discriminate(*play.real)
                self.model.discriminate(*play.fake)

        with torch.no_grad(), self.precision.step():
            return first_not_finite(self.model, round_of_the_game)

    def check_health(self, means: dict[str, float]) -> None:
        if "diversity" in means:  # with other critics the terms have other names
            self.notices += self.health.look(means, judges=self.objective.threshold is not None)

    def state(self) -> dict:
        return {**super().state(), "made": self.steps_done, "health": self.health.state(), "reel": self.reel.state()}

    def restore(self, state: dict) -> None:
        """Restore what `state` returned: the number of steps, the monitor and the frames of the animation."""
        super().restore(state)
        self.steps_done = state["made"]
        self.health.restore(state["health"])
        self.reel.restore(state["reel"])

    # -- figures and pictures -------------------------------------------------------------------------------------

    def batch_metrics(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return reconstruction_figures(self.model, batch, self.model.spec)

    def evaluate_split(self, split: str) -> dict[str, float]:
        figures = with_pooled(super().evaluate_split(split), self.model.spec) if can(self.model, Reconstructs) else {}
        with fork_rng(self.seed, self.device) as generator, evaluating(self.model):
            return figures if self.model.plays_by_turns else figures | self.critic_statistics(split, generator)

    def critic_statistics(self, split: str, generator: torch.Generator) -> dict[str, float]:
        """The discriminator's metrics on MAX_CRITIC_EXAMPLES examples of a split, and on as many samples."""
        feed = self.builder(self.data.split(split))
        rows = feed.split.spread(MAX_CRITIC_EXAMPLES)
        self.metadata = {**self.metadata, "critic_examples": len(rows)}
        answers: tuple[list[Tensor], list[Tensor]] = ([], [])
        with batch_statistics_mode(self.model.discriminator):
            for batch in feed.sequential(generator, rows):
                play = self.model.play(batch, generator)
                for said, seen in zip(answers, (play.real, play.fake), strict=True):
                    said.append(self.model.discriminate(*seen))
        r, f = map(torch.cat, answers)
        shares = dict(zip(("real_accuracy", "fake_accuracy"), accuracies(self.objective, r, f), strict=True))
        figures = {"real_score": r.mean(), "fake_score": f.mean(), **shares}
        return dict(zip(figures, torch.stack(list(figures.values())).tolist(), strict=True))

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        model = self.model
        if not model.makes_examples:
            return {}
        if model.spec.kind == "table":
            return table_pictures(model, view.batches, view.generator)
        pictures = {}
        if can(model, Samples):
            samples = to_pixels(model.sample(FILMED, view.generator), model.spec)
            self.reel.look(samples, self.epoch)
            pictures["sample"] = tiled(samples)
            if self.in_last_stage and self.steps_done == self.stages[-1].steps:
                pictures["sample_history"] = self.reel.film()
        if can(model, SamplesClasses):
            pictures["classes"] = class_picture(model, PER_CLASS, view.generator)
        if can(model, Reconstructs):
            pictures["reconstruction"] = reconstruction_picture(model, view.few)
        if can(model, Varies):
            z = torch.randn((VARIATIONS, model.latent_dim), device=self.device, generator=view.generator)
            pictures["variation"] = variations_picture(model, view.few.input, z)
        if can(model, Encodes) and can(model, Decodes):
            pictures |= motion(model, model.latent(view.batches))
        return pictures


class StagedGameTrainer(GameTrainer):
    """A game in stages, for a model that has some."""

    options = StagedGameOptions
    keeps_stage_pictures = True
    bounding = "trainer.discriminator.gradient_penalty=10"

    def start_stage(self, stage: int) -> None:
        super().start_stage(stage)
        self.model.start_averages(anew=False)

    def begin_stage(self) -> None:
        super().begin_stage()
        self.health = TrainingMonitor()  # another game, with terms of its own
        self.model.start_averages(anew=True)


@contextmanager
def batch_statistics_mode(discriminator: nn.Module) -> Iterator[None]:
    """With batch normalisation the discriminator is evaluated as in training, with statistics of batches of one kind: its
    running means mix data and samples, which it never sees together. Its running means do not change.
    """
    kept, was = [(buffer, buffer.clone()) for buffer in discriminator.buffers()], discriminator.training
    discriminator.train()
    try:
        yield
    finally:
        discriminator.train(was)
        for buffer, before in kept:
            buffer.copy_(before)


def gradient_penalty_of(discriminate: Discriminate, real: Objects, fake: Objects, share: Tensor) -> Tensor:
    """E (‖∇D(x̂)‖ − 1)², x̂ = ε x + (1 − ε) x̃ with ε (N,), a scalar (Gulrajani et al. 2017).

    For a pair of which both differ (bigan) the gradient is with respect to both. What data and samples share, the same tensor
    or integers, is a condition: the penalty is by x alone.
    """
    between = [
        interpolated(a, b[: len(a)], share).requires_grad_() if a.is_floating_point() and a is not b else a
        for a, b in zip(real, fake, strict=True)
    ]
    moved = [x for x in between if x.requires_grad]
    said = discriminate(*between)
    said = said.flatten(1).mean(1) if said.ndim > 1 else said  # one number per example, also of a critic of patches
    gradients = torch.autograd.grad(said.sum(), moved, create_graph=True)
    norm = torch.cat([g.flatten(1) for g in gradients], 1).norm(dim=1)
    return (norm - 1).square().mean()


def mean_where(values: Tensor, counts: Tensor) -> Tensor:
    """The mean of those values (N,) that count, (N,) bool; 0 if none does."""
    return (values * counts).sum() / counts.sum().clamp(min=1)
