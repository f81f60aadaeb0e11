"""The options of a game, the `trainer` node. No torch, so that the check is fast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from nnlab.config.constraints import AtLeast, Between
from nnlab.errors import BadInput
from nnlab.training.options import Pretraining, UpdateOptions, epochs_text

Objective = Literal["minimax", "non_saturating", "least_squares", "hinge", "wasserstein"]
SMOOTHED = ("minimax", "non_saturating", "least_squares")  # objectives whose discriminator has a target for data


class Discriminator:
    """Training of the discriminator.

    n_critic           its updates per update of the generator
    optimizer          a config node; if empty, the optimizer of the generator
    gradient_penalty   weight λ of λ E (‖∇D(x̂)‖ − 1)², x̂ = ε x + (1 − ε) G(z), one ε per image (Gulrajani et al. 2017)
    label_smoothing    1 − the target for data, one-sided (Salimans et al. 2016)
    instance_noise     standard deviation of Gaussian noise on its inputs, as a share of the data's range; falls linearly
                       to 0 over the run (Sønderby et al. 2017)
    """

    def __init__(
        self,
        *,
        n_critic: Annotated[int, AtLeast(1)] = 1,
        optimizer: Mapping,
        gradient_penalty: Annotated[float, AtLeast(0)] = 0.0,
        label_smoothing: Annotated[float, Between(0, 0.5)] = 0.0,
        instance_noise: Annotated[float, AtLeast(0)] = 0.0,
    ) -> None:
        self.n_critic, self.optimizer = n_critic, optimizer
        self.gradient_penalty, self.label_smoothing = gradient_penalty, label_smoothing
        self.instance_noise = instance_noise


class GameOptions(UpdateOptions):
    """Options of a game: a step is `discriminator.n_critic` updates of the discriminator, each with its own batch, and then one
    update of the generator.

    ema_decay  decay of the running average of the generator's weights, which makes samples; 0: the weights themselves
    """

    def __init__(
        self,
        *,
        objective: Objective = "non_saturating",
        discriminator: Discriminator,
        ema_decay: Annotated[float, Between(0, 1)] = 0.999,
        **updates,
    ) -> None:
        super().__init__(**updates)
        if self.batch_size < 2:
            raise BadInput("trainer.batch_size: a game needs batches of 2 or more, for batch normalisation")
        self.objective, self.discriminator, self.ema_decay = objective, discriminator, ema_decay
        if discriminator.label_smoothing and objective not in SMOOTHED:
            raise BadInput(
                f"trainer.discriminator.label_smoothing: has no meaning with {objective}, which has no target for data; "
                f"use {', '.join(SMOOTHED)}"
            )

    def settle(self, steps_per_epoch: int) -> None:
        """Replace `auto`: pictures are frequent, for the animation; metrics are three times as rare, since a judge is slow."""
        evaluated, shown = self.evaluate_every, self.show_every
        super().settle(steps_per_epoch)
        looks = self.epochs_between_looks(steps_per_epoch)
        self.evaluate_every = epochs_text(3 * looks) if evaluated == "auto" else evaluated
        self.show_every = epochs_text(looks) if shown == "auto" else shown

    @property
    def images_per_step(self) -> int:
        return self.batch_size * self.discriminator.n_critic


class StagedGameOptions(GameOptions):
    """Options of a game in stages, for a model that has some: `pretraining` is for those before the last."""

    def __init__(self, *, pretraining: Pretraining, **game) -> None:
        super().__init__(**game)
        self.pretraining = pretraining
