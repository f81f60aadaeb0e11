"""The kinds of visible units: how a field f = a + Wh becomes a distribution over values v."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from nnlab.data.spec import DataSpec
from nnlab.data.split import Split
from nnlab.errors import BadInput

Choice = Literal["auto", "bernoulli", "gaussian"]


class Bernoulli(nn.Module):
    """v ∈ {0, 1}:  q(v) = 0,  ṽ = v,  p(v_i = 1|f) = σ(f_i). A gray value is the probability of a 1."""

    binary = True

    def own(self, v: Tensor) -> Tensor:
        """q(v), (N,)."""
        return v.new_zeros(len(v))

    def scaled(self, v: Tensor) -> Tensor:
        """ṽ, (N, D): the input of the hidden units."""
        return v

    def mean(self, field: Tensor) -> Tensor:
        """E[v|f] = σ(f), (N, D), of fields (N, D)."""
        return field.sigmoid()

    def sample(self, field: Tensor, generator: torch.Generator) -> Tensor:
        """v ∈ {0, 1} drawn from p(v|f), (N, D), of fields (N, D)."""
        return torch.rand(field.shape, device=field.device, generator=generator).lt_(field.sigmoid())

    def log_partition(self, field: Tensor) -> Tensor:
        """log Σ_v exp(−q(v) + ṽ′f), (N,)."""
        return functional.softplus(field).sum(1)

    def negative_log_prob(self, field: Tensor, v: Tensor) -> Tensor:
        """−log p(v|f), (N,)."""
        return functional.binary_cross_entropy_with_logits(field, v, reduction="none").sum(1)

    def init_from_data(self, mean: Tensor, variance: Tensor) -> Tensor:
        """The biases (D,) of units with these means; no probability is 0 or 1."""
        return mean.clamp(0.001, 0.999).logit()

    def statistics(self, v: Tensor, field: Tensor, weights: Tensor) -> dict[str, Tensor]:
        """The statistics of the units' own parameters: none."""
        return {}


class Gaussian(nn.Module):
    """v ∈ ℝ:  ṽ = (v − m)/σ,  q(v) = ‖ṽ‖²/2,  p(ṽ|f) = N(f, 1), so v = m + σ (f + ε) (Krizhevsky 2009; Cho et al. 2011).

    σ is learned: one for all pixels, one per column of a table. m (D,) is the data's mean and does not change.
    """

    binary = False

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        self.shared = spec.kind == "image"
        self.log_sigma = nn.Parameter(torch.zeros(1 if self.shared else spec.features))
        self.register_buffer("middle", torch.zeros(spec.features))

    def own(self, v: Tensor) -> Tensor:
        """q(v) = ‖ṽ‖²/2, (N,), of values (N, D)."""
        return 0.5 * self.scaled(v).square().sum(1)

    def scaled(self, v: Tensor) -> Tensor:
        """ṽ = (v − m)/σ, (N, D): the input of the hidden units."""
        return (v - self.middle) * (-self.log_sigma).exp()

    def mean(self, field: Tensor) -> Tensor:
        """E[v|f] = m + σ f, (N, D), of fields (N, D)."""
        return torch.addcmul(self.middle, field, self.log_sigma.exp())

    def sample(self, field: Tensor, generator: torch.Generator) -> Tensor:
        """v = m + σ (f + ε), ε from N(0, I), (N, D), of fields (N, D)."""
        return self.mean(torch.randn(field.shape, device=field.device, generator=generator).add_(field))

    def log_partition(self, field: Tensor) -> Tensor:
        """log ∫ exp(−q(v) + ṽ′f) dv = Σ_i (f_i²/2 + log σ_i + ½ log 2π), (N,)."""
        return (0.5 * field.square() + self.log_sigma.to(field) + 0.5 * math.log(2 * math.pi)).sum(1)

    def negative_log_prob(self, field: Tensor, v: Tensor) -> Tensor:
        """−log p(v|f) = Σ_i ((ṽ_i − f_i)²/2 + log σ_i + ½ log 2π), nats, (N,)."""
        return (0.5 * (self.scaled(v) - field).square() + self.log_sigma + 0.5 * math.log(2 * math.pi)).sum(1)

    def init_from_data(self, mean: Tensor, variance: Tensor) -> Tensor:
        """Zeros, since m is the mean; σ² is the variance (for images the mean over pixels)."""
        self.middle.copy_(mean)
        least = max(1e-6 * variance.amax().item(), 1e-12)
        self.log_sigma.copy_(0.5 * (variance.mean() if self.shared else variance).clamp(min=least).log())
        return torch.zeros_like(mean)

    def statistics(self, v: Tensor, field: Tensor, weights: Tensor) -> dict[str, Tensor]:
        """−∂E/∂log σ = ṽ (ṽ − f), f = a + Wh; summed over the pixels if they share one σ."""
        z = self.scaled(v)
        own = weights @ (z * (z - field))
        return {"units.log_sigma": own.sum(0, keepdim=True) if self.shared else own}


def visible_units(choice: Choice, spec: DataSpec) -> Bernoulli | Gaussian:
    """`auto` is Bernoulli if values are within [0, 1], else Gaussian."""
    if choice == "auto":
        choice = "bernoulli" if spec.in_unit_interval else "gaussian"
    if choice == "bernoulli" and not spec.in_unit_interval:
        raise BadInput(f"model.visible: bernoulli units take {spec.beyond_unit_interval}; use gaussian")
    return Bernoulli() if choice == "bernoulli" else Gaussian(spec)


def of_gray_values(split: Split) -> list[str]:
    """The warning for binary units if the values are not bits; None for bits."""
    if split.is_binary or split.dynamic_binarization:
        return []
    return [
        "its visible units are binary and take gray values as probabilities of a 1; a likelihood needs bits, "
        "and data.binarize=fixed draws them once"
    ]
