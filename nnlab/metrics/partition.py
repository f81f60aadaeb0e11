"""log Z of a machine of two layers, and so its likelihoods: exact if one layer is small, else by annealing.

p(v) = f(v)/Z with f(v) = Σ_h exp(−E(v, h)) = exp(−F(v)). All of it in nats.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from nnlab.errors import BadInput
from nnlab.nn.float64 import to_float64

MOST = 20  # units whose 2ⁿ states are enumerated
BLOCK = 2**22  # values of float64 that are held at once


class Units(Protocol):
    """The visible units: see nnlab/families/rbm/units.py."""

    binary: bool

    def scaled(self, v: Tensor) -> Tensor:
        """ṽ, (N, D): what the fields of the hidden units see."""
        ...

    def sample(self, field: Tensor, generator: torch.Generator) -> Tensor:
        """v drawn from p(v|f), (N, D), of fields f (N, D)."""
        ...

    def log_partition(self, field: Tensor) -> Tensor:
        """log Σ_v exp(−q(v) + ṽ′f), or the integral over real v, (N,), nats."""
        ...


class Machine(Protocol):
    """E(v, h) = q(v) − a′ṽ − b′h − ṽ′Wh, where q and ṽ depend on the visible units; see nnlab/families/rbm/rbm.py."""

    weight: Tensor  # W (D, H)
    visible_bias: Tensor  # a (D,)
    hidden_bias: Tensor  # b (H,)
    base_bias: Tensor  # (D,) the visible bias of the machine without weights, the start of annealing
    units: Units

    def hidden_field(self, v: Tensor) -> Tensor:
        """b + W′ṽ, (N, H), of visible values v (N, D)."""
        ...

    def visible_field(self, h: Tensor) -> Tensor:
        """a + Wh, (N, D), of hidden states h (N, H)."""
        ...

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) = −log Σ_h exp(−E(v, h)), (N,), nats."""
        ...


class Estimate(NamedTuple):
    """log Z with the standard error of its estimate, nats."""

    log_z: float
    standard_error: float


def states(count: int, first: int = 0, last: int | None = None, **like) -> Tensor:
    """(last − first, count) the states of `count` bits from number `first` on, by default all 2^count."""
    numbers = torch.arange(first, 2**count if last is None else last, device=like.get("device"))
    return (numbers[:, None] >> torch.arange(count, device=numbers.device) & 1).to(**like)


def countable(machine: Machine) -> int | None:
    """The number of units of the smaller layer; None if both layers have more than 20, too many to enumerate."""
    visible, hidden = machine.weight.shape
    smaller = min(visible, hidden) if machine.units.binary else hidden
    return smaller if smaller <= MOST else None


def refuse_too_many(machine: Machine) -> None:
    """Raise BadInput if neither side can be enumerated."""
    if countable(machine) is None:
        visible, hidden = machine.weight.shape
        raise BadInput(
            f"trainer.likelihood.method: exact sums over the states of the smaller layer, of {min(visible, hidden)} units of "
            f"{visible} visible and {hidden} hidden ones; at most {MOST} can be counted. Use ais"
        )


