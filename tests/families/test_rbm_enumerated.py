"""Gradients, energies, chains and completions of energy-based models are those of an enumeration of small ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_machines import BITS, REAL, bits, pairs, rbm, scrambled
from torch import Tensor

from nnlab.families.rbm.boltzmann import Boltzmann
from nnlab.families.rbm.dbn import DBN
from nnlab.families.rbm.energy import difference
from nnlab.families.rbm.hopfield import Hopfield
from nnlab.families.rbm.rbm import RBM, centred
from nnlab.families.rbm.units import Gaussian
from nnlab.metrics.partition import states


def check_gradient(model, log_likelihood: Tensor, statistics: dict[str, Tensor]) -> None:
    """Data minus model statistics are what autograd finds of the mean log-likelihood; a tied weight is counted once."""
    gradients = torch.autograd.grad(log_likelihood, [model.get_parameter(name) for name in statistics])
    for (name, ours), theirs in zip(statistics.items(), gradients, strict=True):
        tied = name == "weight" and theirs.shape[0] == theirs.shape[1] and not isinstance(model, RBM)
        theirs = (theirs + theirs.T).fill_diagonal_(0) if tied else theirs
        torch.testing.assert_close(ours.detach(), theirs, rtol=0, atol=1e-9, msg=lambda m, name=name: f"{name}: {m}")


def test_the_gradient_of_an_rbm_is_that_of_its_enumerated_likelihood() -> None:
    model, v = rbm(), bits(20, 6)
    all_v, all_h = pairs(states(6, dtype=torch.float64), states(4, dtype=torch.float64))
    log_z = (-model.energy(all_v, all_h)).logsumexp(0)
    p = (-model.energy(all_v, all_h) - log_z).exp()
    own = difference(model.statistics(v, model.hidden_field(v).sigmoid()), model.statistics(all_v, all_h, weights=p))
    check_gradient(model, -model.free_energy(v).mean() - log_z, own)


def test_the_gradient_of_a_gaussian_rbm_is_that_of_its_likelihood_with_its_sigmas() -> None:
    """Σ_h in closed form over v: given h, v is Gaussian about m + σ(a + Wh), so that its moments are known."""
    model = rbm(REAL, hidden=3)
    assert isinstance(model.units, Gaussian)
    v, h = torch.randn(30, 3, dtype=torch.float64), states(3, dtype=torch.float64)
    field = model.visible_field(h)
    log_z = (h @ model.hidden_bias + model.units.log_partition(field)).logsumexp(0)
    p = (h @ model.hidden_bias + model.units.log_partition(field)).softmax(0)
    data = model.statistics(v, model.hidden_field(v).sigmoid())
    expected = {
        "weight": field.T @ (h * p[:, None]),
        "visible_bias": p @ field,
        "hidden_bias": p @ h,
        "units.log_sigma": torch.ones(3, dtype=torch.float64),  # E[ṽ(ṽ − f)] = 1
    }
    check_gradient(model, -model.free_energy(v).mean() - log_z, difference(data, expected))


@pytest.mark.parametrize("hidden", [0, 3])
def test_the_gradient_of_a_general_machine_is_that_of_its_enumerated_likelihood(hidden: int) -> None:
    model, v = scrambled(Boltzmann(BITS, hidden=hidden)), bits(20, 6)
    every = states(6 + hidden, dtype=torch.float64)
    log_z = (-model.energy(every)).logsumexp(0)
    h = states(hidden, dtype=torch.float64)
    joint = torch.cat(pairs(v, h), 1)
    log_p = (-model.energy(joint)).view(20, -1).logsumexp(1)
    own = model.statistics(every, weights=(-model.energy(every)).softmax(0))
    check_gradient(model, log_p.mean() - log_z, difference(model.data_statistics(v), own))
    torch.testing.assert_close(-model.free_energy(v), log_p)


def test_the_model_statistics_of_a_general_machine_count_all_its_states() -> None:
    model = scrambled(Boltzmann(BITS, hidden=3))
    every = states(9, dtype=torch.float64)
    p = (-model.energy(every)).softmax(0)
    model.float()
    found = model.model_statistics()
    np.testing.assert_allclose(found["bias"].detach(), (p @ every).detach(), atol=1e-6)
    second = (every.T * p) @ every
    np.testing.assert_allclose(found["weight"].detach(), (second - second.diag().diag()).detach(), atol=1e-6)


def test_the_gradient_of_a_hopfield_net_is_that_of_its_enumerated_likelihood() -> None:
    model = scrambled(Hopfield(BITS))
    s, every = 2 * bits(20, 6) - 1, 2 * states(6, dtype=torch.float64) - 1
    log_z = (-model.energy(every)).logsumexp(0)
    own = model.statistics(every, weights=(-model.energy(every)).softmax(0))
    check_gradient(model, -model.energy(s).mean() - log_z, difference(model.statistics(s), own))


def test_each_machine_of_a_dbn_is_an_rbm_of_the_layer_below() -> None:
    dbn = DBN(BITS, hidden=[5, 4])
    generator = torch.Generator().manual_seed(0)
    for number, (width, hidden) in enumerate([(6, 5), (5, 4)]):
        machine = scrambled(dbn.layers[number], number)
        v = bits(20, width)
        all_v, all_h = pairs(states(width, dtype=torch.float64), states(hidden, dtype=torch.float64))
        log_z = (-machine.energy(all_v, all_h)).logsumexp(0)
        p = (-machine.energy(all_v, all_h) - log_z).exp()
        own = difference(machine.statistics(v, machine.hidden_field(v).sigmoid()), machine.statistics(all_v, all_h, weights=p))
        check_gradient(machine, -machine.free_energy(v).mean() - log_z, own)
    v = bits(1, 6).expand(20_000, 6)
    drawn = dbn.up(v, 1, generator).mean(0)
    np.testing.assert_allclose(drawn.detach(), dbn.layers[0].hidden_field(v[:1]).sigmoid()[0].detach(), atol=0.015)


def test_free_energy_sums_the_energies_of_the_hidden_states() -> None:
    for model, v in ((rbm(), bits(7, 6)), (rbm(REAL), torch.randn(7, 3, dtype=torch.float64))):
        all_v, all_h = pairs(v, states(4, dtype=torch.float64))
        summed = (-model.energy(all_v, all_h)).view(7, -1).logsumexp(1)
        torch.testing.assert_close(-model.free_energy(v), summed)


def test_the_pseudo_likelihood_is_that_of_each_bit_given_the_others() -> None:
    model, v = rbm().float(), bits(3, 6).float()
    exact = torch.zeros(3)
    for i in range(6):
        other = v.clone()
        other[:, i] = 1 - v[:, i]
        exact -= torch.sigmoid(model.free_energy(other) - model.free_energy(v)).log().detach()
    generator, many = torch.Generator().manual_seed(0), v.repeat(20_000, 1)
    with torch.no_grad():
        watched = model.monitored_loss(many, model.hidden_field(many), generator, 1).view(-1, 3)
    error = watched.std(0) / len(watched) ** 0.5
    assert ((watched.mean(0) - exact).abs() < 4 * error).all()


def test_a_centred_gradient_is_that_of_the_centred_machine() -> None:
    """E = −(v − μ)′a − (h − λ)′b − (v − μ)′W(h − λ), whose W, a − Wλ, b − W′μ are those of the plain one."""
    model, v = rbm(), bits(20, 6)
    h = model.hidden_field(v).sigmoid()
    w, u = bits(20, 6, seed=2), bits(20, 4, seed=3)
    mu, lam = torch.rand(6, dtype=torch.float64), torch.rand(4, dtype=torch.float64)
    found = centred(difference(model.statistics(v, h), model.statistics(w, u)), mu, lam)
    product = ((v - mu).T @ (h - lam) - (w - mu).T @ (u - lam)) / 20
    torch.testing.assert_close(found["weight"], product)
    torch.testing.assert_close(found["visible_bias"], v.mean(0) - w.mean(0) - product @ lam)
    torch.testing.assert_close(found["hidden_bias"], h.mean(0) - u.mean(0) - mu @ product)


def test_gibbs_chains_have_the_frequencies_of_the_enumerated_distribution() -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        model = rbm().float()
        every = states(6, dtype=torch.float32)
        p = (-model.free_energy(every)).softmax(0)
        v = model.gibbs(torch.zeros(20_000, 6), 60, generator)
        np.testing.assert_allclose(v.mean(0), p @ every, atol=0.015)
        np.testing.assert_allclose(v.T @ v / len(v), (every.T * p) @ every, atol=0.015)
        general = scrambled(Boltzmann(BITS, hidden=2)).float()
        every = states(8, dtype=torch.float32)
        p = (-general.energy(every)).softmax(0)
        s = general.gibbs(torch.zeros(20_000, 8), 60, generator)
        np.testing.assert_allclose(s.T @ s / len(s), (every.T * p) @ every, atol=0.015)


def test_a_completion_is_the_conditional_mean_and_keeps_what_is_known() -> None:
    generator = torch.Generator().manual_seed(0)
    known = bits(1, 6).float().view(1, 1, 2, 3)
    lost = torch.tensor([0, 1, 0, 1, 1, 0], dtype=torch.bool).view(1, 1, 2, 3)
    every = states(6, dtype=torch.float32)
    agree = (every[:, ~lost.flatten()] == known.flatten()[~lost.flatten()]).all(1)
    for model in (rbm(gibbs_steps=400).float(), scrambled(Boltzmann(BITS, hidden=2, gibbs_steps=400)).float()):
        with torch.no_grad():
            p = (-model.free_energy(every)).masked_fill(~agree, -torch.inf).softmax(0)
            many = [part.expand(500, -1, -1, -1) for part in (known, lost)]
            found = model.complete(*many, generator).mean(0)
        assert torch.equal(found[~lost[0]], known[0][~lost[0]])
        np.testing.assert_allclose(found[lost[0]], (p @ every).view(1, 2, 3)[lost[0]], atol=0.02)


def test_certain_units_have_the_likelihood_they_have() -> None:
    """log(σ + ε) would stop at log ε."""
    model = RBM(BITS, hidden=1)
    with torch.no_grad():
        model.weight.zero_()
        model.visible_bias.fill_(200.0)
        v = torch.zeros(5, 6)
        watched = model.monitored_loss(v, model.hidden_field(v), torch.Generator().manual_seed(0), 3)
    assert watched.tolist() == pytest.approx([1200.0] * 5)


def test_a_dbn_of_one_machine_samples_as_the_machine() -> None:
    dbn = DBN(BITS, hidden=[4], gibbs_steps=5)
    draws = [model.sample(10, torch.Generator().manual_seed(3)) for model in (dbn, dbn.layers[0])]
    assert torch.equal(*draws)


def test_a_dbn_samples_its_top_machine_seen_through_the_lower_one() -> None:
    dbn = DBN(BITS, hidden=[5, 4], gibbs_steps=60)
    low, top = (scrambled(machine, i).float() for i, machine in enumerate(dbn.layers))
    every = states(5, dtype=torch.float32)
    with torch.no_grad():
        p = (-top.free_energy(every)).softmax(0)
        expected = p @ low.units.mean(low.visible_field(every))
        found = dbn.sample(20_000, torch.Generator().manual_seed(0)).flatten(1).mean(0)
    np.testing.assert_allclose(found, expected, atol=0.01)
