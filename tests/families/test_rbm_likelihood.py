"""log Z of a restricted machine is what counting or an integral gives, and annealing comes near it from both sides."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import built, train
from small_machines import BITS, REAL, pairs, rbm
from torch import Tensor

from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput
from nnlab.experiment.run import Experiment
from nnlab.families.rbm.rbm import RBM
from nnlab.metrics import partition
from nnlab.metrics.partition import states


def test_the_log_z_of_a_gaussian_rbm_is_the_integral_of_its_density() -> None:
    model = rbm(DataSpec("line", "table", (1,), bounded=False, low=-5, high=5), hidden=3)
    x = torch.linspace(-40, 40, 200_001, dtype=torch.float64)[:, None]
    integral = torch.trapezoid((-model.free_energy(x)).exp(), x[:, 0]).log().item()
    assert partition.exact_log_z(model) == pytest.approx(integral, abs=1e-6)


@pytest.mark.parametrize(("spec", "hidden"), [(BITS, 3), (DataSpec("wide", "image", (1, 2, 2)), 9)])
def test_log_z_is_the_same_whichever_side_is_counted(spec: DataSpec, hidden: int) -> None:
    model = rbm(spec, hidden)
    all_v, all_h = pairs(states(spec.features, dtype=torch.float64), states(hidden, dtype=torch.float64))
    assert partition.exact_log_z(model) == pytest.approx((-model.energy(all_v, all_h)).logsumexp(0).item(), abs=1e-9)


@pytest.fixture(scope="module")
def learned() -> Experiment:
    """An RBM that has learned the digits, so that its log Z is no longer that of free units; its likelihood is annealed."""
    rate = ["optimizer.lr=0.5", "trainer.epochs=60", "trainer.persistent=true", "trainer.precision=float32"]
    annealed = "trainer.likelihood.method=ais"
    e = built("model=rbm", "model.hidden=16", "data=digits", "data.binarize=fixed", *rate, annealed)
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
def test_annealing_brackets_the_exact_log_z(learned: Experiment) -> None:
    model, generator = learned.model, torch.Generator().manual_seed(0)
    exact = partition.exact_log_z(model)
    assert abs(exact - partition.base_log_z(model)) > 3, "a machine as hard as one that has learned something"
    below = partition.ais(model, 200, 1000, generator)
    above = partition.reverse_ais(model, exact_samples(model, 200, generator), 1000, generator)
    assert abs(below.log_z - exact) < 0.1
    assert below.log_z - 3 * below.standard_error < exact < above.log_z + 3 * above.standard_error
    from_below = [partition.ais(model, 2, 10, generator).log_z for _ in range(200)]
    pairs_of_samples = exact_samples(model, 400, generator).split(2)
    from_above = [partition.reverse_ais(model, pair, 10, generator).log_z for pair in pairs_of_samples]
    assert np.mean(from_below) < exact < np.mean(from_above), "with few temperatures each errs to its side"


@torch.no_grad()
def test_the_standard_error_of_annealing_is_the_spread_of_its_repetitions(learned: Experiment) -> None:
    model, generator = learned.model, torch.Generator().manual_seed(0)
    runs = [partition.ais(model, 100, 100, generator) for _ in range(40)]
    spread = np.std([run.log_z for run in runs])
    assert spread == pytest.approx(np.mean([run.standard_error for run in runs]), rel=0.5)


@torch.no_grad()
def test_annealed_likelihoods_of_a_run_lie_about_the_exact_one(learned: Experiment) -> None:
    e = learned
    figures = e.trainer.evaluate("test")
    v = e.data.test.values(e.data.test.rows).flatten(1)
    exact = -e.model.free_energy(v).double().mean().item() - partition.exact_log_z(e.model)
    assert figures["log_likelihood"] == pytest.approx(exact, abs=0.1)
    assert figures["log_likelihood_reverse"] < exact + 3 * figures["log_likelihood_reverse_error"]
    assert built("model=rbm", "model.hidden=16").trainer.metadata["likelihood_by"].startswith("a sum over all states")
    base = e.data.train.values(e.data.train.rows).flatten(1).mean(0).clamp(0.001, 0.999)
    independent = (v @ base.log() + (1 - v) @ (1 - base).log()).mean().item()
    assert exact > independent + 3, "better than independent pixels"


def test_annealing_a_gaussian_machine_finds_its_log_z() -> None:
    model = rbm(REAL, hidden=3).float()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        found = partition.ais(model, 2000, 1000, generator)
    assert found.log_z == pytest.approx(partition.exact_log_z(model), abs=4 * found.standard_error + 1e-3)


def test_more_units_than_can_be_counted_are_refused() -> None:
    with pytest.raises(BadInput, match=r"trainer.likelihood.method: exact sums over the states of the smaller layer, of 32"):
        built("model=rbm", "model.hidden=32", "trainer.likelihood.method=exact")
    with pytest.raises(BadInput, match=r"trainer.inference: enumeration of 80 units, of 2\^80 states; at most 20"):
        built("model=boltzmann", "trainer.inference=enumeration")


def test_a_likelihood_is_read_on_its_schedule() -> None:
    e = built("model=rbm", "model.hidden=16", "data.binarize=fixed", "trainer.likelihood.every=20 steps", "trainer.epochs=3")
    e.initialize()
    t = e.trainer
    t.train(0, 13, lambda: False)
    assert "log_likelihood" not in t.evaluate("validation", full=False)
    t.train(13, 7, lambda: False)
    assert math.isfinite(t.evaluate("validation", full=False)["log_likelihood"])


def test_a_run_records_how_its_likelihood_was_found(own_folder: Path) -> None:
    annealed = ["trainer.likelihood.method=ais", "trainer.likelihood.chains=7", "trainer.likelihood.temperatures=20"]
    short = ["model.hidden=8", "data.binarize=fixed", "data.limit=150", "trainer.epochs=2"]
    run = train("run", "model=rbm", *short, *annealed, pictures=False)
    *before, test = [record for record in run.read_metrics() if record["split"] != "train"]
    assert all("log_likelihood" not in record for record in before)
    assert (test["likelihood_by"], test["chains"], test["temperatures"]) == ("annealed importance sampling", 7, 20)
    assert all(math.isfinite(test[name]) for name in ("log_likelihood", "log_likelihood_error", "log_likelihood_reverse_error"))
    assert run.read_summary()["best"].keys() >= {"test/log_likelihood", "test/log_likelihood_reverse"}
