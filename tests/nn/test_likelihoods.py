"""Likelihoods against torch's distributions, and against quadrature."""

from __future__ import annotations

import math

import pytest
import torch
from torch import distributions

from nnlab.data.spec import DataSpec
from nnlab.data.split import Split
from nnlab.errors import ArgumentError
from nnlab.model.likelihood import likelihood_for, why_without_log_p
from nnlab.nn.likelihoods import Bernoulli, ContinuousBernoulli, DiscretizedLogistic, Gaussian

IMAGE = DataSpec("photos", "image", (2, 3, 4))
REAL = DataSpec("scans", "image", (1, 3, 4), low=-3.0, high=9.0, bounded=False)
TABLE = DataSpec("wine", "table", (5,), low=-3.0, high=9.0, bounded=False)
UNIT_TABLE = DataSpec("shares", "table", (5,))


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_bernoulli_is_torchs_on_binary_data():
    logits, x = 3 * normal(6, *IMAGE.shape), (normal(6, *IMAGE.shape, seed=1) > 0).float()
    expected = distributions.Bernoulli(logits=logits).log_prob(x).sum((1, 2, 3))
    assert torch.allclose(Bernoulli().log_prob(logits, x), expected)


def test_bernoulli_and_its_gradient_are_the_cross_entropys_to_float32s_exactness():
    logits, x = 10 * normal(50, 784), normal(50, 784, seed=1).sigmoid()
    logits[0, :4] = torch.tensor([0.0, 1e-8, -1e-8, 88.0])
    weight, wide = normal(50, seed=2), logits.double().requires_grad_()
    exact = -torch.nn.functional.binary_cross_entropy_with_logits(wide, x.double(), reduction="none").sum(1)
    exact.backward(weight.double())
    ours = Bernoulli().log_prob(logits.requires_grad_(), x)
    ours.backward(weight)
    assert torch.allclose(ours.double(), exact, rtol=1e-6)
    assert torch.allclose(logits.grad.double(), wide.grad, atol=3e-7)


def test_bernoulli_can_be_mapped_and_differentiated_by_torchs_functions():
    logits, x = normal(5, 3, 4), normal(5, 3, 4, seed=1).sigmoid()
    each = torch.func.vmap(Bernoulli().log_prob)(logits, x)
    assert torch.allclose(each, torch.stack([Bernoulli().log_prob(a, b) for a, b in zip(logits, x, strict=True)]))
    slope = torch.func.grad(lambda a: Bernoulli().log_prob(a, x[0]).sum())(logits[0])
    assert torch.allclose(slope, x[0] - logits[0].sigmoid(), atol=1e-6)


def test_bernoulli_is_finite_for_logits_that_a_sigmoid_rounds_to_certainty():
    logits = torch.tensor([[200.0], [-200.0], [200.0]])
    assert Bernoulli().log_prob(logits, torch.tensor([[0.0], [1.0], [1.0]])).tolist() == [-200, -200, 0]


def test_bernoulli_is_largest_where_its_mean_is_the_gray_value():
    x = torch.rand(4, *IMAGE.shape, generator=torch.Generator().manual_seed(0))
    logits = x.logit().requires_grad_()
    Bernoulli().log_prob(logits, x).sum().backward()
    assert logits.grad.abs().max() < 1e-6


@pytest.mark.parametrize("spec", [REAL, TABLE], ids=["image", "table"])
@pytest.mark.parametrize("shift", [-2.0, 0.0, 1.0])
def test_gaussian_is_torchs_for_the_current_sigma(spec, shift):
    p = likelihood_for(spec, "gaussian")
    with torch.no_grad():
        p.log_sigma += shift + 0.3 * normal(len(p.log_sigma), seed=2)
    mean, x = normal(6, *spec.shape), normal(6, *spec.shape, seed=1)
    sigma = (p.log_sigma.exp() + p.floor).expand(x[0].numel())
    expected = distributions.Normal(mean.flatten(1), sigma).log_prob(x.flatten(1)).sum(1)
    assert torch.allclose(p.log_prob(mean, x), expected, rtol=1e-5)


@pytest.mark.parametrize(("spec", "count"), [(REAL, 1), (TABLE, 5)], ids=["image", "table"])
def test_gaussian_learns_one_sigma_an_image_and_one_a_column(spec, count):
    assert likelihood_for(spec, "gaussian").log_sigma.shape == (count,)


@pytest.mark.parametrize("log_sigma", [-3.0, 0.0, 2.0])
def test_gaussian_integrates_to_one(log_sigma):
    spec = DataSpec("one value", "table", (1,), low=-1.0, bounded=False)
    p = likelihood_for(spec, "gaussian").double()
    torch.nn.init.constant_(p.log_sigma, log_sigma)
    sigma = math.exp(log_sigma)
    x = torch.linspace(-12 * sigma, 12 * sigma, 20_001, dtype=torch.float64)[:, None] + 0.7
    density = p.log_prob(torch.full_like(x, 0.7), x).exp()
    assert torch.trapezoid(density, x[:, 0]).item() == pytest.approx(1, abs=1e-6)


