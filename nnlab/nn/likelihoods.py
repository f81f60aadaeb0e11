"""p(x | output): how a decoder's output becomes a distribution over data, in nats."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast
from nnlab.nn.float64 import to_float64

Choice = Literal["auto", "bernoulli", "continuous_bernoulli", "gaussian", "discretized_logistic"]
Sigma = Annotated[float, AtLeast(1e-4)] | Literal["learned"]
LEVELS = 256  # of a pixel that is stored as a byte
START = 0.3  # share of the range: the initial value of a learned scale


class Likelihood(nn.Module):
    """Values (N, *shape) given outputs (N, n_params · C, …), where C, … is the values' shape.

    n_params  number of outputs for the distribution of one value
    discrete   whether it gives probabilities to the values, so that bits per dimension have a meaning
    """

    n_params: int = 1
    discrete: bool = False

    def log_prob(self, output: Tensor, x: Tensor) -> Tensor:
        """(N,) nats per image."""
        raise NotImplementedError

    def mean(self, output: Tensor) -> Tensor:
        """E[x | output], (N, *shape)."""
        raise NotImplementedError

    def output_for(self, mean: Tensor) -> Tensor:
        """The output whose mean this is, both of one example (C, …); kept away from 0 and 1, where the gradient is 0."""
        raise NotImplementedError


class Bernoulli(Likelihood):
    """log p(x|l) = Σ x log σ(l) + (1−x) log(1−σ(l)), with a logit l for each value.

    For gray values in [0, 1] this is the usual cross-entropy, not a normalised density.
    """

    discrete = True

    def log_prob(self, logits: Tensor, x: Tensor) -> Tensor:
        """Σ x log σ(l) + (1−x) log(1−σ(l)), (N,), nats per image."""
        return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)

    def mean(self, logits: Tensor) -> Tensor:
        """σ(l), (N, *shape)."""
        return logits.sigmoid()

    def output_for(self, mean: Tensor) -> Tensor:
        """log m/(1−m) of a mean m kept within [0.01, 0.99], of the shape of m."""
        return mean.clamp(0.01, 0.99).logit()


class Density(Likelihood):
    """For continuous values. On bits a density can grow without bound."""


class ContinuousBernoulli(Density):
    """p(x|l) = eˡˣ / ∫₀¹ eˡᵗ dt for gray values in [0, 1] (Loaiza-Ganem & Cunningham 2019, "The continuous Bernoulli").

    With a = l/2 the integral is eᵃ sinh(a)/a, so log p(x|l) = Σ (2x−1) a − log(sinh(a)/a) and E[x|l] = ½ (1 + coth a − 1/a):
    the paper's C(λ)·λˣ(1−λ)¹⁻ˣ with λ = σ(l), in a form without a special case at λ = ½.
    """

    def log_prob(self, logits: Tensor, x: Tensor) -> Tensor:
        return torch.addcmul(-log_sinhc(logits / 2), x - 0.5, logits).flatten(1).sum(1)

    def mean(self, logits: Tensor) -> Tensor:
        return 0.5 * (1 + langevin(logits / 2))

    def output_for(self, mean: Tensor) -> Tensor:
        """By Newton's method on coth a − 1/a = y, from Cohen's (1991) rational start."""
        y = to_float64(2 * mean.clamp(0.01, 0.99) - 1)
        a = y * (3 - y * y) / (1 - y * y)
        for _ in range(6):  # of which three suffice
            a = a - (langevin(a) - y) / langevin_slope(a)
        return (2 * a).to(mean)


NEAR_ZERO = 0.5  # of |a|: below it series, whose error is under 3e-8; above it closed forms, which lose a digit at most


def sides_of(a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where a is near zero; there a², elsewhere 0; and elsewhere |a|, there 1. Each elementwise, and with finite slopes."""
    near = a.abs() < NEAR_ZERO
    return near, a.square().masked_fill(~near, 0), a.abs().masked_fill(near, 1)


def log_sinhc(a: Tensor) -> Tensor:
    """log(sinh(a)/a), elementwise."""
    near, s, far = sides_of(a)
    series = s * (1 / 6 + s * (-1 / 180 + s * (1 / 2835 - s / 37800)))
    return torch.where(near, series, far + torch.log(-torch.expm1(-2 * far) / (2 * far)))


def langevin(a: Tensor) -> Tensor:
    """coth a − 1/a, elementwise: the slope of log(sinh(a)/a)."""
    near, s, far = sides_of(a)
    series = a * (1 / 3 + s * (-1 / 45 + s * (2 / 945 - s * (1 / 4725 - s * 2 / 93555))))
    return torch.where(near, series, a.sign() * (1 / torch.tanh(far) - 1 / far))


