"""Figures of models with an energy: by formula, or by a count of all their states.

What a figure draws is drawn here in the same order; what is made of the draws is computed anew.
"""

from __future__ import annotations

import numpy as np
import torch
from expected_outputs import per_example
from expected_variational import cross
from recorded_run import Asked, f64, fork_rng, walk
from scipy import special


def rbm_of(asked: Asked):
    return asked.trainer.machine


def free_energies(asked: Asked, v: np.ndarray) -> np.ndarray:
    """−a′v − Σ log(1 + exp(b + W′v))."""
    rbm = rbm_of(asked)
    w, a, b = f64(rbm.weight), f64(rbm.visible_bias), f64(rbm.hidden_bias)
    return -v @ a - np.logaddexp(0, b + v @ w).sum(1)


def visibles(asked: Asked, split: str) -> list[np.ndarray]:
    with fork_rng(asked.trainer) as generator, torch.no_grad():
        return [f64(asked.trainer.visible(b, generator)) for b, _ in walk(asked.trainer, split, generator)]


def pseudo_likelihood(asked: Asked) -> float:
    """−log p(v_i|the others), by the free energies with the bit as it is and turned; 4 bits drawn per example, times D/4.

    A gray value is the probability of its bit.
    """
    total = []
    for batch, generator in asked.walk():
        with torch.no_grad():
            v = f64(asked.trainer.visible(batch, generator))
        n, d = v.shape
        for _ in range(4):
            i = torch.randint(d, (n,), generator=generator).numpy()
            on, off = v.copy(), v.copy()
            on[np.arange(n), i], off[np.arange(n), i] = 1, 0
            log_odds = free_energies(asked, off) - free_energies(asked, on)
            value = v[np.arange(n), i]
            total.append((-value * special.log_expit(log_odds) - (1 - value) * special.log_expit(-log_odds)) * d / 4)
    return float(np.concatenate(total).sum() / len(asked.part))


def free_energy(asked: Asked) -> float:
    """Of what follows the pseudo-likelihood's draws, where a layer below is drawn as well."""
    return float(free_energies(asked, np.concatenate(interleaved(asked))).mean())


def interleaved(asked: Asked) -> list[np.ndarray]:
    found = []
    for batch, generator in asked.walk():
        with torch.no_grad():
            v = f64(asked.trainer.visible(batch, generator))
        for _ in range(4):
            torch.randint(v.shape[1], (len(v),), generator=generator)
        found.append(v)
    return found


def free_energy_gap(asked: Asked) -> float:
    train = np.concatenate(visibles(asked, "train"))
    return free_energy(asked) - float(free_energies(asked, train).mean())


def exact_likelihood(asked: Asked) -> float:
    """log p(v) with log Z by the sum over all states of the hidden units."""
    rbm = rbm_of(asked)
    w, a, b = f64(rbm.weight), f64(rbm.visible_bias), f64(rbm.hidden_bias)
    n = len(b)
    h = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(float)
    log_z = special.logsumexp(h @ b + np.logaddexp(0, a + h @ w.T).sum(1))
    return float(-free_energies(asked, per_example(asked.part.x)).mean() - log_z)


def machine_states(asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    """Of a general Boltzmann machine all states (2ⁿ, n), and their energies −½ s′Ws − b′s."""
    model = asked.model
    n = model.units
    s = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(float)
    w, b = f64(model.weight), f64(model.bias)
    return s, -0.5 * np.einsum("ij,jk,ik->i", s, w, s) - s @ b


def counted_free_energy(asked: Asked) -> float:
    return float(-np.mean([special.logsumexp(-e) for e in agreeing(asked)]))


def agreeing(asked: Asked) -> list[np.ndarray]:
    """The energies of the states whose visible units are an example's, of each example."""
    s, energy = machine_states(asked)
    visible = s[:, : asked.model.visible]
    return [energy[(visible == v).all(1)] for v in per_example(asked.part.x)]


def counted_likelihood(asked: Asked) -> float:
    _, energy = machine_states(asked)
    return float(np.mean([special.logsumexp(-e) for e in agreeing(asked)]) - special.logsumexp(-energy))


def settled_pseudo_likelihood(asked: Asked) -> float:
    """−Σ log p(v_i|the others, the hidden units at their mean field)."""
    model, v = asked.model, per_example(asked.part.x)
    w, b, d = f64(model.weight), f64(model.bias), model.visible
    m = np.full((len(v), model.hidden), 0.5)
    for _ in range(200):
        m = 0.5 * m + 0.5 * special.expit(np.concatenate([v, m], 1) @ w[:, d:] + b[d:])
    field = np.concatenate([v, m], 1) @ w[:, :d] + b[:d]
    return float(cross(v, field).mean())


def spins(x: np.ndarray) -> np.ndarray:
    return np.where(per_example(x) > 0.5, 1.0, -1.0)


def memory_energy(asked: Asked) -> float:
    s, w = spins(asked.part.x), f64(asked.model.weight)
    return float(np.mean([-0.5 * state @ w @ state for state in s]))


def overlap(asked: Asked) -> float:
    return float((spins(asked.part.x) * spins(asked.output)).mean())
