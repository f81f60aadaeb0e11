"""The Hopfield net, an associative memory: it recalls a stored pattern from a part of it."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor

from nnlab.config.constraints import AtLeast
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.families.rbm.boltzmann import refuse_real_values
from nnlab.families.rbm.energy import Pairwise
from nnlab.model import PassModel, Statistics
from nnlab.nn.float64 import to_float64

Rule = Literal["hebb", "pseudo_inverse"]
CAPACITY = {"hebb": 0.138, "pseudo_inverse": 1.0}  # random patterns per unit (Amit, Gutfreund & Sompolinsky 1985)


class Hopfield(Pairwise, PassModel):
    """The Hopfield net (Hopfield 1982, "Neural networks and physical systems with emergent collective … abilities").

    E(s) = −½ s′Ws − b′s,  s ∈ {−1, 1}^N,  b = 0;   recall: s_i ← sign((Ws)_i); a unit with field 0 does not change
    hebb            W = (1/N) Σ_μ ξ_μ ξ_μ′
    pseudo_inverse  W = X⁺X, the projection onto the span of the patterns, X (P, N) (Personnaz, Guyon & Dreyfus 1985)

    Both have a zero diagonal. The training set is stored: a pattern ξ is 1 if a value is above the middle of its range, else
    −1. Of random patterns Hebb's rule stores about 0.138 N, the projection up to N.

    recall  asynchronous: one unit after another, in a random order; the energy never grows. synchronous: all units at once;
            this may end with two states in turn
    sweeps  at most this many; recall ends when a sweep changes nothing
    """

    trainer = "nnlab.families.rbm.hopfield_trainer:HopfieldTrainer"
    converged = True

    def __init__(
        self,
        spec: DataSpec,
        *,
        rule: Rule = "hebb",
        recall: Literal["asynchronous", "synchronous"] = "asynchronous",
        sweeps: Annotated[int, AtLeast(1)] = 30,
    ) -> None:
        refuse_real_values(spec)
        super().__init__(spec, spec.features)
        self.rule, self.how, self.sweeps = rule, recall, sweeps
        self.requires_grad_(False)

    def remarks(self, split: Split) -> list[str]:
        load, most = len(split) / self.spec.features, CAPACITY[self.rule]
        if load <= most:
            return []
        holds = int(most * self.spec.features)
        remedy = f"data.limit={holds}" + ("" if self.rule == "pseudo_inverse" else " or model.rule=pseudo_inverse")
        return [
            f"{len(split):,} patterns in {self.spec.features:,} units, a load of {load:.2f}: over the limit of {most:g} that "
            f"{self.rule} has even for random patterns; recall will give other patterns. Try {remedy}"
        ]

    # -- storage --------------------------------------------------------------------------------------------------

    def e_step(self, batch: Batch, sums: Statistics | None) -> Statistics:
        """The patterns, (P, N), while there are fewer than units; then Σ ξξ′ (N, N), which is smaller."""
        s = self.to_spins(self.check(batch.target))
        if sums is None or "patterns" in sums:
            s = s if sums is None else torch.cat([sums["patterns"], s])
            if len(s) < self.spec.features:
                return {"patterns": s}
            sums = None
        own = {"n": torch.tensor(float(len(s)), device=s.device), "pairs": to_float64(s.T @ s)}
        return own if sums is None else {name: sums[name] + value for name, value in own.items()}

    def m_step(self, sums: Statistics) -> dict[str, Tensor]:
        if "patterns" in sums:
            weight, n = stored(sums["patterns"], self.rule), torch.tensor(float(len(sums["patterns"])))
            pairs = to_float64(sums["patterns"].T @ sums["patterns"])
        else:
            pairs, n = sums["pairs"], sums["n"]
            weight = stored_from_pairs(pairs, self.rule)
        self.weight.copy_(weight)
        mean = -0.5 * (to_float64(self.weight) * pairs).sum() / n.to(pairs.device)
        return {"energy": mean.cpu(), "load": n.cpu().double() / self.spec.features}

    # -- recall ---------------------------------------------------------------------------------------------------

    @property
    def middle(self) -> float:
        """The middle of the data's range, the threshold between 1 and −1."""
        return 0.5 * (self.spec.low + self.spec.high)

    def to_spins(self, x: Tensor) -> Tensor:
        """(N, *shape) values → (N, D): 1 above the middle of the range, else −1."""
        return torch.where(x.flatten(1) > self.middle, 1.0, -1.0)

    def to_values(self, s: Tensor) -> Tensor:
        """(N, D) → (N, *shape): the highest value for 1, the lowest for −1."""
        return torch.where(s > 0, self.spec.high, self.spec.low).unflatten(1, self.spec.shape)

    def step(self, s: Tensor, order: Tensor, free: Tensor | None = None) -> Tensor:
        """s (N, D) after the units of the order have followed their fields, by the model's `recall`."""
        if self.how == "synchronous":
            field = self.field(s)[:, order]
            new = s.clone()
            new[:, order] = torch.where(field == 0, s[:, order], field.sign())
            return new if free is None else torch.where(free, new, s)

        def decide(i: int, field: Tensor, value: Tensor) -> Tensor:
            new = torch.where(field == 0, value, field.sign())
            return new if free is None else torch.where(free[:, i], new, value)

        return self.in_turn(s, order.tolist(), decide)

    def settle(self, s: Tensor, free: Tensor | None = None, seed: int = 0) -> Tensor:
        """s (N, D) at the end of recall; `free` (N, D) are the units that may change, by default all."""
        generator = torch.Generator().manual_seed(seed)  # seed of the orders, the same for each recall
        for _ in range(self.sweeps):
            before, s = s, self.step(s, torch.randperm(s.shape[1], generator=generator), free)
            if torch.equal(before, s):
                break
        return s

    def reconstruct(self, x: Tensor) -> Tensor:
        """The pattern that is recalled from x, (N, *shape)."""
        return self.to_values(self.settle(self.to_spins(self.check(x))))

    def complete(self, x: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """The pattern that is recalled while the known values do not change."""
        return self.to_values(self.settle(self.to_spins(self.check(x)), mask.flatten(1)))

    def score(self, x: Tensor) -> Tensor:
        """E, (N,)."""
        return self.energy(self.to_spins(self.check(x)))


def stored(patterns: Tensor, rule: Rule) -> Tensor:
    """W (N, N) of patterns (P, N) of ±1, without its diagonal."""
    if rule == "hebb":
        weight = patterns.T @ patterns / patterns.shape[1]
    else:
        x = to_float64(patterns)
        # X⁺X = X′(XX′)⁺X; with linearly dependent patterns XX′ has no inverse
        weight = (x.T @ torch.linalg.pinv(x @ x.T, hermitian=True) @ x).to(patterns)
    return weight.fill_diagonal_(0)


def stored_from_pairs(pairs: Tensor, rule: Rule) -> Tensor:
    """The same from Σ ξξ′ (N, N), float64."""
    if rule == "hebb":
        return (pairs / len(pairs)).fill_diagonal_(0)
    values, vectors = torch.linalg.eigh(pairs)
    span = vectors[:, values > values[-1] * len(values) * torch.finfo(values.dtype).eps]
    return (span @ span.T).fill_diagonal_(0)
