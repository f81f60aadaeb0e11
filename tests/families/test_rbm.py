"""Energy-based models against what enumeration says of small ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from conftest import built, config_of, only_run, train
from sklearn.neural_network import BernoulliRBM
from torch import Tensor

from nnlab.data.spec import Batch, DataSpec
from nnlab.errors import BadInput
from nnlab.experiment.loading import open_run
from nnlab.families.rbm.boltzmann import Boltzmann
from nnlab.families.rbm.dbn import DBN
from nnlab.families.rbm.energy import difference
from nnlab.families.rbm.hopfield import Hopfield
from nnlab.families.rbm.rbm import RBM, centred
from nnlab.families.rbm.units import Gaussian
from nnlab.metrics import partition
from nnlab.metrics.partition import states

BITS = DataSpec("bits", "image", (1, 2, 3))
REAL = DataSpec("real", "table", (3,), bounded=False, low=-5, high=5)


def scrambled(model, seed: int = 0):
    """The model in float64, every parameter of order one; symmetric where it must be."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.double().named_parameters():
        p.data = 0.7 * torch.randn(p.shape, generator=generator, dtype=torch.float64)
        if name == "weight" and p.shape[0] == p.shape[1]:
            p.data = torch.triu(p.data, 1) + torch.triu(p.data, 1).T
        p.requires_grad_(True)
    return model


def rbm(spec: DataSpec = BITS, hidden: int = 4, seed: int = 0, **options) -> RBM:
    return scrambled(RBM(spec, hidden=hidden, **options), seed)


def bits(n: int, width: int, seed: int = 1) -> Tensor:
    return (torch.rand(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) < 0.4).double()


