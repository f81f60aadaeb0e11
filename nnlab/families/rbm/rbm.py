"""The restricted Boltzmann machine: units of a layer are connected only to the other layer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from nnlab.config.constraints import AtLeast
from nnlab.data.feed import eval_batch_size
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.families.rbm.energy import EnergyModel, Statistics
from nnlab.families.rbm.units import Choice, of_gray_values, visible_units
from nnlab.model import Latent
from nnlab.model.data_init import mean_of
from nnlab.nn.float64 import to_float64
from nnlab.nn.mlp import Width

WATCHED = 4  # bits per example for the estimate of the pseudo-likelihood


class RBM(EnergyModel):
    """The restricted Boltzmann machine (Smolensky 1986; Hinton 2002, "Training products of experts …").

    E(v, h) = q(v) − a′ṽ − b′h − ṽ′Wh,   h ∈ {0, 1}^H;   with Bernoulli visible units q = 0 and ṽ = v (units.py)
    p(h_j = 1|v) = σ(b_j + (W′ṽ)_j),   p(v|h) by the field a + Wh
    F(v) = q(v) − a′ṽ − Σ_j log(1 + exp(b_j + (W′ṽ)_j)),   log p(v) = −F(v) − log Z

    loss is recorded, but not minimised: with Bernoulli units −Σ_i log p(v_i|v_−i), the negative pseudo-log-likelihood,
    estimated from a few random bits per example; with Gaussian units −log p(v|E[h|v]), of the reconstruction

    weight W (D, H), visible_bias a (D,), hidden_bias b (H,), base_bias (D,) the biases from the data's means

    gibbs_steps  Gibbs steps for a sample, from those means; a completion is the mean of the second half of them
    """

    trainer = "nnlab.families.rbm.trainer:RBMTrainer"

    def __init__(
        self,
        spec: DataSpec,
        *,
        hidden: Width = 256,
        visible: Choice = "auto",
        gibbs_steps: Annotated[int, AtLeast(2)] = 500,
    ) -> None:
        super().__init__(spec)
        self.latent_dim, self.gibbs_steps = hidden, gibbs_steps
        self.units = visible_units(visible, spec)
        # hidden fields of order one: units that all start at ½ need long to become different
        self.weight = nn.Parameter(torch.randn(spec.features, hidden) / spec.features**0.5)
        self.visible_bias = nn.Parameter(torch.zeros(spec.features))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.register_buffer("base_bias", torch.zeros(spec.features))

    def init_from_data(self, split: Split) -> None:
        """Set the visible biases to the frequencies of the data."""
        mean = mean_of(split).flatten()
        centred = (split.values(rows).flatten(1) - mean for rows in split.rows.split(eval_batch_size(split)))
        variance = sum(to_float64(x).square().sum(0) for x in centred).float() / len(split)
        self.start_from(mean, variance.to(mean.device))

    @torch.no_grad()
    def start_from(self, mean: Tensor, variance: Tensor) -> None:
        """Set `base_bias` and a from the mean and variance of visible units, both (D,); also m and σ if Gaussian."""
        self.base_bias.copy_(self.units.init_from_data(mean, variance))
        self.visible_bias.copy_(self.base_bias)

    def remarks(self, split: Split) -> list[str]:
        said = [*of_gray_values(split), "model.visible=gaussian takes real values"]
        return [". ".join(said)] if self.units.binary and len(said) > 1 else []

    # -- the distribution -----------------------------------------------------------------------------------------

    def hidden_field(self, v: Tensor) -> Tensor:
        """b + W′ṽ, (N, H)."""
        return torch.addmm(self.hidden_bias, self.units.scaled(v), self.weight)

    def visible_field(self, h: Tensor) -> Tensor:
        """a + Wh, (N, D)."""
        return torch.addmm(self.visible_bias, h, self.weight.T)

    def hidden(self, v: Tensor, generator: torch.Generator) -> Tensor:
        """h drawn given v."""
        field = self.hidden_field(v)
        return torch.rand(field.shape, device=v.device, generator=generator).lt_(field.sigmoid_())

    def gibbs(self, v: Tensor, steps: int, generator: torch.Generator) -> Tensor:
        """v (N, D) after this many Gibbs steps: h given v, then v given h."""
        for _ in range(steps):
            v = self.units.sample(self.visible_field(self.hidden(v, generator)), generator)
        return v

    def energy(self, v: Tensor, h: Tensor) -> Tensor:
        scaled = self.units.scaled(v)
        return self.units.own(v) - scaled @ self.visible_bias - h @ self.hidden_bias - ((scaled @ self.weight) * h).sum(1)

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v), (N,) nats, of v (N, D)."""
        rest = functional.softplus(self.hidden_field(v)).sum(1)
        return self.units.own(v) - self.units.scaled(v) @ self.visible_bias - rest

    def statistics(self, v: Tensor, h: Tensor, weights: Tensor | None = None) -> Statistics:
        """⟨ṽh′⟩, ⟨ṽ⟩, ⟨h⟩; for Gaussian units also the statistic of log σ."""
        weights = v.new_full((len(v),), 1 / len(v)) if weights is None else weights
        scaled, weighted = self.units.scaled(v), h * weights[:, None]
        own = self.units.statistics(v, self.visible_field(h), weights) if not self.units.binary else {}
        return {"weight": scaled.T @ weighted, "visible_bias": weights @ scaled, "hidden_bias": weighted.sum(0), **own}

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        v = self.check(batch.target).flatten(1)
        return {"loss": self.monitored_loss(v, self.hidden_field(v), generator, WATCHED)}

    def monitored_loss(self, v: Tensor, field: Tensor, generator: torch.Generator, bits: int) -> Tensor:
        """`loss`, (N,), of v (N, D) and its hidden field (N, H)."""
        if not self.units.binary:
            return self.units.negative_log_prob(self.visible_field(field.sigmoid()), v)
        total = v.new_zeros(len(v))
        for _ in range(bits):
            i = torch.randint(v.shape[1], (len(v),), device=v.device, generator=generator)
            value, w = v.gather(1, i[:, None]), self.weight.index_select(0, i)
            off = torch.addcmul(field, value, w, value=-1)  # the hidden field without v_i
            log_odds = self.visible_bias.index_select(0, i) + functional.softplus(off + w).sub_(functional.softplus(off)).sum(1)
            total += functional.binary_cross_entropy_with_logits(log_odds, value[:, 0], reduction="none")
        return total * (v.shape[1] / bits)

    # -- capabilities ---------------------------------------------------------------------------------------------

    def encode(self, x: Tensor) -> Tensor:
        """E[h|v], (N, H)."""
        return self.hidden_field(self.check(x).flatten(1)).float().sigmoid()

    def decode(self, z: Tensor) -> Tensor:
        """E[v|h], (N, *shape), of h or its means (N, H)."""
        return self.as_data(self.units.mean(self.visible_field(z).float()))

    def as_data(self, v: Tensor) -> Tensor:
        """(N, D) → (N, *shape), clipped to the range of the data, if they have one."""
        shaped = v.unflatten(1, self.spec.shape)
        return shaped.clamp(self.spec.low, self.spec.high) if self.spec.bounded else shaped

    def reconstruct(self, x: Tensor) -> Tensor:
        """E[v|E[h|v]]: one step up and down with the means."""
        return self.decode(self.encode(x))

    def complete(self, x: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """The means of the lost values: E[v|h], averaged over Gibbs steps in which the known values do not change."""
        known, lost = self.check(x).flatten(1), mask.flatten(1)
        v = torch.where(lost, self.units.mean(self.base_bias).expand_as(known), known)
        burn_in, total = self.gibbs_steps // 2, torch.zeros_like(v)
        for step in range(self.gibbs_steps):
            field = self.visible_field(self.hidden(v, generator))
            v = torch.where(lost, self.units.sample(field, generator), known)
            if step >= burn_in:
                total += self.units.mean(field)
        return self.as_data(torch.where(lost, total / (self.gibbs_steps - burn_in), known))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """E[v|h] after `gibbs_steps` from the data's means, (n, *shape)."""
        v = self.units.sample(self.base_bias.expand(n, -1), generator)
        return self.decode(self.hidden(self.gibbs(v, self.gibbs_steps - 1, generator), generator))

    def score(self, x: Tensor) -> Tensor:
        """F(v), nats, (N,): −log p(v) − log Z; log Z is the same for all examples."""
        return self.free_energy(self.check(x).flatten(1))

    def latent(self, batches: Iterable[Batch]) -> Latent:
        """The mean and the standard deviation of E[h|v] over the batches."""
        codes = to_float64(torch.cat([self.encode(batch.target) for batch in batches]))
        mean, std = codes.mean(0).float(), codes.std(0, correction=0).float()
        return Latent(mean.to(self.weight.device), std.to(self.weight.device))

    @property
    def filters(self) -> Tensor:
        """(H, *shape) the weights of each hidden unit."""
        return self.weight.T.unflatten(1, self.spec.shape)


def centred(gradient: Statistics, visible: Tensor, hidden: Tensor) -> Statistics:
    """The gradient for centred units ṽ − μ and h − λ, written for a, b and W (Melchior, Fischer & Wiskott 2016).

    ∇W − ∇a λ′ − μ ∇b′ =: C,   ∇a − Cλ,   ∇b − C′μ

    The part of W's gradient that a bias could learn is removed, so it does not matter whether ink is 0 or 1.

    visible μ (D,), hidden λ (H,): close to the means on the data
    """
    da, db = gradient["visible_bias"], gradient["hidden_bias"]
    dw = gradient["weight"].addr(da, hidden, alpha=-1).addr_(visible, db, alpha=-1)
    return {**gradient, "weight": dw, "visible_bias": da - dw @ hidden, "hidden_bias": db - visible @ dw}
