"""The objectives and their gradients against what they are defined by, written out with probabilities."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import binary_cross_entropy

from nnlab.families.gan.objectives import OBJECTIVES, accuracies


def logistic(answer: torch.Tensor, target: float) -> torch.Tensor:
    return binary_cross_entropy(answer.sigmoid(), torch.full_like(answer, target), reduction="none")


DIRECT = {
    "minimax": (lambda r, s: logistic(r, 1 - s), lambda f: logistic(f, 0), lambda f: (1 - f.sigmoid()).log()),
    "non_saturating": (lambda r, s: logistic(r, 1 - s), lambda f: logistic(f, 0), lambda f: -f.sigmoid().log()),
    "least_squares": (lambda r, s: (r - 1 + s) ** 2 / 2, lambda f: f**2 / 2, lambda f: (f - 1) ** 2 / 2),
    "hinge": (lambda r, s: (1 - r).clamp(min=0), lambda f: (1 + f).clamp(min=0), lambda f: -f),
    "wasserstein": (lambda r, s: -r, lambda f: f, lambda f: -f),
}


def value_and_slope(function, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = x.clone().requires_grad_()
    value = function(x)
    return value.detach(), torch.autograd.grad(value.sum(), x)[0]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_an_objective_and_its_gradient_are_those_of_its_definition(name: str, smoothing: float) -> None:
    smoothing = smoothing if name in ("minimax", "non_saturating", "least_squares") else 0.0
    objective, (data, samples, generator) = OBJECTIVES[name](smoothing), DIRECT[name]
    x = torch.linspace(-4, 4, 41, dtype=torch.float64)
    pairs = [(objective.data, lambda r: data(r, smoothing)), (objective.samples, samples), (objective.generator, generator)]
    for ours, direct in pairs:
        for a, b in zip(value_and_slope(ours, x), value_and_slope(direct, x), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_exchanged_roles_ask_data_to_be_taken_for_samples(name: str) -> None:
    objective = OBJECTIVES[name]()
    answers = torch.linspace(-1, 1, 9, requires_grad=True)
    (slope,) = torch.autograd.grad(objective.exchanged(answers).sum(), answers)
    above = answers > (objective.threshold or 0.0) + 1e-6
    assert (slope[above] > 0).all(), "what is called data is pulled down"


def test_the_logistic_discriminator_is_at_its_best_where_the_paper_says() -> None:
    """D*(x) = p(x)/(p(x) + q(x)), where the game's value is −log 4 + 2 JSD (Goodfellow et al. 2014, 4.1)."""
    p, q = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64), torch.tensor([0.1, 0.3, 0.6], dtype=torch.float64)
    objective, answer = OBJECTIVES["minimax"](), torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([answer], max_iter=100, tolerance_grad=1e-12)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = (p * objective.data(answer) + q * objective.samples(answer)).sum()
        value.backward()
        return value

    optimizer.step(loss)
    torch.testing.assert_close(answer.detach().sigmoid(), p / (p + q), rtol=1e-5, atol=1e-5)
    middle = (p + q) / 2
    divergence = ((p * (p / middle).log()).sum() + (q * (q / middle).log()).sum()) / 2
    torch.testing.assert_close(-loss().detach(), 2 * divergence - torch.tensor(4.0).double().log(), rtol=1e-6, atol=1e-6)


def test_data_and_samples_are_told_apart_at_the_threshold() -> None:
    r, f = torch.tensor([2.0, -1.0, 0.7, 0.3]), torch.tensor([-2.0, 0.4])
    assert [a.item() for a in accuracies(OBJECTIVES["hinge"](), r, f)] == [0.75, 0.5]
    assert [a.item() for a in accuracies(OBJECTIVES["least_squares"](), r, f)] == [0.5, 1.0]
    shifted = [a.item() for a in accuracies(OBJECTIVES["wasserstein"](), r + 100, f + 100)]
    assert shifted == [a.item() for a in accuracies(OBJECTIVES["wasserstein"](), r, f)], "a critic's score has no zero"
