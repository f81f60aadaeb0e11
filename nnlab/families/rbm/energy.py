"""The base of the energy-based models: energies, statistics and the gradient of the log-likelihood."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from nnlab.data.spec import DataSpec
from nnlab.model import Model

Statistics = dict[str, Tensor]


class EnergyModel(Model):
    """p(s) = exp(−E(s))/Z over the joint states s = (v, h) of visible and hidden units (Hopfield 1982; Ackley et al. 1985).

    For all of them the gradient of the log-likelihood is a difference of two means of the same statistics,

        ∂ log p(v)/∂θ = ⟨−∂E/∂θ⟩_{p(h|v)} − ⟨−∂E/∂θ⟩_{p(v, h)},   data minus model,

    so a model defines its statistics −∂E/∂θ, and its trainer chooses the states to average over. Energies are in nats, and
    also the free energies F(v) = −log Σ_h exp(−E(v, h)) of models where the sum has a closed form.
    """

    def undecayed(self) -> list[nn.Parameter]:
        """The biases: weight decay is for what is a matrix."""
        return [p for p in self.parameters() if p.ndim < 2]

    @abstractmethod
    def energy(self, *state: Tensor) -> Tensor:
        """E, (N,), of joint states (N, …)."""

    @abstractmethod
    def statistics(self, *state: Tensor, weights: Tensor | None = None) -> Statistics:
        """⟨−∂E/∂θ⟩ over joint states, by the names of the parameters; `weights` (N,) add up to 1, by default all equal.

        E is linear in each unit, so states of independent units can be replaced by their means.
        """


class Pairwise(EnergyModel):
    """Units that may all be connected to each other: E(s) = −½ s′Ws − b′s, W symmetric without a diagonal.

    w_ij is stored at (i, j) and (j, i), and so is its statistic s_i s_j.

    weight W (n, n), bias b (n,)
    """

    def __init__(self, spec: DataSpec, units: int) -> None:
        super().__init__(spec)
        self.weight = nn.Parameter(torch.zeros(units, units))
        self.bias = nn.Parameter(torch.zeros(units))

    def field(self, s: Tensor) -> Tensor:
        """Ws + b, (N, n): how much a unit lowers the energy when it is on."""
        return torch.addmm(self.bias, s, self.weight)

    def energy(self, s: Tensor) -> Tensor:
        return -0.5 * ((s @ self.weight) * s).sum(1) - s @ self.bias

    def in_turn(self, s: Tensor, order: Iterable[int], decide: Callable[[int, Tensor, Tensor], Tensor]) -> Tensor:
        """s (N, n) after each unit of the order is set to decide(i, its field, its value), (N,) each, one by one."""
        s = s.T.clone(memory_format=torch.contiguous_format)  # the values of a unit are contiguous
        for i in order:
            s[i] = decide(i, torch.mv(s.T, self.weight[i]).add_(self.bias[i]), s[i])
        return s.T

    def statistics(self, s: Tensor, weights: Tensor | None = None) -> Statistics:
        weighted = s / len(s) if weights is None else s * weights[:, None]
        pairs = s.T @ weighted
        return {"weight": pairs.fill_diagonal_(0), "bias": weighted.sum(0)}


def difference(data: Statistics, model: Statistics) -> Statistics:
    """Data minus model: the gradient of the mean log-likelihood."""
    return {name: data[name] - model[name] for name in data}