def pairs(v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Every v (A, D) with every h (B, H)."""
    return v.repeat_interleave(len(h), 0), h.repeat(len(v), 1)


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


def test_the_log_z_of_a_gaussian_rbm_is_the_integral_of_its_density() -> None:
    model = rbm(DataSpec("line", "table", (1,), bounded=False, low=-5, high=5), hidden=3)
    x = torch.linspace(-40, 40, 200_001, dtype=torch.float64)[:, None]
    integral = torch.trapezoid((-model.free_energy(x)).exp(), x[:, 0]).log().item()
    assert partition.exact_log_z(model) == pytest.approx(integral, abs=1e-6)


@pytest.mark.parametrize("hidden", [0, 3])
def test_the_gradient_of_a_general_machine_is_that_of_its_enumerated_likelihood(hidden: int) -> None:
    model, v = scrambled(Boltzmann(BITS, hidden=hidden)), bits(20, 6)
    every = states(6 + hidden, dtype=torch.float64)
    log_z = (-model.energy(every)).logsumexp(0)
    h = states(hidden, dtype=torch.float64)
    concat_targets = torch.cat(pairs(v, h), 1)
    log_p = (-model.energy(concat_targets)).view(20, -1).logsumexp(1)
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


@pytest.mark.parametrize(("spec", "hidden"), [(BITS, 3), (DataSpec("wide", "image", (1, 2, 2)), 9)])
def test_log_z_is_the_same_whichever_side_is_counted(spec: DataSpec, hidden: int) -> None:
    model = rbm(spec, hidden)
    all_v, all_h = pairs(states(spec.features, dtype=torch.float64), states(hidden, dtype=torch.float64))
    assert partition.exact_log_z(model) == pytest.approx((-model.energy(all_v, all_h)).logsumexp(0).item(), abs=1e-9)


def trained(hidden: int = 16, *overrides: str):
    """An RBM that has learned the digits, so that its log Z is no longer that of free units."""
    rate = ["optimizer.lr=0.5", "trainer.epochs=60", "trainer.persistent=true", "trainer.precision=float32"]
    e = built("model=rbm", f"model.hidden={hidden}", "data=digits", "data.binarize=fixed", *rate, *overrides)
    e.initialize()
    e.trainer.train(0, e.trainer.total_steps, lambda: False)
    assert e.trainer.meter.look() is None
    return e


def exact_samples(model: RBM, n: int, generator: torch.Generator) -> Tensor:
    """(n, D) states of v: h drawn from all of its states, then v given h."""
    h = states(model.latent_dim, dtype=torch.float32)
    p = (h @ model.hidden_bias + model.units.log_partition(model.visible_field(h))).softmax(0)
    chosen = h[torch.multinomial(p, n, replacement=True, generator=generator)]
    return model.units.sample(model.visible_field(chosen), generator)


@torch.no_grad()
def test_annealing_brackets_the_exact_log_z() -> None:
    e = trained()
    model, generator = e.model, torch.Generator().manual_seed(0)
    exact = partition.exact_log_z(model)
    assert abs(exact - partition.base_log_z(model)) > 3, "a machine as hard as one that has learned something"
    below = partition.ais(model, 200, 1000, generator)
    above = partition.reverse_ais(model, exact_samples(model, 200, generator), 1000, generator)
    assert abs(below.log_z - exact) < 0.1
    assert below.log_z - 3 * below.standard_error < exact < above.log_z + 3 * above.standard_error
    few = [partition.ais(model, 2, 10, generator).log_z for _ in range(200)]
    many = [partition.reverse_ais(model, exact_samples(model, 2, generator), 10, generator).log_z for _ in range(200)]
    assert np.mean(few) < exact < np.mean(many), "with few temperatures each errs to its side"


@torch.no_grad()
def test_the_standard_error_of_annealing_is_the_spread_of_its_repetitions() -> None:
    model, generator = trained().model, torch.Generator().manual_seed(0)
    runs = [partition.ais(model, 100, 100, generator) for _ in range(40)]
    spread = np.std([run.log_z for run in runs])
    assert spread == pytest.approx(np.mean([run.standard_error for run in runs]), rel=0.5)


@torch.no_grad()
def test_annealed_likelihoods_of_a_run_lie_about_the_exact_one() -> None:
    e = trained(16, "trainer.likelihood.method=ais")
    figures = e.trainer.evaluate("test")
    v = e.data.test.values(e.data.test.rows).flatten(1)
    exact = -e.model.free_energy(v).double().mean().item() - partition.exact_log_z(e.model)
    assert figures["log_likelihood"] == pytest.approx(exact, abs=0.1)
    assert figures["log_likelihood_reverse"] < exact + 3 * figures["log_likelihood_reverse_error"]
    assert built("model=rbm", "model.hidden=16").trainer.metadata["likelihood_by"].startswith("counting")
    base = e.data.train.values(e.data.train.rows).flatten(1).mean(0).clamp(0.001, 0.999)
    independent = (v @ base.log() + (1 - v) @ (1 - base).log()).mean().item()
    assert exact > independent + 3, "better than independent pixels"


def test_annealing_a_gaussian_machine_finds_its_log_z() -> None:
    model = rbm(REAL, hidden=3).float()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        found = partition.ais(model, 2000, 1000, generator)
    assert found.log_z == pytest.approx(partition.exact_log_z(model), abs=4 * found.standard_error + 1e-3)


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


def test_contrastive_divergence_learns_as_well_as_scikit_learns() -> None:
    """The same work: the digits' bits, 32 hidden units, batches of 100, one step, as many epochs at one rate."""
    overrides = ["model.hidden=32", "data=digits", "data.binarize=fixed", "data.validation=0", "trainer.precision=float32"]
    e = built("model=rbm", *overrides, "optimizer.lr=0.1", "optimizer/schedule=constant", "trainer.epochs=40")
    e.initialize()
    e.trainer.train(0, e.trainer.total_steps, lambda: False)
    assert e.trainer.meter.look() is None
    x, test = (part.values(part.rows).flatten(1) for part in (e.data.train, e.data.test))
    peer = BernoulliRBM(32, learning_rate=0.1, batch_size=100, n_iter=40, random_state=0).fit(x.numpy())
    theirs = RBM(e.model.spec, hidden=32)
    with torch.no_grad():
        theirs.weight.copy_(torch.from_numpy(peer.components_.T))
        theirs.visible_bias.copy_(torch.from_numpy(peer.intercept_visible_))
        theirs.hidden_bias.copy_(torch.from_numpy(peer.intercept_hidden_))
        figures = [watched_exactly(model, test) for model in (e.model, theirs)]
    assert figures[0] < figures[1]


def watched_exactly(model: RBM, v: Tensor) -> float:
    generator = torch.Generator().manual_seed(0)
    return model.monitored_loss(v, model.hidden_field(v), generator, 64).mean().item()


def test_an_update_leaves_no_graph_and_follows_the_data() -> None:
    e = built("model=rbm", "model.hidden=16", "data.binarize=fixed")
    e.initialize()
    e.trainer.train(0, 5, lambda: False)
    assert all(p.grad is None and p.grad_fn is None for p in e.model.parameters())


def test_chains_are_many_and_go_on_where_they_were() -> None:
    trainer = built("model=rbm", "model.hidden=16", "trainer.persistent=true", "trainer.batch_size=70").trainer
    assert trainer.memory.chains.shape == (70, 64)
    where = trainer.memory.chains.data_ptr()
    trainer.model.weight.data *= 20  # a cold machine, whose chains stay near where they are
    trainer.train(0, 3, lambda: False)
    before = trainer.memory.chains.clone()
    trainer.train(3, 1, lambda: False)
    assert trainer.memory.chains.data_ptr() == where
    changed = (trainer.memory.chains != before).float().mean().item()
    strangers = (trainer.memory.chains != before.roll(1, 0)).float().mean().item()
    assert 0 < changed < 0.9 * strangers


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


def test_weight_decay_is_for_weights_alone() -> None:
    e = built("model=rbm", "model.hidden=16", "optimizer.weight_decay=0.1")
    groups = {len(p.shape): group["weight_decay"] for group in e.trainer.player.optimizer.param_groups for p in group["params"]}
    assert groups == {2: 0.1, 1: 0.0}


def test_sparsity_brings_the_activity_near_its_target() -> None:
    def activity(*overrides: str) -> float:
        e = built("model=rbm", "model.hidden=16", "data.binarize=fixed", "optimizer.lr=0.3", *overrides)
        e.initialize()
        e.trainer.train(0, 100, lambda: False)
        with torch.no_grad():
            return e.model.encode(e.data.train.values(e.data.train.rows)).mean().item()

    free = activity()
    sparse = activity("trainer.sparsity_cost=0.1", "trainer.sparsity_target=0.1")
    assert abs(sparse - 0.1) < 0.05 < abs(free - 0.1)


def test_more_units_than_can_be_counted_are_refused() -> None:
    with pytest.raises(BadInput, match=r"trainer.likelihood.method: exact counts the states of the smaller side, of 32 units"):
        built("model=rbm", "model.hidden=32", "trainer.likelihood.method=exact")
    with pytest.raises(BadInput, match=r"trainer.inference: enumeration of 80 units, of 2\^80 states; at most 20"):
        built("model=boltzmann", "trainer.inference=enumeration")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["model=rbm", "trainer.k=0"], "trainer.k: expected a whole number ≥ 1, got 0"),
        (["model=boltzmann", "trainer.k=0"], "trainer.k: expected a whole number ≥ 1, got 0"),
        (["model=rbm", "trainer.chains=50"], "trainer.chains: has no effect on chains that begin at the data"),
        (["model=rbm", "noise=gaussian"], "noise: has no use, RBM learns by contrastive divergence from clean data"),
        (["model=hopfield", "noise=gaussian"], "noise: has no use, Hopfield learns in one pass over the set from clean data"),
        (
            ["model=rbm", "trainer.likelihood.method=none", "trainer.likelihood.every=1 epoch"],
            "trainer.likelihood.every: has no",
        ),
    ],
)
def test_what_cannot_be_is_said(nnlab, typed: list[str], said: str) -> None:
    status, _, error = nnlab("train", *typed)
    assert status == 2
    assert error.startswith(f"nnlab: {said}"), error


