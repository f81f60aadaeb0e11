"""Every likelihood learns, and log p(x) is estimated where it is one."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from conftest import built, only_run, small
from small_vaes import generator

LIKELIHOODS = ["bernoulli", "continuous_bernoulli", "gaussian", "discretized_logistic"]


@pytest.mark.parametrize("model", ["vae", "conv_vae", "cvae"])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_every_likelihood_learns_in_every_network(model, likelihood):
    overrides = [
        f"model.likelihood={likelihood}",
        "trainer.batch_size=100",
        "trainer.precision=float32",
        "trainer.likelihood.samples=none",
    ]
    e = built(*small(model), *overrides, "optimizer/schedule=constant")
    e.initialize()
    first = e.trainer.evaluate("validation")["loss"]
    e.trainer.train(0, 3 * e.trainer.steps_per_epoch, lambda: False)
    assert e.trainer.meter.look() is None
    assert e.trainer.evaluate("validation")["loss"] < first
    with torch.no_grad():
        samples = e.model.eval().sample(5, generator())
    assert samples.shape == (5, 1, 8, 8)
    if likelihood != "gaussian":  # whose mean knows no bounds
        assert 0 <= samples.min() <= samples.max() <= 1


def test_log_p_is_found_at_the_end_and_above_the_elbo_and_only_where_it_is_one():
    e = built(*small("vae"), "data.binarize=threshold", "trainer.likelihood.samples=50", "trainer.precision=float32")
    e.initialize()
    e.trainer.train(0, 20, lambda: False)
    test, glance = e.trainer.evaluate("test"), e.trainer.evaluate("validation", full=False)
    assert -test["negative_elbo"] < test["log_likelihood"] < 0
    assert test["bits_per_dimension"] == pytest.approx(-test["log_likelihood"] / 64 / math.log(2))
    assert "log_likelihood" not in glance
    assert "log_likelihood" in e.trainer.evaluate("validation")
    assert e.trainer.metadata["likelihood_samples"] == 50
    gray = built(*small("vae")).trainer
    assert gray.samples is None
    density = built(*small("vae"), "model.likelihood=gaussian", "model.sigma=0.1", "trainer.likelihood.samples=5").trainer
    assert "bits_per_dimension" not in density.evaluate("test")


def test_the_estimate_of_a_run_is_that_of_more_samples_on_the_same_data():
    e = built(*small("vae"), "data.binarize=threshold", "trainer.likelihood.samples=100", "trainer.precision=float32")
    e.initialize()
    few = e.trainer.likelihood("test")
    e.trainer.chunk = 700
    e.trainer.estimate_by(2000)
    many = e.trainer.likelihood("test")
    assert many["log_likelihood_error"] < few["log_likelihood_error"]
    assert abs(many["log_likelihood"] - few["log_likelihood"]) < 4 * few["log_likelihood_error"] + 0.05


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["model=beta_vae", "model.beta=-1"], "model.beta: expected a number ≥ 0, got -1"),
        (["model=iwae", "model.k=0"], "model.k: expected a whole number ≥ 1, got 0"),
        (["model=beta_vae", "model.warmup=9", "trainer.epochs=3"], "model.warmup: 9 epochs until beta is full, in a run of 3"),
        (["model=vae", "model.sigma=0"], "model.sigma: expected a number ≥ 0.0001 or learned, got 0"),
        (["model=vae", "model.sigma=0.1"], "model.sigma: has no effect under bernoulli"),
        (["model=vae", "data=moons", "model.likelihood=bernoulli"], "model.likelihood: bernoulli needs values within [0, 1]"),
        (["model=vae", "trainer.likelihood.samples=100"], "trainer.likelihood.samples: Digits has gray values"),
        (
            ["model=vae", "trainer.likelihood.samples=1"],
            "trainer.likelihood.samples: expected a whole number ≥ 2 or auto or none",
        ),
        (["model=cvae", "data=npz", "data.file=own.npz", "data.root=."], "model: a conditional VAE learns"),
    ],
)
def test_what_cannot_be_is_said(nnlab, own_folder, typed, said):
    np.savez("own.npz", x_train=np.zeros((30, 8, 8), np.uint8))
    status, _, error = nnlab("train", *typed)
    assert status == 2
    assert error.startswith(f"nnlab: {said}"), error


def test_another_number_of_samples_is_chosen_by_evaluate_and_refused_where_there_are_none(nnlab):
    short = ["trainer.steps=2", "trainer.show_every=never", "model.latent_dim=3"]
    assert nnlab("train", *small("vae"), *short, "data.binarize=fixed", "trainer.likelihood.samples=3")[0] == 0
    record = only_run().read_metrics()[-1]
    assert (record["likelihood_samples"], record["likelihood_by"]) == (3, "importance sampling")
    status, out, _ = nnlab("evaluate", "last", "--samples", "7")
    assert status == 0
    assert '"likelihood_samples": 7' in out
    assert "--samples: expected a whole number ≥ 2, got 1" in nnlab("evaluate", "last", "--samples", "1")[2]
    assert nnlab("train", "model=ae", "model.hidden=[8]", *short)[0] == 0
    status, _, error = nnlab("evaluate", "last", "--samples", "7")
    assert status == 2
    assert error == "nnlab: --samples: not used, since AE has no likelihood that is estimated by sampling codes\n"


def test_a_run_that_knew_nothing_of_the_likelihood_is_evaluated_with_it(nnlab):
    assert nnlab("train", *small("vae"), "trainer.steps=2", "trainer.show_every=never", "data.binarize=fixed")[0] == 0
    folder = only_run()
    config = folder.read_config()
    del config["trainer"]["likelihood"], config["model"]["sigma"]
    config["trainer"]["_target_"] = "nnlab.training.options.GradientOptions"
    folder.config.write_text(json.dumps(config))  # which is YAML
    status, out, error = nnlab("evaluate", "last", "--samples", "7")
    assert status == 0, error
    assert json.loads(out)["likelihood_samples"] == 7
    assert nnlab("resume", "last", "trainer.steps=4")[0] == 0


@pytest.mark.parametrize("likelihood", ["gaussian", "continuous_bernoulli"])
def test_a_density_has_no_likelihood_of_bits(nnlab, likelihood):
    typed = [*small("vae"), "data.binarize=threshold", f"model.likelihood={likelihood}", "trainer.steps=2"]
    assert built(*typed).trainer.samples is None
    status, _, error = nnlab("train", *typed, "trainer.likelihood.samples=5")
    assert status == 2
    assert error.startswith("nnlab: trainer.likelihood.samples: Digits is binary, and on two points a density has no bound"), (
        error
    )
