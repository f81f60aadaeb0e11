"""Bounds, weights and conditions of the variational autoencoders."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from conftest import built, only_run, small
from torch.distributions import Normal

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.vae.beta_vae import BetaVAE
from nnlab.families.vae.cvae import CVAE
from nnlab.families.vae.iwae import IWAE
from nnlab.families.vae.vae import VAE
from nnlab.model import Decodes, SamplesClasses, can
from nnlab.nn.schedules import StageLength

SPEC = DataSpec("bits", "image", (1, 4, 4), ("a", "b", "c"))
NETWORK = {"hidden": [12], "latent_dim": 3, "activation": "tanh"}
LIKELIHOODS = ["bernoulli", "continuous_bernoulli", "gaussian", "discretized_logistic"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(n: int = 40) -> Batch:
    x = (torch.rand(n, *SPEC.shape, generator=generator()) < 0.4).float()
    return Batch(x, x, label=torch.arange(n) % 3)


def of_seed(cls: type, **options) -> torch.nn.Module:
    torch.manual_seed(1)
    return cls(SPEC, **NETWORK, **options)


@torch.no_grad()
def mean_loss(model, draws: int = 300) -> float:
    b = batch()
    many = Batch(*(part.repeat(draws, *[1] * (part.ndim - 1)) for part in (b.input, b.target)), label=b.label.repeat(draws))
    return model.loss(many, generator(2))["loss"].double().mean().item()


# -- iwae ----------------------------------------------------------------------------------------------------------


def test_an_iwae_of_one_code_has_the_elbo_for_its_bound():
    assert mean_loss(of_seed(IWAE, k=1)) == pytest.approx(mean_loss(of_seed(VAE)), abs=0.05)


def test_the_bound_of_more_codes_is_tighter():
    first, fifth, twentieth = (mean_loss(of_seed(IWAE, k=k)) for k in (1, 5, 20))
    assert first > fifth > twentieth


@torch.no_grad()
def test_the_bound_is_the_log_of_the_mean_weight():
    model, b = of_seed(IWAE, k=4), batch(6)
    noise = torch.randn(6, 4, 3, generator=generator(5))
    mean, log_variance = model.posterior(b.input)
    std = (0.5 * log_variance).exp()[:, None]
    z = mean[:, None] + std * noise
    log_joint = model.likelihood.log_prob(model.decoder(z.flatten(0, 1)), b.target.repeat_interleave(4, 0)).view(6, 4)
    log_joint = log_joint + Normal(0.0, 1.0).log_prob(z).sum(2) - Normal(mean[:, None], std).log_prob(z).sum(2)
    expected = -log_joint.exp().mean(1).log()
    assert torch.allclose(model.loss(b, generator(5))["loss"], expected, atol=1e-4)


# -- beta_vae ------------------------------------------------------------------------------------------------------


def terms(model, **values: float) -> dict[str, torch.Tensor]:
    for name, value in values.items():
        getattr(model, name).set(value)
    with torch.no_grad():
        return model.loss(batch(), generator(3))


@pytest.mark.parametrize("beta", [0.0, 1.0, 7.5])
def test_beta_weighs_the_kl_and_nothing_else(beta):
    own, plain = terms(of_seed(BetaVAE, beta=beta)), terms(of_seed(VAE))
    assert torch.equal(own["reconstruction"], plain["reconstruction"])
    assert torch.equal(own["kl"], plain["kl"])
    assert torch.allclose(
        terms(of_seed(BetaVAE, beta=beta, capacity=0), capacity=0.0)["loss"], own["reconstruction"] + beta * own["kl"]
    )


def test_a_capacity_is_what_the_kl_is_held_near():
    own = terms(of_seed(BetaVAE, beta=10, capacity=2), capacity=2.0)
    assert torch.allclose(own["loss"], own["reconstruction"] + 10 * (own["kl"] - 2).abs())


def test_beta_warms_up_and_the_capacity_rises_to_the_end_of_the_run():
    model, clock = of_seed(BetaVAE, beta=4, warmup=2, capacity=25), StageLength(total=100, per_epoch=10)
    betas, capacities = ([number.at(step, clock) for step in range(100)] for number in (model.beta, model.capacity))
    assert 0 < betas[0] < 0.3
    assert betas[19] < 4
    assert betas[20:] == [4.0] * 80
    assert np.allclose(np.diff(betas[:20]), betas[1] - betas[0])
    assert capacities[0] == pytest.approx(0.25)
    assert capacities[-1] == 25
    assert np.allclose(np.diff(capacities), 0.25)


def test_figures_have_the_weights_that_the_run_ends_with_and_training_those_of_the_step():
    e = built(*small("beta_vae"), "model.beta=4", "model.warmup=2", "trainer.epochs=4", "trainer.batch_size=100")
    e.initialize()
    trainer = e.trainer
    trainer.train(0, 3, lambda: False)
    early = trainer.meter.look()
    assert early is None
    found = trainer.evaluate("validation")
    assert found["loss"] == pytest.approx(found["reconstruction"] + 4 * found["kl"], rel=1e-5)
    rates = trainer.rates(3)
    assert 0 < rates["beta"] < 4
    assert trainer.model.beta.value.item() == pytest.approx(trainer.rates(2)["beta"])


def test_a_heavier_beta_leaves_less_kl_and_more_error():
    def run(beta: float) -> dict[str, float]:
        e = built(
            *small("beta_vae"), f"model.beta={beta}", "trainer.epochs=12", "trainer.batch_size=100", "trainer.precision=float32"
        )
        e.initialize()
        e.trainer.train(0, e.trainer.total_steps, lambda: False)
        return e.trainer.evaluate("validation")

    light, heavy = run(0.2), run(5)
    assert light["kl"] > heavy["kl"]
    assert light["reconstruction"] < heavy["reconstruction"]
    assert light["active_units"] >= heavy["active_units"]


# -- cvae ----------------------------------------------------------------------------------------------------------


def test_both_networks_of_a_cvae_see_the_label():
    model, b = of_seed(CVAE), batch(3)
    with torch.no_grad():
        means = [model.posterior(b.input, torch.full((3,), y))[0] for y in range(3)]
        images = [model.sample_class(torch.full((5,), y), generator()) for y in range(3)]
    for kind in (means, images):
        assert not torch.allclose(kind[0], kind[1])
        assert not torch.allclose(kind[1], kind[2])


def test_a_cvae_without_a_label_takes_the_likeliest_and_scores_by_all():
    model, b = of_seed(CVAE), batch(10)
    model.shares.copy_(torch.tensor([0.2, 0.5, 0.3]))
    with torch.no_grad():
        bounds = torch.stack([-model.negative_elbo(b.input, torch.full((10,), y)) for y in range(3)], 1)
        concat_targets = bounds + torch.tensor([0.2, 0.5, 0.3]).log()
        assert torch.allclose(model.score(b.input), -concat_targets.exp().sum(1).log(), atol=1e-4)
        assert torch.allclose(model.encode(b.input), model.posterior(b.input, concat_targets.argmax(1))[0])
    assert can(model, SamplesClasses)
    assert not can(model, Decodes)


def test_a_cvae_samples_classes_as_often_as_they_are(nnlab):
    model = of_seed(CVAE)
    model.shares.copy_(torch.tensor([0.0, 1.0, 0.0]))
    with torch.no_grad():
        drawn = model.sample(4, generator())
        torch.multinomial(model.shares, 4, replacement=True, generator=(g := generator()))
        assert torch.equal(drawn, model.sample_class(torch.ones(4, dtype=torch.int64), g))
    e = built(*small("cvae"))
    e.initialize()
    labels = e.data.train.labels(e.data.train.rows)
    assert torch.allclose(e.model.shares, torch.bincount(labels) / len(labels))


def test_a_cvae_learns_to_draw_the_class_that_is_asked_for():
    e = built("model=cvae", "model.hidden=[128]", "model.latent_dim=8", "trainer.epochs=30", "trainer.precision=float32")
    e.initialize()
    e.trainer.train(0, e.trainer.total_steps, lambda: False)
    train, model = e.data.train, e.model.eval()
    means = torch.stack([train.values(train.rows[train.labels(train.rows) == y]).mean(0) for y in range(10)]).flatten(1)
    asked = torch.arange(10).repeat_interleave(20)
    with torch.no_grad():
        nearest = torch.cdist(model.sample_class(asked, generator()).flatten(1), means).argmin(1)
    assert (nearest == asked).float().mean() > 0.85


def test_data_without_labels_are_refused_to_a_cvae(own_folder):
    np.savez("own.npz", x_train=np.zeros((30, 8, 8), np.uint8))
    status = built_error("model=cvae", "data=npz", "data.root=.", "data.file=own.npz")
    assert "a conditional VAE learns what images of a class are like, but own has no labels" in status


def built_error(*overrides: str) -> str:
    from nnlab.errors import BadInput

    with pytest.raises(BadInput) as caught:
        built(*overrides)
    return str(caught.value)


# -- likelihoods, and log p(x) -------------------------------------------------------------------------------------


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
    assert error == "nnlab: --samples: has no use, AE has no likelihood that is estimated by sampling codes\n"


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


@pytest.mark.parametrize("k", [1, 3, 10])
def test_the_encoders_gradient_of_the_iwae_is_on_average_its_bounds_own(k):
    torch.manual_seed(0)
    model = IWAE(DataSpec("own", "table", (3,), low=-2, high=2, bounded=False), k=k, hidden=[4], latent_dim=2)
    x = torch.randn((4, 3), generator=generator())
    batch, draws = Batch(x, x), 1500
    found: dict[str, list[torch.Tensor]] = {"plain": [], "own": []}
    for draw in range(draws):
        terms = model.loss(batch, generator(draw))
        noise = torch.randn((4, k, 2), generator=generator(draw))
        reconstruction, divergence = model.draw(batch, model.posterior(x), noise)
        plain = math.log(k) - (-reconstruction - divergence).logsumexp(1)
        assert torch.allclose(terms["loss"], plain, atol=1e-5)
        for name, loss in (("plain", plain), ("own", terms["loss"])):
            slopes = torch.autograd.grad(loss.mean(), list(model.encoder.parameters()))
            found[name].append(torch.cat([slope.flatten() for slope in slopes]))
    plain, own = (torch.stack(slopes).double() for slopes in found.values())
    error = ((plain.var(0) + own.var(0)) / draws).sqrt()
    assert ((plain.mean(0) - own.mean(0)).abs() < 4.5 * error + 1e-7).all()


def test_the_decoders_gradient_of_the_iwae_is_the_bounds_own():
    torch.manual_seed(0)
    model = IWAE(DataSpec("own", "table", (3,), low=-2, high=2, bounded=False), k=4, hidden=[4], latent_dim=2)
    x = torch.randn((5, 3), generator=generator())
    noise = torch.randn((5, 4, 2), generator=generator(1))
    reconstruction, divergence = model.draw(Batch(x, x), model.posterior(x), noise)
    losses = [math.log(4) - (-reconstruction - divergence).logsumexp(1), model.loss(Batch(x, x), generator(1))["loss"]]
    slopes = [torch.autograd.grad(loss.mean(), list(model.decoder.parameters())) for loss in losses]
    for a, b in zip(*slopes, strict=True):
        assert torch.allclose(a, b, atol=1e-6)