def test_gray_values_are_said_to_be_probabilities_once(nnlab) -> None:
    short = ["trainer.steps=1", "trainer.show_every=never", "model.hidden=4"]
    for model in ("rbm", "boltzmann"):
        _, out, _ = nnlab("train", f"model={model}", *short)
        assert out.count("take gray values as probabilities of a 1") == 1
    _, out, _ = nnlab("train", "model=rbm", *short)
    assert out.count("take gray values as probabilities of a 1") == 1
    for bits in ("fixed", "dynamic"):
        _, out, _ = nnlab("train", "model=rbm", *short, f"data.binarize={bits}")
        assert "gray values" not in out


def test_a_rate_that_blows_up_is_caught(nnlab) -> None:
    status, _, error = nnlab("train", "model=rbm", "model.visible=gaussian", "optimizer.lr=1e4", "trainer.show_every=never")
    assert status == 1
    assert "is not finite" in error


def test_a_likelihood_is_read_on_its_schedule() -> None:
    e = built("model=rbm", "model.hidden=16", "data.binarize=fixed", "trainer.likelihood.every=20 steps", "trainer.epochs=3")
    e.initialize()
    t = e.trainer
    t.train(0, 13, lambda: False)
    assert "log_likelihood" not in t.evaluate("validation", full=False)
    t.train(13, 7, lambda: False)
    assert math.isfinite(t.evaluate("validation", full=False)["log_likelihood"])


