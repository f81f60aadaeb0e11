"""p(x | output): how a decoder's output becomes a distribution over data, in nats."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput

Choice = Literal["auto", "bernoulli", "gaussian"]


class Bernoulli(nn.Module):
    """log p(x|l) = Σ x log σ(l) + (1−x) log(1−σ(l)), with a logit l for each value.

    For gray values in [0, 1] this is the usual cross-entropy: a bound's worth, not a normalised density.
    """

    def log_prob(self, logits: Tensor, x: Tensor) -> Tensor:
        """(N,) nats an image."""
        return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)

    def mean(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()

    def output_for(self, mean: Tensor) -> Tensor:
        """The output whose mean this is; kept away from certainty, which no gradient leaves."""
        return mean.clamp(0.01, 0.99).logit()


class Gaussian(nn.Module):
    """log p(x|m) = −½ Σ ((x−m)²/σ² + log 2πσ²), with a mean m for each value and a learned σ.

    One σ for an image, one a column for a table. σ ≥ 0.001 of the range, so that a value that never changes cannot make
    the likelihood infinite.
    """

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        spread = spec.high - spec.low or 1.0
        self.floor = 1e-3 * spread
        self.log_sigma = nn.Parameter(torch.full((spec.features if spec.kind == "table" else 1,), math.log(0.3 * spread)))

    def log_prob(self, mean: Tensor, x: Tensor) -> Tensor:
        """(N,) nats an image."""
        sigma = self.log_sigma.exp() + self.floor
        z = (x - mean).flatten(1) / sigma
        return -0.5 * (z.square() + math.log(2 * math.pi)).sum(1) - sigma.log().expand(z.shape[1]).sum()

    def mean(self, mean: Tensor) -> Tensor:
        return mean

    def output_for(self, mean: Tensor) -> Tensor:
        return mean


def likelihood(choice: Choice, spec: DataSpec) -> Bernoulli | Gaussian:
    """`auto` is Bernoulli for images within [0, 1] and Gaussian for everything else."""
    if choice == "auto":
        choice = "bernoulli" if spec.in_unit_interval and spec.kind == "image" else "gaussian"
    if choice == "bernoulli" and not spec.in_unit_interval:
        raise BadInput(
            f"model.likelihood: bernoulli needs values within [0, 1], "
            f"{spec.name} has {spec.low:g} … {spec.high:g}; use gaussian"
        )
    return Bernoulli() if choice == "bernoulli" else Gaussian(spec)