def test_a_value_that_never_changes_keeps_the_gaussian_finite():
    p = likelihood_for(TABLE, "gaussian")
    torch.nn.init.constant_(p.log_sigma, -1000.0)
    x = torch.ones(2, 5)
    bound = -5 * math.log(1e-3 * 12 * math.sqrt(2 * math.pi))
    assert torch.allclose(p.log_prob(x, x), torch.tensor(bound))


@pytest.mark.parametrize(
    ("spec", "expected"), [(IMAGE, Bernoulli), (REAL, Gaussian), (TABLE, Gaussian), (UNIT_TABLE, Gaussian)]
)
def test_auto_is_bernoulli_for_images_within_0_and_1_alone(spec, expected):
    assert type(likelihood_for(spec, "auto")) is expected


def test_bernoulli_of_values_beyond_0_and_1_is_refused():
    with pytest.raises(ArgumentError, match=r"likelihood: bernoulli .* scans has -3 … 9; use gaussian"):
        likelihood_for(REAL, "bernoulli")


def test_a_choice_is_kept_where_it_is_possible():
    assert type(likelihood_for(UNIT_TABLE, "bernoulli")) is Bernoulli
    assert type(likelihood_for(IMAGE, "gaussian")) is Gaussian


@pytest.mark.parametrize("p", [Bernoulli(), likelihood_for(IMAGE, "gaussian")], ids=["bernoulli", "gaussian"])
def test_output_for_is_the_inverse_of_mean(p):
    means = torch.linspace(0.01, 0.99, 50)
    assert torch.allclose(p.mean(p.output_for(means)), means, atol=1e-6)


def test_bernoulli_starts_away_from_certainty():
    assert Bernoulli().mean(Bernoulli().output_for(torch.tensor([0.0, 1.0]))).tolist() == pytest.approx([0.01, 0.99])


# -- likelihoods of gray values ------------------------------------------------------------------------------------


LOGITS = [-60.0, -5.0, -1.0001, -0.9999, -0.1, -1e-4, 0.0, 1e-7, 1e-3, 0.5, 0.9999, 1.0001, 8.0, 90.0]


@pytest.mark.parametrize("logit", LOGITS)
def test_continuous_bernoulli_integrates_to_one_and_to_its_mean(logit):
    p, x = ContinuousBernoulli(), torch.linspace(0, 1, 100_001, dtype=torch.float64)
    logits = torch.full((len(x), 1), logit)
    density = p.log_prob(logits, x.float()[:, None]).double().exp()
    assert torch.trapezoid(density, x).item() == pytest.approx(1, abs=1e-4)
    assert p.mean(logits[:1]).item() == pytest.approx(torch.trapezoid(density * x, x).item(), abs=1e-5)


def test_continuous_bernoulli_is_torchs_and_so_is_its_gradient():
    logits = torch.cat([normal(200) * 4, torch.linspace(-1.2, 1.2, 25)]).double()
    x = torch.rand(len(logits), generator=torch.Generator().manual_seed(0)).double()
    wide = logits.clone().requires_grad_()
    expected = distributions.ContinuousBernoulli(logits=wide).log_prob(x)
    expected.sum().backward()
    ours = logits.float().requires_grad_()
    found = ContinuousBernoulli().log_prob(ours[:, None], x.float()[:, None])
    found.sum().backward()
    assert torch.allclose(found.double(), expected, atol=1e-5)
    assert torch.allclose(ours.grad.double(), wide.grad, atol=1e-4)  # torch's own series has two terms


def test_the_gradient_of_the_continuous_bernoulli_is_x_less_the_mean():
    logits = torch.tensor([-30.0, -1.0, -1e-3, 0.0, 1e-6, 0.2, 0.99, 1.01, 40.0])[:, None].requires_grad_()
    p, x = ContinuousBernoulli(), torch.full((9, 1), 0.3)
    p.log_prob(logits, x).sum().backward()
    assert torch.allclose(logits.grad, x - p.mean(logits), atol=2e-6)


def logistic_output(location: float, log_scale: float, n: int = 1) -> torch.Tensor:
    return torch.tensor([location, log_scale]).view(1, 2, 1, 1).expand(n, 2, 1, 1)


LEVELS = (torch.arange(256) / 255).view(-1, 1, 1, 1)
SETTINGS = [(0.5, -2.0), (0.0, -5.0), (1.3, -3.0), (-0.4, -4.0), (0.3, -20.0), (0.7, 1.5), (0.2, -4.5)]


@pytest.mark.parametrize(("location", "log_scale"), SETTINGS)
def test_discretized_logistic_sums_to_one_over_the_levels_and_to_its_mean(location, log_scale):
    p, output = DiscretizedLogistic(), logistic_output(location, log_scale, 256)
    chance = p.log_prob(output, LEVELS).double().exp()
    assert chance.sum().item() == pytest.approx(1, abs=1e-4)
    expected = (chance * LEVELS.flatten()).sum().item()
    assert p.mean(output)[0].item() == pytest.approx(expected, abs=1 / 510)
    if log_scale > -5:
        assert p.mean(output)[0].item() == pytest.approx(expected, abs=1e-4)


