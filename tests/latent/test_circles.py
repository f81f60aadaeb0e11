"""Great circles, and closed walks along them."""

from __future__ import annotations

import math

import pytest
import torch

from nnlab.latent.interpolation import about, around, between
from nnlab.latent.walk import closed_walk, waypoints
from nnlab.model import Latent

SHARES = torch.linspace(0, 1, 9)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_great_circle_keeps_the_length_and_turns_evenly_in_one_plane() -> None:
    start, end = (torch.nn.functional.normalize(x) * 3 for x in (drawn(20, 5), drawn(40, 5)[20:]))
    places = around(start, end, SHARES.double())
    assert torch.allclose(places.norm(dim=2), torch.full((20, 9), 3.0).double())
    turns = (places[:, :-1] * places[:, 1:]).sum(2).div(9).acos()
    assert torch.allclose(turns, turns[:, :1].expand_as(turns))
    assert (torch.linalg.svdvals(places)[:, 2] < 1e-9).all()
    assert torch.allclose(places[:, 0], start)
    assert torch.allclose(places[:, -1], end)


def test_a_quarter_of_a_circle_is_sine_and_cosine() -> None:
    places = around(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), SHARES)[0]
    angles = SHARES * math.pi / 2
    assert torch.allclose(places, torch.stack([angles.cos(), angles.sin()], 1), atol=1e-6)


@pytest.mark.parametrize("end", [[2.0, 2.0], [1.0, 1.0], [-1.0, -1.0], [0.0, 0.0]], ids=["longer", "same", "opposite", "zero"])
def test_where_there_is_no_circle_the_way_is_straight(end: list[float]) -> None:
    start, end = torch.tensor([[1.0, 1.0]]), torch.tensor([end])
    assert torch.allclose(around(start, end, SHARES), between(start, end, SHARES))


def test_the_circle_is_about_the_middle_in_standard_deviations() -> None:
    latent = Latent(torch.tensor([5.0, -3, 1]), torch.tensor([2.0, 0.5, 0]))
    start, end = torch.tensor([[7.0, -3, 1]]), torch.tensor([[5.0, -2.5, 1]])
    places = about(latent)(start, end, SHARES)[0]
    assert torch.allclose(((places - latent.mean)[:, :2] / latent.std[:2]).norm(dim=1), torch.ones(9), atol=1e-6)
    assert (places[:, 2] == 1).all()


def test_a_closed_walk_meets_each_stop_once_and_has_no_jump() -> None:
    codes, latent = drawn(4, 6), Latent(torch.zeros(6), torch.ones(6))
    walk = closed_walk(codes, latent, 10)
    assert torch.allclose(walk[::10], codes)
    strides = (walk - walk.roll(-1, 0)).norm(dim=1)
    assert len(walk) == 40
    assert strides.max() < 0.5 * (codes - codes.roll(-1, 0)).norm(dim=1).max()


def test_stops_are_spread_as_the_codes_are() -> None:
    latent = Latent(torch.tensor([5.0, -3]), torch.tensor([2.0, 0.5]))
    codes = waypoints(object(), latent, 20000, torch.Generator().manual_seed(0))
    assert torch.allclose(codes.mean(0), latent.mean, atol=0.06)
    assert torch.allclose(codes.std(0), latent.std, rtol=0.03)


def test_a_model_without_a_prior_on_its_coordinates_walks_through_examples_that_it_draws() -> None:
    class Draws:
        def sample(self, n, generator=None):
            return torch.full((n, 1, 2, 2), 7.0)

        def encode(self, x):
            return x.flatten(1)

    latent = Latent(torch.zeros(4), torch.ones(4))
    assert (waypoints(Draws(), latent, 3, torch.Generator()) == 7).all()
    latent.kl = torch.ones(4)
    assert not (waypoints(Draws(), latent, 3, torch.Generator()) == 7).any()