def langevin_slope(a: Tensor) -> Tensor:
    """1/a² − 1/sinh² a, elementwise."""
    near, s, far = sides_of(a)
    series = 1 / 3 + s * (-1 / 15 + s * (2 / 189 - s * (1 / 675 - s * 2 / 10395)))
    return torch.where(near, series, far**-2 - torch.sinh(far) ** -2)


class Gaussian(Density):
    """log p(x|m) = −½ Σ ((x−m)²/σ² + log 2πσ²), with a mean m for each value.

    value_range  high − low of the values that occur
    sigmas       number of learned σ: 1 for an image; D for a table of D columns
    sigma        σ, in the units of the model's values; or learned, and then at least 0.001 of the range, so that a
                 constant value cannot make the likelihood infinite
    """

    log_sigma: Tensor

    def __init__(self, value_range: float = 1.0, sigmas: int = 1, sigma: Sigma = "learned") -> None:
        super().__init__()
        learned = sigma == "learned"
        self.floor = 1e-3 * value_range if learned else 0.0
        start = torch.full((sigmas,), math.log(START * value_range if learned else sigma))
        if learned:
            self.log_sigma = nn.Parameter(start)
        else:
            self.register_buffer("log_sigma", start)

    def log_prob(self, mean: Tensor, x: Tensor) -> Tensor:
        """−½ Σ ((x−m)²/σ² + log 2πσ²), (N,), nats per image."""
        sigma = self.log_sigma.exp() + self.floor
        z = (x - mean).flatten(1) / sigma
        return -0.5 * (z.square() + math.log(2 * math.pi)).sum(1) - sigma.log().expand(z.shape[1]).sum()

    def mean(self, mean: Tensor) -> Tensor:
        """The output itself, which is the mean, (N, *shape)."""
        return mean

    def output_for(self, mean: Tensor) -> Tensor:
        """The mean itself."""
        return mean


class DiscretizedLogistic(Likelihood):
    """P(x|m, s) = σ((x + h − m)/s) − σ((x − h − m)/s): a logistic density over one of 256 levels, h = 1/510 to each side.

    The tails beyond 0 and 1 belong to the first and the last level (Kingma et al. 2016, "Improved variational inference with
    inverse autoregressive flow"; Salimans et al. 2017, "PixelCNN++"). For each value the output has a location m and log s. For
    images within [0, 1]; a value between two levels counts as the nearer level.

    With b − a = 2h/s, log(σ(b) − σ(a)) = log σ(b) + log σ(−a) + log(1 − e⁻²ʰᐟˢ), which does not cancel in the tails.
    """

    n_params = 2
    discrete = True
    least = -7.7  # of log s, the papers' −7 where the range is 2: a tenth of a level

    def parameters_of(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """m and log s of each value, each (N, *shape)."""
        location, log_scale = output.chunk(2, dim=1)
        return location, log_scale.clamp(min=self.least)

    def log_prob(self, output: Tensor, x: Tensor) -> Tensor:
        location, log_scale = self.parameters_of(output)
        width = 1 / (LEVELS - 1)
        x = (x / width).round() * width
        per_scale = (-log_scale).exp()
        below = F.logsigmoid((x + width / 2 - location) * per_scale)  # log P(X < the level's upper end)
        above = F.logsigmoid((location - x + width / 2) * per_scale)
        inside = torch.log(-torch.expm1(-width * per_scale))
        first, last = x < width / 2, x > 1 - width / 2
        log_p = below.masked_fill(last, 0) + above.masked_fill(first, 0) + inside.masked_fill(first | last, 0)
        return log_p.flatten(1).sum(1)

    def mean(self, output: Tensor) -> Tensor:
        """∫₀¹ P(X > t) dt = s (log(1 + e^(m/s)) − log(1 + e^((m−1)/s))), which is E[x] to half a level."""
        location, log_scale = self.parameters_of(output)
        scale = log_scale.exp()
        return (scale * (F.softplus(location / scale) - F.softplus((location - 1) / scale))).clamp(0, 1)

    def output_for(self, mean: Tensor) -> Tensor:
        y, scale = to_float64(mean.clamp(0.01, 0.99)), START / 2  # a logistic's s.d. is 1.8 of its scale
        location = y + scale * torch.log(torch.expm1(-y / scale) / torch.expm1((y - 1) / scale))
        return torch.cat([location, torch.full_like(location, math.log(scale))]).to(mean)