def test_discretized_logistic_is_the_difference_of_two_sigmoids():
    location, log_scale = 0.4, -3.0
    edges = torch.arange(1, 256, dtype=torch.float64) / 255 - 1 / 510
    cdf = torch.cat([torch.zeros(1), torch.sigmoid((edges - location) / math.exp(log_scale)), torch.ones(1)])
    found = DiscretizedLogistic().log_prob(logistic_output(location, log_scale, 256), LEVELS)
    assert torch.allclose(found.double(), cdf.diff().log(), atol=1e-4)


def test_discretized_logistic_is_finite_where_both_sigmoids_round_to_one():
    output = logistic_output(0.0, -6.0).clone().requires_grad_()
    p = DiscretizedLogistic().log_prob(output, torch.tensor(0.9).view(1, 1, 1, 1))
    p.sum().backward()
    assert -1000 < p.item() < -300
    assert output.grad.isfinite().all()
    assert output.grad[0, 0] > 100  # it still says where to go


def test_discretized_logistic_counts_a_value_between_two_levels_as_the_nearer_one():
    p, output = DiscretizedLogistic(), logistic_output(0.4, -4.0)
    near, level = torch.tensor(100.3 / 255), torch.tensor(100 / 255)
    assert torch.equal(p.log_prob(output, near.view(1, 1, 1, 1)), p.log_prob(output, level.view(1, 1, 1, 1)))


def test_a_location_stands_before_a_log_scale_channel_by_channel():
    output = normal(3, 4, 3, 4)
    location, log_scale = DiscretizedLogistic().parameters_of(output)
    assert torch.equal(location, output[:, :2])
    assert torch.equal(log_scale, output[:, 2:].clamp(min=-7.7))
    assert DiscretizedLogistic().mean(output).shape == (3, *IMAGE.shape)


@pytest.mark.parametrize(
    "p", [Bernoulli(), ContinuousBernoulli(), likelihood_for(IMAGE, "gaussian"), DiscretizedLogistic()], ids=type
)
def test_an_output_for_a_mean_has_it(p):
    mean = torch.linspace(0.01, 0.99, 24).view(IMAGE.shape)
    assert torch.allclose(p.mean(p.output_for(mean)[None])[0], mean, atol=1e-6)
    assert p.output_for(mean).shape == (p.n_params * 2, 3, 4)


def test_a_fixed_sigma_is_what_it_is_and_nothing_that_is_learned():
    p = likelihood_for(IMAGE, "gaussian", 0.05)
    assert not list(p.parameters())
    mean, x = normal(6, *IMAGE.shape), normal(6, *IMAGE.shape, seed=1)
    expected = distributions.Normal(mean, 0.05).log_prob(x).sum((1, 2, 3))
    assert torch.allclose(p.log_prob(mean, x), expected, rtol=1e-5)
    assert torch.allclose(likelihood_for(TABLE, "gaussian", 2.0).log_sigma.exp(), torch.tensor(2.0))


def split(stored: torch.Tensor, scale: float, dynamic_binarization: bool = False) -> Split:
    return Split.of(stored, None, torch.arange(len(stored)), scale, dynamic_binarization)


def test_bernoulli_is_a_likelihood_of_bits_alone():
    gray, bits = (
        split(torch.zeros(2, 1, 3, 3, dtype=torch.uint8), 1 / 255),
        split(torch.zeros(2, 1, 3, 3, dtype=torch.uint8), 1.0),
    )
    drawn = split(gray.target.x, 1 / 255, dynamic_binarization=True)
    assert [why_without_log_p(Bernoulli(), s) is None for s in (gray, bits, drawn)] == [False, True, True]
    assert [why_without_log_p(ContinuousBernoulli(), s) is None for s in (gray, bits, drawn)] == [True, False, False]
    assert [why_without_log_p(likelihood_for(IMAGE, "gaussian"), s) is None for s in (gray, bits, drawn)] == [
        True,
        False,
        False,
    ]
    assert all(why_without_log_p(DiscretizedLogistic(), s) is None for s in (gray, bits, drawn))


@pytest.mark.parametrize("choice", ["bernoulli", "continuous_bernoulli", "discretized_logistic"])
def test_values_beyond_0_and_1_are_refused_by_all_that_cannot_have_them(choice):
    with pytest.raises(ArgumentError, match=rf"likelihood: {choice} .* scans has -3 … 9; use gaussian"):
        likelihood_for(REAL, choice)


def test_levels_of_pixels_are_refused_to_a_table():
    with pytest.raises(ArgumentError, match="discretized_logistic is of the 256 levels of pixels, shares is a table"):
        likelihood_for(UNIT_TABLE, "discretized_logistic")


@pytest.mark.parametrize("choice", ["auto", "bernoulli", "continuous_bernoulli", "discretized_logistic"])
def test_a_sigma_that_nothing_reads_is_refused(choice):
    with pytest.raises(ArgumentError, match=r"sigma: has no effect under .*bernoulli|logistic; add model\.likelihood=gaussian"):
        likelihood_for(IMAGE, choice, 0.1)
