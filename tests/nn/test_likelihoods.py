"""Likelihoods against torch's distributions, and against quadrature."""

from __future__ import annotations

import math

import pytest
import torch
from torch import distributions

from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput
from nnlab.nn.likelihoods import Bernoulli, Gaussian, likelihood

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
    p = Gaussian(spec)
    with torch.no_grad():
        p.log_sigma += shift + 0.3 * normal(len(p.log_sigma), seed=2)
    mean, x = normal(6, *spec.shape), normal(6, *spec.shape, seed=1)
    sigma = (p.log_sigma.exp() + p.floor).expand(x[0].numel())
    expected = distributions.Normal(mean.flatten(1), sigma).log_prob(x.flatten(1)).sum(1)
    assert torch.allclose(p.log_prob(mean, x), expected, rtol=1e-5)


@pytest.mark.parametrize(("spec", "count"), [(REAL, 1), (TABLE, 5)], ids=["image", "table"])
def test_gaussian_learns_one_sigma_an_image_and_one_a_column(spec, count):
    assert Gaussian(spec).log_sigma.shape == (count,)


@pytest.mark.parametrize("log_sigma", [-3.0, 0.0, 2.0])
def test_gaussian_integrates_to_one(log_sigma):
    spec = DataSpec("one value", "table", (1,), low=-1.0, bounded=False)
    p = Gaussian(spec).double()
    torch.nn.init.constant_(p.log_sigma, log_sigma)
    sigma = math.exp(log_sigma)
    x = torch.linspace(-12 * sigma, 12 * sigma, 20_001, dtype=torch.float64)[:, None] + 0.7
    density = p.log_prob(torch.full_like(x, 0.7), x).exp()
    assert torch.trapezoid(density, x[:, 0]).item() == pytest.approx(1, abs=1e-6)


def test_a_value_that_never_changes_keeps_the_gaussian_finite():
    p = Gaussian(TABLE)
    torch.nn.init.constant_(p.log_sigma, -1000.0)
    x = torch.ones(2, 5)
    bound = -5 * math.log(1e-3 * 12 * math.sqrt(2 * math.pi))
    assert torch.allclose(p.log_prob(x, x), torch.tensor(bound))


@pytest.mark.parametrize(
    ("spec", "expected"), [(IMAGE, Bernoulli), (REAL, Gaussian), (TABLE, Gaussian), (UNIT_TABLE, Gaussian)]
)
def test_auto_is_bernoulli_for_images_within_0_and_1_alone(spec, expected):
    assert type(likelihood("auto", spec)) is expected


def test_bernoulli_of_values_beyond_0_and_1_is_refused():
    with pytest.raises(BadInput, match=r"model\.likelihood: bernoulli .* scans has -3 … 9; use gaussian"):
        likelihood("bernoulli", REAL)


def test_a_choice_is_kept_where_it_is_possible():
    assert type(likelihood("bernoulli", UNIT_TABLE)) is Bernoulli
    assert type(likelihood("gaussian", IMAGE)) is Gaussian


@pytest.mark.parametrize("p", [Bernoulli(), Gaussian(IMAGE)], ids=["bernoulli", "gaussian"])
def test_output_for_is_the_inverse_of_mean(p):
    means = torch.linspace(0.01, 0.99, 50)
    assert torch.allclose(p.mean(p.output_for(means)), means, atol=1e-6)


def test_bernoulli_starts_away_from_certainty():
    assert Bernoulli().mean(Bernoulli().output_for(torch.tensor([0.0, 1.0]))).tolist() == pytest.approx([0.01, 0.99])
