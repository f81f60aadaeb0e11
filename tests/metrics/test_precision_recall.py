"""Precision and recall against brute force, and where they are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnlab.metrics import checks
from nnlab.metrics.precision_recall import distances, precision_recall, radii


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def brute_force(real: np.ndarray, fake: np.ndarray, k: int) -> dict[str, float]:
    def within(x, centres):
        count = 0
        for point in x:
            for i, centre in enumerate(centres):
                others = np.delete(centres, i, axis=0)
                radius = np.sort(np.linalg.norm(others - centre, axis=1))[k - 1]
                if np.linalg.norm(point - centre) <= radius:
                    count += 1
                    break
        return count / len(x)

    return {"precision": within(fake, real), "recall": within(real, fake)}


@pytest.mark.parametrize("k", [1, 3, 5])
def test_it_is_brute_force(k):
    real, fake = normal(60, 4).double(), 0.8 * normal(45, 4, seed=1).double() + 0.7
    expected = brute_force(real.numpy(), fake.numpy(), k)
    assert all(0.1 < share < 0.9 for share in expected.values()), "no share that everything would give"
    assert precision_recall(real, fake, k) == expected


@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_a_set_is_its_own_manifold(shift):
    x = normal(100, 16) + shift
    assert precision_recall(x, x.flip(0)) == {"precision": 1, "recall": 1}


def test_sets_apart_share_nothing():
    assert precision_recall(normal(100, 8), normal(80, 8, seed=1) + 100) == {"precision": 0, "recall": 0}


def modes(which: list[int], n: int, seed: int) -> torch.Tensor:
    """n points about each of the given corners, far from each other beside their spread."""
    return torch.cat([normal(n, 4, seed=seed + mode) + 100 * torch.eye(4)[mode] for mode in which])


def test_half_of_the_modes_are_precise_and_recall_half():
    figures = precision_recall(modes([0, 1, 2, 3], 200, seed=0), modes([0, 1], 400, seed=10))
    assert figures["precision"] > 0.85
    assert 0.42 < figures["recall"] <= 0.5


def test_twice_the_modes_recall_all_and_half_are_precise():
    figures = precision_recall(modes([0, 1], 400, seed=0), modes([0, 1, 2, 3], 200, seed=10))
    assert 0.42 < figures["precision"] <= 0.5
    assert figures["recall"] > 0.85


@pytest.mark.parametrize("shift", [0.0, 1e3])
def test_copies_of_one_real_example_are_precise_and_recall_it_alone(shift):
    real = normal(50, 12) + shift
    fake = real[7].repeat(20, 1)
    assert precision_recall(real, fake) == {"precision": 1, "recall": 1 / 50}


def test_a_near_miss_of_copies_is_no_recall():
    real = normal(50, 12)
    fake = (real[7] + 1e-3).repeat(20, 1)
    assert precision_recall(real, fake) == {"precision": 1, "recall": 0}


def test_duplicates_are_at_distance_zero_exactly():
    x = 1e3 + normal(100, 64).double()
    between = distances(x, x.flip(0))
    assert (between.flip(1).diagonal() == 0).all()
    assert (between == 0).sum() == 100


def test_a_radius_counts_duplicates_but_not_the_point_itself():
    x = torch.tensor([[0.0], [0.0], [0.0], [1.0], [3.0]]).double()
    assert radii(x, 1).tolist() == [0, 0, 0, 1, 2]
    assert radii(x, 2).tolist() == [0, 0, 0, 1, 3]
    assert radii(x, 3).tolist() == [1, 1, 1, 1, 3]


def test_the_sphere_belongs_to_the_ball():
    real = torch.tensor([[0.0], [1.0]])
    assert precision_recall(real, torch.tensor([[-1.0], [2.0], [2.001]]), k=1)["precision"] == 2 / 3


@pytest.mark.parametrize("block", [1, 200, 2**20])
def test_blocks_change_nothing(block, monkeypatch):
    real, fake = normal(90, 6), normal(70, 6, seed=1) + 1
    whole = precision_recall(real, fake)
    monkeypatch.setattr(checks, "BLOCK", block)
    assert precision_recall(real, fake) == whole


def test_what_has_no_manifold_is_refused():
    with pytest.raises(ValueError, match="k: expected at least 1 neighbour, got 0"):
        precision_recall(normal(9, 2), normal(9, 2), k=0)
    with pytest.raises(ValueError, match="fake: expected 4 or more examples, got 3"):
        precision_recall(normal(9, 2), normal(3, 2))
    with pytest.raises(ValueError, match="real and fake: expected features of one width, got 2 and 3"):
        precision_recall(normal(9, 2), normal(9, 3))
