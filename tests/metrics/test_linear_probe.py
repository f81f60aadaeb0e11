"""The linear probe: who is drawn, how features are scaled, and what is found in them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnlab.data.feed import BatchBuilder
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.metrics.probe import Features, accuracy, draw, features, results_of, scaling_of


def drawn(labels: torch.Tensor, n: int, seed: int = 0) -> torch.Tensor:
    return draw(labels, n, torch.Generator().manual_seed(seed))


def feed(x: torch.Tensor, dynamic_binarization: bool = False) -> BatchBuilder:
    return BatchBuilder(Split.of(x, None, torch.arange(len(x)), 1, dynamic_binarization))


@pytest.mark.parametrize("n", [3, 10, 100, 299])
def test_a_draw_is_balanced_and_holds_nothing_twice(n: int) -> None:
    labels = torch.randint(3, (1000,), generator=torch.Generator().manual_seed(1))
    places = drawn(labels, n)
    counts = torch.bincount(labels[places], minlength=3)
    assert counts.max() - counts.min() <= 1
    assert len(places.unique()) == n


def test_where_a_class_is_used_up_the_others_fill_its_place() -> None:
    labels = torch.tensor([0] * 2 + [1] * 50 + [2] * 50)
    assert torch.bincount(labels[drawn(labels, 30)]).tolist() == [2, 14, 14]
    assert drawn(labels, 102).tolist() == list(range(102))
    with pytest.raises(ValueError, match="expected 1 … 102, got 103"):
        drawn(labels, 103)


def test_draws_of_a_seed_are_nested_and_those_of_two_seeds_differ() -> None:
    labels = torch.arange(1000) % 10
    few, many = set(drawn(labels, 20).tolist()), set(drawn(labels, 200).tolist())
    assert few < many
    assert few != set(drawn(labels, 20, seed=1).tolist())


def test_features_are_scaled_by_the_whole_split_whatever_is_kept() -> None:
    x = 5 + torch.tensor([1.0, 3.0, 0.0]) * torch.randn(3000, 3, generator=torch.Generator().manual_seed(0))
    wanted = torch.zeros(3000, dtype=torch.bool)
    wanted[[7, 2500]] = True
    found = features({"raw": lambda batch: batch}, feed(x), wanted)["raw"]
    assert np.array_equal(found.values, x[wanted].numpy())
    scaled = found.scaling(x.numpy())
    assert np.abs(scaled.mean(0)).max() < 1e-4
    assert scaled.var(0).mean() == pytest.approx(1, rel=1e-4)
    assert scaled[:, 1].std() == pytest.approx(3 * scaled[:, 0].std(), rel=0.1), "one factor for all"
    assert (scaled[:, 2] == 0).all()


def test_every_encoder_is_given_the_same_bits() -> None:
    x = torch.full((50, 8), 0.5)
    wanted = torch.ones(50, dtype=torch.bool)
    found = features({"a": lambda batch: batch, "b": lambda batch: 2 * batch}, feed(x, dynamic_binarization=True), wanted)
    assert np.array_equal(2 * found["a"].values, found["b"].values)
    assert 0.3 < found["a"].values.mean() < 0.7


def test_a_feature_that_is_not_finite_is_named() -> None:
    x = torch.ones(5, 2)
    x[3, 1] = torch.inf
    with pytest.raises(BadInput, match=r"^codes: the features of example 3 are not finite"):
        features({"codes": lambda batch: batch}, feed(x), torch.ones(5, dtype=torch.bool))


def test_classes_apart_are_found_entirely_and_noise_by_chance() -> None:
    rng = np.random.default_rng(0)
    labels, truth = np.arange(60) % 3, np.arange(3000) % 3
    centres = 6 * np.eye(3, 4)
    apart = [(centres[y] + 0.5 * rng.standard_normal((len(y), 4))).astype(np.float32) for y in (labels, truth)]
    assert accuracy(apart[0], labels, apart[1], truth) == (1.0, True)
    noise = [rng.standard_normal((len(y), 4)).astype(np.float32) for y in (labels, truth)]
    assert accuracy(noise[0], labels, noise[1], truth)[0] == pytest.approx(1 / 3, abs=0.04)


def test_a_fit_that_does_not_converge_is_told_and_not_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnlab.metrics.probe.MOST_STEPS", 1)
    x = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)
    assert accuracy(x, np.arange(40) % 2, x, np.arange(40) % 2)[1] is False


def test_the_unit_of_the_features_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    labels, truth = np.arange(40) % 4, np.arange(800) % 4
    x, test = (rng.standard_normal((len(y), 6)).astype(np.float32) + np.eye(4, 6)[y] for y in (labels, truth))
    draws = {40: [np.arange(40)]}

    def right(unit: float) -> float:
        own = Features(unit * x, scaling_of(unit * x))
        return results_of(own, labels, unit * test, truth, draws)[40].mean

    assert right(1000.0) == pytest.approx(right(1.0), abs=0.005)