def exact_log_z(machine: Machine) -> float:
    """log Σ_h exp(b′h) Σ_v exp(−q(v) + ṽ′(a + Wh)), or the same with the sides exchanged, in float64.

    Raises BadInput if neither side has few enough units.
    """
    refuse_too_many(machine)
    a, b, w = (to_float64(p.detach()) for p in (machine.visible_bias, machine.hidden_bias, machine.weight))
    by_hidden = w.shape[1] == countable(machine)
    few, bias, many = (w.shape[1], b, w.shape[0]) if by_hidden else (w.shape[0], a, w.shape[1])
    step, terms = max(1, BLOCK // many), []
    for first in range(0, 2**few, step):
        s = states(few, first, min(first + step, 2**few), dtype=a.dtype, device=a.device)
        rest = machine.units.log_partition(a + s @ w.T) if by_hidden else functional.softplus(b + s @ w).sum(1)
        terms.append((s @ bias + rest).logsumexp(0))
    return torch.stack(terms).logsumexp(0).item()


def base_log_z(machine: Machine) -> float:
    """log Z of the machine without weights: its visible units at the base biases, its hidden units free."""
    log_z = machine.units.log_partition(to_float64(machine.base_bias)[None])
    return machine.hidden_bias.numel() * math.log(2) + log_z.item()


def anneal(machine: Machine, v: Tensor, path: Tensor, generator: torch.Generator) -> Tensor:
    """Σ_k log f_{t_k}(v_k) − log f_{t_{k−1}}(v_k), (N,) float64, along a path (K + 1,) of inverse temperatures t.

    f_t is the machine whose energy is (1 − t) times the base's and t times its own: its visible field is
    (1 − t)·base + t·(a + Wh), its hidden field t·(b + W′ṽ). From v_k a Gibbs step under f_{t_k} leads to v_{k+1}.

    v  (N, D) drawn under f_{t_0}
    """
    base, total = machine.base_bias, torch.zeros(len(v), dtype=torch.float64, device=v.device)
    own = machine.visible_bias - base
    for before, now in pairwise(path.tolist()):
        field = machine.hidden_field(v)
        change = functional.softplus(now * field).sub_(functional.softplus(before * field)).sum(1)
        total += change.add_(machine.units.scaled(v) @ own, alpha=now - before)
        h = torch.rand(field.shape, device=v.device, generator=generator).lt_(field.mul_(now).sigmoid_())
        v = machine.units.sample(torch.lerp(base, machine.visible_field(h), now), generator)
    return total


def drawn_from_base(machine: Machine, chains: int, generator: torch.Generator) -> Tensor:
    """(chains, D) visible states of the machine without weights."""
    return machine.units.sample(machine.base_bias.expand(chains, -1), generator)


def ais(machine: Machine, chains: int, temperatures: int, generator: torch.Generator) -> Estimate:
    """Annealed importance sampling (Neal 2001; Salakhutdinov & Murray 2008): log Z_base + log mean w, w = exp(Σ …).

    The mean of w is unbiased, so log Z is too low on average, and a likelihood is too high.
    """
    path = torch.linspace(0, 1, temperatures + 1, dtype=torch.float64)
    weights = anneal(machine, drawn_from_base(machine, chains, generator), path, generator)
    return Estimate(base_log_z(machine) + log_mean(weights), log_mean_error(weights))


def reverse_ais(machine: Machine, v: Tensor, temperatures: int, generator: torch.Generator) -> Estimate:
    """The same way back, from states v (N, D) of the machine itself: log Z_base − log mean w.

    If v are its samples, the mean of w = exp(Σ …) is Z_base/Z, so log Z is too high on average; with `ais` a bracket.
    """
    path = torch.linspace(1, 0, temperatures + 1, dtype=torch.float64)
    weights = anneal(machine, v, path, generator)
    return Estimate(base_log_z(machine) - log_mean(weights), log_mean_error(weights))


def reverse_from_data(machine: Machine, v: Tensor, temperatures: int, generator: torch.Generator) -> Estimate:
    """Reverse AIS from the examples whose likelihood is estimated (RAISE, Burda, Grosse & Salakhutdinov 2015).

    exp(−F(v) − log Z_base + Σ …) is unbiased for the likelihood of v under what the annealing generates, which comes near the
    machine with many temperatures. By Jensen's inequality −F(v) less the returned log Z, a mean over the examples, is a
    lower bound on their mean log-likelihood under it.
    """
    path = torch.linspace(1, 0, temperatures + 1, dtype=torch.float64)
    logs = anneal(machine, v, path, generator)
    return Estimate(base_log_z(machine) - logs.mean().item(), (logs.std() / len(logs) ** 0.5).item())


def log_mean(logs: Tensor) -> float:
    """log (1/N) Σ exp(l), (N,)."""
    return (logs.logsumexp(0) - math.log(len(logs))).item()


def log_mean_error(logs: Tensor) -> float:
    """The standard error of `log_mean`, to first order: that of the mean of exp(l), as a share of this mean."""
    relative = (logs - logs.max()).exp()
    return (relative.std() / relative.mean() / len(logs) ** 0.5).item()
