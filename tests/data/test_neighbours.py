"""Batches of near examples."""

from __future__ import annotations

import pytest
import torch

from nnlab.data.neighbours import near_order


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("n", "size"), [(1, 4), (3, 4), (4, 4), (5, 4), (63, 4), (64, 4), (1000, 7), (12, 1)])
def test_each_vector_has_one_place(n: int, size: int) -> None:
    order = near_order(torch.randn(n, 3, generator=seeded()), size, seeded(1))
    assert order.sort().values.equal(torch.arange(n))


def test_equal_vectors_are_no_obstacle() -> None:
    assert near_order(torch.ones(50, 2), 8, seeded()).sort().values.equal(torch.arange(50))


@pytest.mark.parametrize("seed", range(5))
def test_groups_far_from_each_other_are_found(seed: int) -> None:
    """32 clusters of 8 points: in each group of 8 there is one cluster, and the groups come in another order each time."""
    cluster = torch.arange(32).repeat(8)
    vectors = 10 * torch.randn(32, 16, generator=seeded(seed))[cluster] + 0.01 * torch.randn(256, 16, generator=seeded(seed))
    found = cluster[near_order(vectors, 8, seeded(seed))].view(32, 8)
    assert (found == found[:, :1]).all(1).float().mean() >= 0.6, "of groups drawn at random none"
    assert not found[:, 0].equal(cluster[near_order(vectors, 8, seeded(seed + 1))].view(32, 8)[:, 0])
    assert (found[:, 0].diff() > 0).float().mean() < 0.8, "not sorted along a line"


def test_equal_seeds_give_equal_orders() -> None:
    vectors = torch.randn(100, 3, generator=seeded())
    assert near_order(vectors, 8, seeded(2)).equal(near_order(vectors, 8, seeded(2)))
    assert not near_order(vectors, 8, seeded(2)).equal(near_order(vectors, 8, seeded(3)))
