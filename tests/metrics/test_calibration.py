"""Calibration against its definition, and where the error is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnlab.metrics.calibration import expected_calibration_error, reliability


def binary(confidence: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities (N, 2) of class 0 with the given confidence, over a half, and labels that make it right or wrong."""
    return torch.stack([confidence, 1 - confidence], 1), (~right).long()


def drawn(n: int, classes: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Random distributions, and labels drawn from them: a perfectly calibrated classifier."""
    generator = torch.Generator().manual_seed(seed)
    probabilities = (2 * torch.randn(n, classes, generator=generator, dtype=torch.float64)).softmax(1)
    return probabilities, torch.multinomial(probabilities, 1, generator=generator)[:, 0]


def by_definition(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    error = 0.0
    for b in range(bins):
        inside = (confidence > b / bins) & (confidence <= (b + 1) / bins)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


@pytest.mark.parametrize("bins", [1, 2, 15, 100])
def test_it_is_its_definition(bins):
    probabilities, labels = drawn(500, 5)
    labels[::3] = 0  # no longer calibrated
    expected = by_definition(probabilities.numpy(), labels.numpy(), bins)
    assert expected > 0.02
    assert expected_calibration_error(probabilities, labels, bins) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("n", [200, 5000])
def test_a_calibrated_classifier_stays_below_the_stated_bias(n):
    found = torch.tensor([expected_calibration_error(*drawn(n, 4, seed)) for seed in range(40)])
    assert 0 < found.mean() < 0.5 * (15 / n) ** 0.5


def test_constant_overconfidence_is_its_gap():
    right = torch.arange(100) < 60
    assert expected_calibration_error(*binary(torch.full((100,), 0.9), right)) == pytest.approx(0.3, abs=1e-7)


def test_underconfidence_counts_as_much():
    assert expected_calibration_error(*binary(torch.full((10,), 0.6), torch.ones(10).bool())) == pytest.approx(0.4, abs=1e-7)


def test_bins_weigh_as_many_examples_as_they_hold():
    confidence = torch.tensor([0.6] * 30 + [0.9] * 10)  # gaps 0.4 and 0.1, of opposite sign
    right = torch.tensor([True] * 30 + [True] * 8 + [False] * 2)
    assert expected_calibration_error(*binary(confidence, right)) == pytest.approx(0.75 * 0.4 + 0.25 * 0.1, abs=1e-7)


def test_gaps_of_opposite_sign_cancel_within_a_bin_alone():
    confidence, right = torch.tensor([0.6, 0.9]), torch.tensor([True, False])
    assert expected_calibration_error(*binary(confidence, right), bins=1) == pytest.approx(0.25, abs=1e-7)
    assert expected_calibration_error(*binary(confidence, right), bins=15) == pytest.approx(0.65, abs=1e-7)


def test_certain_and_right_is_no_error_certain_and_wrong_is_one():
    certain = torch.eye(3)
    assert expected_calibration_error(certain, torch.tensor([0, 1, 2])) == 0
    assert expected_calibration_error(certain, torch.tensor([1, 2, 0])) == 1


def test_the_diagram_holds_every_example_once_and_empty_bins_as_nan():
    probabilities, labels = drawn(300, 2)
    confidence, accuracy, count = reliability(probabilities, labels, bins=10)
    assert count.sum() == 300
    assert count[:4].sum() == 0, "of two classes the likelier has at least a half"
    assert confidence.isnan().equal(count == 0)
    assert accuracy.isnan().equal(count == 0)
    filled = torch.where(count > 0)[0]
    assert ((confidence[filled] > filled / 10) & (confidence[filled] <= (filled + 1) / 10)).all()
    assert (accuracy * count).nansum().item() == pytest.approx((probabilities.argmax(1) == labels).sum().item())


def test_an_edge_belongs_to_the_bin_below_it():
    probabilities = torch.tensor([[0.5, 0.5], [0.75, 0.25], [1.0, 0.0]])
    assert reliability(probabilities, torch.zeros(3).long(), bins=4).count.tolist() == [0, 1, 1, 1]


def test_half_precision_is_accepted():
    probabilities, labels = drawn(400, 10)
    exact = expected_calibration_error(probabilities, labels)
    assert expected_calibration_error(probabilities.bfloat16(), labels) == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("logits", [[[2.0, 1.0]], [[1.5, -0.5]]], ids=["no sum of 1", "negative"])
def test_logits_are_refused(logits):
    with pytest.raises(ValueError, match="give softmax"):
        expected_calibration_error(torch.tensor(logits), torch.tensor([0]))


@pytest.mark.parametrize("labels", [[0, 2], [-1, 0]], ids=str)
def test_labels_beyond_the_classes_are_refused(labels):
    with pytest.raises(ValueError, match=f"labels: expected 0 … 1, got {min(labels)} … {max(labels)}"):
        reliability(torch.full((2, 2), 0.5), torch.tensor(labels))


def test_what_has_no_diagram_is_refused():
    with pytest.raises(ValueError, match="bins: expected at least 1, got 0"):
        reliability(torch.eye(2), torch.tensor([0, 1]), bins=0)
    with pytest.raises(ValueError, match=r"labels: expected \(2,\), one per example, got \(2, 2\)"):
        reliability(torch.eye(2), torch.eye(2))
    with pytest.raises(ValueError, match="at least one example"):
        expected_calibration_error(torch.zeros(0, 2), torch.zeros(0))
