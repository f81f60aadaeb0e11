"""The general Boltzmann machine: all units are connected to each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from nnlab.config.constraints import AtLeast
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.families.rbm.energy import Pairwise, Statistics
from nnlab.families.rbm.units import of_gray_values
from nnlab.metrics.partition import MOST, states
from nnlab.model import Latent
from nnlab.model.data_init import mean_of
from nnlab.nn.float64 import to_float64

LARGEST = 4096  # units: a sweep visits them one by one, and there are n² weights
SETTLING = 30  # damped updates of mean field, each goes half of the way


class Boltzmann(Pairwise):
    """The general Boltzmann machine (Ackley, Hinton & Sejnowski 1985, "A learning algorithm for Boltzmann machines").

    E(s) = −Σ_{i<j} w_ij s_i s_j − Σ_i b_i s_i,   s = (v, h) ∈ {0, 1}^n, each unit connected to all others
    p(s_i = 1|the others) = σ(b_i + (Ws)_i)
    mean field: m = σ(b_h + W_hv v + W_hh m), an approximation of p(h|v)

    loss = −Σ_i log p(v_i|v_−i, m), recorded, but not minimised; without hidden units it is the negative pseudo-log-likelihood

    hidden       number of hidden units; 0: only visible units
    gibbs_steps  sweeps over all units, for a sample and for a completion, which is the mean of the second half
    """

    trainer = "nnlab.families.rbm.boltzmann_trainer:BoltzmannTrainer"

    def __init__(
        self, spec: DataSpec, *, hidden: Annotated[int, AtLeast(0)] = 16, gibbs_steps: Annotated[int, AtLeast(2)] = 200
    ) -> None:
        refuse_real_values(spec)
        if spec.features + hidden > LARGEST:
            raise BadInput(
                f"model: a machine of {spec.features + hidden} units, all connected, which a sweep visits one by one; "
                f"at most {LARGEST}. Use smaller images, or model=rbm, which draws a whole layer at once"
            )
        super().__init__(spec, spec.features + hidden)
        self.visible, self.hidden, self.gibbs_steps = spec.features, hidden, gibbs_steps
        noise = torch.randn(self.units, self.units) / self.units**0.5
        noise[: self.visible, : self.visible] = 0  # only this makes hidden units different from each other at the start
        with torch.no_grad():
            self.weight.copy_(torch.triu(noise, 1) + torch.triu(noise, 1).T)

    @property
    def units(self) -> int:
        """n, the number of visible and hidden units."""
        return len(self.bias)

    @torch.no_grad()
    def init_from_data(self, split: Split) -> None:
        """Set the visible biases to the frequencies of the data."""
        self.bias[: self.visible] = mean_of(split).flatten().clamp(0.001, 0.999).logit()

    def remarks(self, split: Split) -> list[str]:
        return of_gray_values(split)

    # -- the distribution -----------------------------------------------------------------------------------------

    def hidden_field(self, v: Tensor, h: Tensor) -> Tensor:
        """b_h + W_hv v + W_hh h, (N, H)."""
        return self.field(torch.cat([v, h], 1))[:, self.visible :]

    def mean_field(self, v: Tensor) -> Tensor:
        """m (N, H), for each v (N, D)."""
        m = v.new_full((v.shape[0], self.hidden), 0.5)
        for _ in range(SETTLING):
            m = torch.lerp(m, self.hidden_field(v, m).sigmoid(), 0.5)
        return m

    def gibbs(
        self,
        s: Tensor,
        sweeps: int,
        generator: torch.Generator,
        free: Tensor | None = None,
        order: Sequence[int] | None = None,
    ) -> Tensor:
        """s (N, n) after this many Gibbs sweeps: each unit is drawn given the others, one after another.

        free   (N, n) bool: the units that are drawn in each example, by default all; the others keep their values
        order  numbers of the units that are drawn in all examples; by default those that are free in any, for which the host
               waits for the device
        """
        if order is None:
            order = range(self.units) if free is None else free.any(0).nonzero().flatten().tolist()
        for _ in range(sweeps):
            # s_i = 1 if u < σ(field), which means field > log u/(1 − u)
            threshold = torch.rand((self.units, len(s)), device=s.device, generator=generator).logit_()

            def decide(i: int, field: Tensor, value: Tensor, threshold: Tensor = threshold) -> Tensor:
                drawn = (field > threshold[i]).to(value.dtype)
                return drawn if free is None else torch.where(free[:, i], drawn, value)

            s = self.in_turn(s, order, decide)
        return s

    def hidden_given(self, v: Tensor, sweeps: int, generator: torch.Generator) -> Tensor:
        """(N, n) states whose hidden units are drawn by Gibbs sweeps that start at the mean field."""
        m = self.mean_field(v)
        drawn = torch.rand(m.shape, device=v.device, generator=generator).lt_(m)
        return self.gibbs(torch.cat([v, drawn], 1), sweeps, generator, order=range(self.visible, self.units))

    def logits_of_hidden(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """All states h (2^H, H), and −E(v, h) of each with each v, without the terms of v alone, (N, 2^H)."""
        h = states(self.hidden, dtype=v.dtype, device=v.device)
        own = 0.5 * ((h @ self.weight[self.visible :, self.visible :]) * h).sum(1)
        return h, self.hidden_field(v, v.new_zeros(len(v), self.hidden)) @ h.T + own

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v), (N,) nats, summed over all states of the hidden units."""
        alone = self.energy(torch.cat([v, v.new_zeros(len(v), self.hidden)], 1))
        return alone - self.logits_of_hidden(v)[1].logsumexp(1)

    def log_z(self) -> float:
        """log Z, summed over all states of the machine, in float64."""
        s = states(self.units, dtype=torch.float32, device=self.bias.device)
        return to_float64(-self.energy(s)).logsumexp(0).item()

    def data_statistics(self, v: Tensor) -> Statistics:
        """The statistics of a batch v (N, D), with the exact p(h|v)."""
        h, logits = self.logits_of_hidden(v)
        p = logits.softmax(1)  # (N, 2^H)
        means = self.statistics(torch.cat([v, p @ h], 1))
        pairs = (h.T * p.mean(0)) @ h
        means["weight"][self.visible :, self.visible :] = pairs.fill_diagonal_(0)
        return means

    def model_statistics(self) -> Statistics:
        """The exact statistics of p(v, h)."""
        s = states(self.units, dtype=torch.float32, device=self.bias.device)
        return self.statistics(s, weights=(-self.energy(s)).softmax(0))

    @property
    def countable(self) -> bool:
        """Whether there are few enough states, 2^n, to sum over all: then Z and the statistics are exact."""
        return self.units <= MOST

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        v = self.check(batch.target).flatten(1)
        return {"loss": self.monitored_loss(v, self.mean_field(v))}

    def monitored_loss(self, v: Tensor, m: Tensor) -> Tensor:
        """`loss`, (N,), of v (N, D) with hidden means m (N, H)."""
        field = self.field(torch.cat([v, m], 1))[:, : self.visible]
        return functional.binary_cross_entropy_with_logits(field, v, reduction="none").sum(1)

    # -- capabilities ---------------------------------------------------------------------------------------------

    def encode(self, x: Tensor) -> Tensor:
        """m, (N, H)."""
        v = self.check(x).flatten(1)
        if not self.hidden:
            raise BadInput("encode: this machine has no hidden units; train one with model.hidden=16")
        return self.mean_field(v)

    def reconstruct(self, x: Tensor) -> Tensor:
        """p(v_i = 1|v_−i, m), each pixel from all the others, (N, *shape)."""
        v = self.check(x).flatten(1)
        field = self.field(torch.cat([v, self.mean_field(v)], 1))[:, : self.visible]
        return field.sigmoid().unflatten(1, self.spec.shape)

    def complete(self, x: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """The means of the lost values over Gibbs sweeps in which the known values do not change."""
        known, lost = self.check(x).flatten(1), mask.flatten(1)
        hidden = lost.new_ones((len(lost), self.hidden))
        free = torch.cat([lost, hidden], 1)
        s = torch.where(free, 0.5, torch.cat([known, known.new_zeros(hidden.shape)], 1))
        s = self.gibbs(s, self.gibbs_steps // 2, generator, free)
        averaged = self.gibbs_steps - self.gibbs_steps // 2
        total = torch.zeros_like(known)
        for _ in range(averaged):
            s = self.gibbs(s, 1, generator, free)
            total += self.field(s)[:, : self.visible].sigmoid()
        return torch.where(lost, total / averaged, known).unflatten(1, self.spec.shape)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """p(v_i = 1|the others) after `gibbs_steps` sweeps from random bits, (n, *shape)."""
        s = torch.rand((n, self.units), device=self.bias.device, generator=generator).lt_(0.5)
        s = self.gibbs(s, self.gibbs_steps, generator)
        return self.field(s)[:, : self.visible].sigmoid().unflatten(1, self.spec.shape)

    def score(self, x: Tensor) -> Tensor:
        """`loss`, nats, (N,): large if the values are unlikely given the others."""
        v = self.check(x).flatten(1)
        return self.monitored_loss(v, self.mean_field(v))

    def latent(self, batches: Iterable[Batch]) -> Latent:
        """The mean and the standard deviation of the hidden means m over the batches, each (H,)."""
        codes = to_float64(torch.cat([self.encode(batch.target) for batch in batches]))
        mean, std = codes.mean(0).float(), codes.std(0, correction=0).float()
        return Latent(mean.to(self.bias.device), std.to(self.bias.device))

    @property
    def filters(self) -> Tensor:
        """(H, *shape) the weights of each hidden unit."""
        return self.weight[self.visible :, : self.visible].unflatten(1, self.spec.shape)


def refuse_real_values(spec: DataSpec) -> None:
    """Raise BadInput unless the values are within [0, 1], as binary units need."""
    remedy = "model=rbm has visible units for real values"
    if spec.kind == "table":
        raise BadInput(f"model: its units are on or off, but {spec.name} is a table of {spec.features} columns; {remedy}")
    if not spec.in_unit_interval:
        raise BadInput(
            f"model: its units are on or off, but {spec.name} has values {spec.low:g} … {spec.high:g}, "
            f"not within [0, 1]; {remedy}"
        )
