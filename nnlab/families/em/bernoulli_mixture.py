"""The mixture of products of Bernoulli distributions, for binary images."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast
from nnlab.data.spec import DataSpec
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.families.em.mixture import Mixture
from nnlab.model import Statistics
from nnlab.model.data_init import mean_of
from nnlab.nn.float64 import to_float64

INWARD = 0.25  # share by which a component that starts at one example moves to the mean, so that no probability is 0 or 1


class BernoulliMixture(Mixture):
    """A mixture of products of Bernoulli distributions, for binary images (Bishop 2006, 9.3.3):

    p_k(x) = Π_d m_kd^{x_d} (1 − m_kd)^{1 − x_d},   m_kd = (Σ_x r_k(x) x_d + a) / (n_k + 2a)

    pseudo_count  a: added to the counts of 0 and of 1, the Beta prior Π m^a (1 − m)^a, so that no probability is 0
                  or 1. The bound (log-likelihood + log prior) / N never falls

    Values between 0 and 1 are used as probabilities; log p is then a cross-entropy, not a likelihood (use data.binarize).
    """

    def __init__(self, spec: DataSpec, *, pseudo_count: Annotated[float, AtLeast(0)] = 0.1, **mixture) -> None:
        super().__init__(spec, **mixture)
        if not spec.in_unit_interval:
            what = "a table of real numbers" if spec.kind == "table" else f"has values {spec.low:g} … {spec.high:g}"
            raise BadInput(f"model: Bernoulli variables need values within [0, 1], but {spec.name} is {what}")
        self.pseudo_count = pseudo_count
        shape = (self.components, spec.features)
        self.rates = nn.Parameter(torch.full(shape, 0.5, dtype=torch.float64), requires_grad=False)
        self.register_buffer("mean", torch.full((spec.features,), 0.5))
        self._logits: tuple | None = None

    @property
    def means(self) -> Tensor:
        return self.rates.float()

    @property
    def free(self) -> int:
        return self.rates.numel()

    def prepare(self, split: Split) -> None:
        self.mean.copy_(mean_of(split).flatten())

    def logits(self) -> tuple[Tensor, Tensor]:
        """log m/(1 − m), (K, D), and Σ_d log(1 − m), (K,), float32; computed once per pass."""
        state = (self.rates._version, self.rates.device)
        if self._logits is None or self._logits[0] != state:
            tiny = torch.finfo(torch.float32).eps
            rates = self.rates.clamp(tiny, 1 - tiny)
            self._logits = state, (rates.logit().float(), (-rates).log1p().sum(1).float())
        return self._logits[1]

    def expand(self, x: Tensor) -> tuple[Tensor, ...]:
        return (x.flatten(1),)

    def log_components(self, points: tuple[Tensor, ...]) -> Tensor:
        logits, constant = self.logits()
        return torch.addmm(constant, points[0], logits.T)

    def sums(self, points: tuple[Tensor, ...], r: Tensor) -> Statistics:
        return {"x": r.T @ points[0]}

    def maximise(self, sums: Statistics) -> Tensor:
        n = sums["n"][:, None].clamp(min=1e-300)
        self.rates.copy_(((sums["x"] + self.pseudo_count) / (n + 2 * self.pseudo_count)).clamp(0, 1))
        return torch.zeros(self.components, dtype=torch.bool, device=self.rates.device)

    def renew(self, which: Tensor, points: Tensor) -> None:
        self.rates[which] = to_float64(points + INWARD * (self.mean - points))

    def penalty(self) -> Tensor:
        tiny = torch.finfo(torch.float32).eps
        rates = self.rates.clamp(tiny, 1 - tiny)
        return self.pseudo_count * (rates.log() + (-rates).log1p()).sum()

    def draw(self, component: Tensor, generator: torch.Generator | None) -> Tensor:
        rates = self.rates[component].float()
        return (torch.rand(rates.shape, device=rates.device, generator=generator) < rates).float()