def test_a_run_records_how_its_likelihood_was_found(nnlab) -> None:
    annealed = ["trainer.likelihood.method=ais", "trainer.likelihood.chains=7", "trainer.likelihood.temperatures=20"]
    assert nnlab("train", "model=rbm", "model.hidden=8", "data.binarize=fixed", "trainer.epochs=2", *annealed)[0] == 0
    *before, test = [record for record in only_run().read_metrics() if record["split"] != "train"]
    assert all("log_likelihood" not in record for record in before)
    assert (test["likelihood_by"], test["chains"], test["temperatures"]) == ("annealed importance sampling", 7, 20)
    assert all(math.isfinite(test[name]) for name in ("log_likelihood", "log_likelihood_error", "log_likelihood_reverse_error"))
    assert only_run().read_summary()["best"].keys() >= {"test/log_likelihood", "test/log_likelihood_reverse"}


def test_stages_of_a_dbn_move_only_their_own_machine() -> None:
    trainer = built("model=dbn", "model.hidden=[32,16,8]", "trainer.pretraining.epochs=[1,2]").trainer
    assert [stage.name for stage in trainer.stages] == ["layer_1", "layer_2", ""]
    for number in range(3):
        trainer.start_stage(number)
        before = {name: p.clone() for name, p in trainer.model.named_parameters()}
        trainer.train(0, 3, lambda: False)
        moved = {name.split(".")[1] for name, p in trainer.model.named_parameters() if not torch.equal(p, before[name])}
        assert moved == {str(number)}
        assert trainer.model.latent_dim == [32, 16, 8][number]


def test_the_config_of_the_trainers_is_theirs() -> None:
    assert config_of("model=rbm")["trainer"]["_target_"].endswith("ContrastiveOptions")
    spec = DataSpec("digits", "image", (1, 8, 8))
    batch = Batch(torch.zeros(2, 1, 8, 8), torch.ones(2, 1, 8, 8))
    assert RBM(spec, hidden=4).loss(batch, torch.Generator())["loss"].shape == (2,)


@pytest.mark.parametrize("model", ["rbm", "dbn", "boltzmann"])
def test_compiling_is_no_option_of_what_differentiates_nothing(model: str, nnlab) -> None:
    status, _, error = nnlab("train", f"model={model}", "trainer.compile=auto")
    assert (status, "trainer.compile: unknown key" in error) == (2, True)


def test_a_run_of_before_that_says_compile_is_read() -> None:
    folder = train("run", "model=rbm", "trainer.epochs=1", "trainer.show_every=never", "trainer.likelihood.method=none")
    folder.config.write_text(folder.config.read_text().replace("early_stopping:", "compile: none\n  early_stopping:"))
    assert "compile" in folder.config.read_text()
    assert open_run("run").model.weight.shape == (64, 256)
