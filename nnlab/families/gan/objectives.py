"""The losses of both sides of the game, as functions of the discriminator's outputs, each (N,) elementwise.

With r = D(x) of data, f = D(G(z)) of samples, logits or scores, σ the logistic function and s the label smoothing:

                  discriminator: data                samples           generator
minimax           −(1−s) log σ(r) − s log σ(−r)      −log σ(−f)         log σ(−f)     Goodfellow et al. 2014, equation 1
non_saturating    −(1−s) log σ(r) − s log σ(−r)      −log σ(−f)        −log σ(f)      Goodfellow et al. 2014, section 3
least_squares     ½ (r − (1−s))²                     ½ f²               ½ (f − 1)²    Mao et al. 2017
hinge             max(0, 1 − r)                      max(0, 1 + f)     −f             Lim & Ye 2017; Miyato et al. 2018
wasserstein       −r                                  f                −f             Arjovsky et al. 2017

`exchanged` is the loss on the outputs for data, for a player that also changes these (the encoder of bigan): the generator's
loss with the roles of data and samples exchanged.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import relu, softplus


class Objective:
    """Base: the logistic losses of `minimax` and `non_saturating`.

    threshold  an output above it means data
    """

    threshold: ClassVar[float | None] = 0.0

    def __init__(self, smoothing: float = 0.0) -> None:
        self.smoothing = smoothing

    def data(self, r: Tensor) -> Tensor:
        """The discriminator's loss of its outputs r (N,) for data, (N,): −(1−s) log σ(r) − s log σ(−r), nats."""
        return softplus(-r) + self.smoothing * r  # −(1−s) log σ(r) − s log σ(−r), since −log σ(−r) = −log σ(r) + r

    def samples(self, f: Tensor) -> Tensor:
        """The discriminator's loss of its outputs f (N,) for samples, (N,): −log σ(−f), nats."""
        return softplus(f)

    def generator(self, f: Tensor) -> Tensor:
        """The generator's loss of the discriminator's outputs f (N,) for samples, (N,)."""
        raise NotImplementedError

    def exchanged(self, r: Tensor) -> Tensor:
        """The encoder's loss of the outputs r (N,) for its pairs, (N,): here the generator's loss of −r."""
        return self.generator(-r)


class Minimax(Objective):
    """The generator minimises log σ(−f), which the discriminator maximises (Goodfellow et al. 2014, equation 1)."""

    def generator(self, f: Tensor) -> Tensor:
        return -softplus(f)


class NonSaturating(Objective):
    """The generator minimises −log σ(f), which has a gradient even if the discriminator is sure (Goodfellow et al. 2014)."""

    def generator(self, f: Tensor) -> Tensor:
        return softplus(-f)


class LeastSquares(Objective):
    """Squared distances from 1 for data and from 0 for samples (Mao et al. 2017)."""

    threshold = 0.5

    def data(self, r: Tensor) -> Tensor:
        return 0.5 * (r - (1 - self.smoothing)).square()

    def samples(self, f: Tensor) -> Tensor:
        return 0.5 * f.square()

    def generator(self, f: Tensor) -> Tensor:
        return 0.5 * (f - 1).square()

    def exchanged(self, r: Tensor) -> Tensor:
        return 0.5 * r.square()


class Hinge(Objective):
    """Margins of 1 on both sides, and the score itself for the generator (Lim & Ye 2017; Miyato et al. 2018)."""

    def data(self, r: Tensor) -> Tensor:
        return relu(1 - r)

    def samples(self, f: Tensor) -> Tensor:
        return relu(1 + f)

    def generator(self, f: Tensor) -> Tensor:
        return -f


class Wasserstein(Objective):
    """A score has no natural zero: the threshold is the middle between the two means."""

    threshold = None

    def data(self, r: Tensor) -> Tensor:
        return -r

    def samples(self, f: Tensor) -> Tensor:
        return f

    def generator(self, f: Tensor) -> Tensor:
        return -f


OBJECTIVES: dict[str, type[Objective]] = {
    "minimax": Minimax,
    "non_saturating": NonSaturating,
    "least_squares": LeastSquares,
    "hinge": Hinge,
    "wasserstein": Wasserstein,
}


def threshold_of(objective: Objective, r: Tensor, f: Tensor) -> Tensor | float:
    """The output above which an example is taken for data."""
    return 0.5 * (r.mean() + f.mean()) if objective.threshold is None else objective.threshold


def accuracies(objective: Objective, r: Tensor, f: Tensor) -> tuple[Tensor, Tensor]:
    """The shares of data (N,) and of samples (M,) that are classified right, scalars."""
    threshold = threshold_of(objective, r, f)
    return (r > threshold).float().mean(), (f < threshold).float().mean()
