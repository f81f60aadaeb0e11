"""A sampler's random numbers as inputs: the same numbers give the same samples, and choices keep their odds."""

from __future__ import annotations

import pytest
import torch
from fresh import fresh

from nnlab.export.draws import MOST, CannotDraw, Draw, Draws, recorded, replayed
from nnlab.export.parts import parts_of
from nnlab.nn.mlp import mlp


def nothing(n: int) -> list[torch.Tensor]:
    return []


def three_kinds(n: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    z = torch.randn((n, 4), generator=generator)
    u = torch.rand(n, 2, generator=generator)
    i = torch.randint(7, (n,), generator=generator)
    return torch.cat([z, u, i[:, None]], 1)


def test_the_numbers_of_a_generator_given_again_make_the_same_samples() -> None:
    draws = recorded(three_kinds, nothing)
    assert draws == [Draw("normal", (4,)), Draw("uniform", (2,)), Draw("integer", (), 7)]
    generator = torch.Generator().manual_seed(5)
    numbers = [draw.example(6, generator) for draw in draws]
    assert torch.equal(replayed(three_kinds, (), numbers), three_kinds(6))


def test_numbers_that_a_sampler_changes_in_place_stay_as_they_were_given() -> None:
    def sample(n: int) -> torch.Tensor:
        return torch.rand((n, 3)).mul_(2).sub_(1)

    u = torch.rand(4, 3)
    before = u.clone()
    assert torch.equal(replayed(sample, (), [u]), 2 * before - 1)
    assert torch.equal(u, before)


@pytest.mark.parametrize("rows", [False, True])
def test_a_choice_by_a_uniform_number_has_the_odds_of_the_probabilities(rows: bool) -> None:
    p, n = torch.tensor([0.0, 3.0, 0.0, 1.0, 4.0]), 80_000

    def choose(n: int) -> torch.Tensor:
        if rows:
            return torch.multinomial(p.expand(n, -1), 1).squeeze(1)
        return torch.multinomial(p, n, replacement=True)

    u = (torch.arange(n) + 0.5) / n  # each share of the unit interval once
    shares = replayed(choose, (), [u]).bincount(minlength=5) / n
    assert torch.allclose(shares, p / p.sum(), atol=1e-4)


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        (lambda n: torch.randperm(n), "randperm"),
        (lambda n: torch.rand(2, n), "one set for each example"),
        (lambda n: [torch.rand(n) for _ in range(MOST + 1)], f"more than {MOST} times"),
        (lambda n: torch.rand((n, n)), "for another number of examples"),
        (lambda n: torch.zeros(n), "no random numbers"),
        (lambda n: torch.multinomial(torch.ones(9), n), "without replacement"),
        (lambda n: torch.empty(n).normal_(), "normal_"),
    ],
)
def test_what_cannot_become_an_input_says_why(sample, reason: str) -> None:
    with pytest.raises(CannotDraw, match=reason):
        recorded(sample, nothing)


def test_nothing_of_torch_is_changed_afterwards() -> None:
    net, x = torch.nn.Sequential(*mlp([3, 4, 2], "silu")), torch.rand(5, 3)
    with pytest.raises(CannotDraw), Draws(lambda draw, n: torch.zeros(n)):
        torch.randperm(3)
    assert torch.rand(3).unique().numel() == 3
    assert len(net(x)) == 5


@pytest.mark.parametrize("model", ["cgan", "infogan", "lapgan", "gmm", "bernoulli_mixture", "stackgan"])
def test_the_generator_of_a_model_is_its_sampler(model: str) -> None:
    """With the same numbers; where it chooses by odds, torch's own choice comes from other numbers, so only means are equal."""
    net = fresh(model)
    part = parts_of(net)[0]["generator"]
    given = [name for name in (value.name for value, _ in part.inputs) if not name.startswith("noise")]
    n = 3000 if model in ("gmm", "bernoulli_mixture") else 6
    inputs = part.examples(n, seed=1)
    conditions = inputs[: len(given)]
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        if given == ["label"]:
            expected = net.sample_class(*conditions, generator)
        elif given:
            expected = net.sample_given(dict(zip(given, conditions, strict=True)), generator)
        else:
            expected = net.sample(n, generator)
        generator.manual_seed(2)
        noises = [make(n, generator) for value, make in part.inputs if value.name not in given]
        found = part.function(*conditions, *noises)
    if n == 6:
        assert torch.equal(found, expected)
    else:
        assert torch.allclose(found.mean(0), expected.mean(0), atol=0.05)
        assert torch.allclose(found.std(0), expected.std(0), atol=0.05)
