"""What the two sides of the game minimise, as functions of what the discriminator answers, each (N,) elementwise.

With r = D(x) of data, f = D(G(z)) of samples, logits or scores, σ the logistic function and s the label smoothing:

                  discriminator: data                samples           generator
minimax           −(1−s) log σ(r) − s log σ(−r)      −log σ(−f)         log σ(−f)     Goodfellow et al. 2014, equation 1
non_saturating    −(1−s) log σ(r) − s log σ(−r)      −log σ(−f)        −log σ(f)      Goodfellow et al. 2014, section 3
least_squares     ½ (r − (1−s))²                     ½ f²               ½ (f − 1)²    Mao et al. 2017
hinge             max(0, 1 − r)                      max(0, 1 + f)     −f             Lim & Ye 2017; Miyato et al. 2018
wasserstein       −r                                  f                −f             Arjovsky et al. 2017

`exchanged` is the generator's side of what it does to the data's answers, where it has a hand in these, too (bigan): the same
function with the roles of data and samples exchanged.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import relu, softplus


class Objective:
    """Base: the logistic answers of `minimax` and `non_saturating`.

    threshold  an answer above it says data
    """

    threshold: ClassVar[float | None] = 0.0

    def __init__(self, smoothing: float = 0.0) -> None:
        self.smoothing = smoothing

    def data(self, r: Tensor) -> Tensor:
        """What the discriminator minimises of its answers r (N,) to data, (N,): −(1−s) log σ(r) − s log σ(−r), nats."""
        return softplus(-r) + self.smoothing * r  # −(1−s) log σ(r) − s log σ(−r), since −log σ(−r) = −log σ(r) + r

    def samples(self, f: Tensor) -> Tensor:
        """What the discriminator minimises of its answers f (N,) to samples, (N,): −log σ(−f), nats."""
        return softplus(f)

    def generator(self, f: Tensor) -> Tensor:
        """What the generator minimises of the discriminator's answers f (N,) to samples, (N,)."""
        raise NotImplementedError

    def exchanged(self, r: Tensor) -> Tensor:
        """What an encoder minimises of the answers r (N,) to its pairs of data, (N,): here the generator's loss of −r."""
        return self.generator(-r)


class Minimax(Objective):
    """The generator minimises log σ(−f), what the discriminator maximises (Goodfellow et al. 2014, equation 1)."""

    def generator(self, f: Tensor) -> Tensor:
        return -softplus(f)


class NonSaturating(Objective):
    """The generator minimises −log σ(f), which has a slope where the discriminator is sure (Goodfellow et al. 2014)."""

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
    """A score has no zero of its own: the threshold is the middle between the two means."""

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


def accuracies(objective: Objective, r: Tensor, f: Tensor) -> tuple[Tensor, Tensor]:
    """The shares of data (N,) and of samples (M,) that are taken for what they are, scalars."""
    threshold = 0.5 * (r.mean() + f.mean()) if objective.threshold is None else objective.threshold
    return (r > threshold).float().mean(), (f < threshold).float().mean()
