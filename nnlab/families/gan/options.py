"""What the `trainer` node of a game may say. No torch: these values are checked in an instant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from nnlab.config.constraints import AtLeast, Between
from nnlab.errors import BadInput
from nnlab.training.options import UpdateOptions, epochs_text

Objective = Literal["minimax", "non_saturating", "least_squares", "hinge", "wasserstein"]
SMOOTHED = ("minimax", "non_saturating", "least_squares")  # those whose discriminator is to give data a certain answer


class Discriminator:
    """How the discriminator learns.

    n_critic           its updates before each of the generator's
    optimizer          a config's node; the generator's own if it is empty
    gradient_penalty   weight λ of λ E (‖∇D(x̂)‖ − 1)², x̂ = ε x + (1 − ε) G(z), one ε an image (Gulrajani et al. 2017)
    label_smoothing    how far short of certainty the answer to data is to be, one-sided (Salimans et al. 2016)
    instance_noise     s.d. of the Gaussian noise on all that it sees, in units of the data's range; falls to 0 in a
                       straight line over the run (Sønderby et al. 2017)
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
    """Of the game: a step is one update of the generator, before it `discriminator.n_critic` of the discriminator, each of them
    with a batch of its own.

    ema_decay  decay of the running average of the generator's weights, which is what samples; 0: the weights themselves
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
            raise BadInput("trainer.batch_size: a game is played by batches of 2 or more, over which networks normalise")
        self.objective, self.discriminator, self.ema_decay = objective, discriminator, ema_decay
        if discriminator.label_smoothing and objective not in SMOOTHED:
            raise BadInput(
                f"trainer.discriminator.label_smoothing: has no meaning under {objective}, which asks for no certain answer; "
                f"use {', '.join(SMOOTHED)}"
            )

    def settle(self, steps_per_epoch: int) -> None:
        """Of `auto`: figures at every third look, since a judge takes its time; pictures at each, for the film."""
        evaluated, shown = self.evaluate_every, self.show_every
        super().settle(steps_per_epoch)
        looks = self.epochs_between_looks(steps_per_epoch)
        self.evaluate_every = epochs_text(3 * looks) if evaluated == "auto" else evaluated
        self.show_every = epochs_text(looks) if shown == "auto" else shown

    @property
    def images_per_step(self) -> int:
        return self.batch_size * self.discriminator.n_critic
