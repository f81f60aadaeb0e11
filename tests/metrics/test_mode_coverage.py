"""Classes held by generated examples, where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import recall_score

from nnlab.metrics.mode_coverage import class_agreement, class_divergence, class_recalls, class_shares, mode_coverage


def of_classes(counts: list[int]) -> torch.Tensor:
    """Probabilities of so many examples of each class, none of them certain."""
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return (3 * torch.nn.functional.one_hot(labels, len(counts)).float()).softmax(1)


def test_shares_are_of_the_most_probable_class():
    assert class_shares(of_classes([1, 0, 3])).tolist() == [0.25, 0, 0.75]


def test_even_classes_are_all_covered_at_no_divergence():
    assert mode_coverage(of_classes([20] * 10)) == 10
    assert class_divergence(of_classes([20] * 10)) == pytest.approx(0, abs=1e-12)


def test_one_class_alone_diverges_by_the_log_of_their_number():
    assert mode_coverage(of_classes([0, 50, 0, 0])) == 1
    assert class_divergence(of_classes([0, 50, 0, 0])) == pytest.approx(math.log(4))


def test_half_of_the_classes_evenly_diverge_by_log_2():
    assert mode_coverage(of_classes([25, 25, 0, 0])) == 2
    assert class_divergence(of_classes([25, 25, 0, 0])) == pytest.approx(math.log(2))


@pytest.mark.parametrize(("held", "covered"), [(9, 9), (10, 10), (11, 10)])
def test_a_tenth_of_the_references_share_is_enough(held, covered):
    assert mode_coverage(of_classes([100] * 8 + [200 - held, held])) == covered


@pytest.mark.parametrize("counts", [[3, 97], [7, 93], [29, 71]])
def test_a_share_of_exactly_the_least_counts(counts):
    assert mode_coverage(of_classes(counts), least=2 * counts[0] / 100) == 2


def test_coverage_does_not_grow_with_the_number_of_examples():
    assert mode_coverage(of_classes([990, 10])) == mode_coverage(of_classes([99_000, 1000])) == 1


def test_a_reference_may_be_uneven_and_in_counts():
    reference = torch.tensor([900, 90, 10])
    probabilities = of_classes([900, 90, 10])
    assert mode_coverage(probabilities, reference) == 3
    assert mode_coverage(probabilities) == 2
    assert class_divergence(probabilities, reference) == pytest.approx(0, abs=1e-12)
    assert class_divergence(probabilities, reference / 1000) == pytest.approx(0, abs=1e-6)


def test_divergence_is_torchs():
    counts, reference = torch.tensor([5, 20, 75]), torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    expected = torch.nn.functional.kl_div(reference.log(), counts.double() / 100, reduction="sum").item()
    assert class_divergence(of_classes(counts.tolist()), reference) == pytest.approx(expected)


def test_divergence_of_fair_draws_is_as_large_as_stated():
    generator = torch.Generator().manual_seed(0)
    classes, n = 10, 500
    draws = [torch.randint(classes, (n,), generator=generator) for _ in range(300)]
    found = torch.tensor([class_divergence(torch.eye(classes)[labels]) for labels in draws])
    assert abs(found.mean() - (classes - 1) / (2 * n)) < 4 * found.std() / 300**0.5


def test_a_class_that_the_reference_lacks_is_not_covered_and_infinitely_far():
    reference = torch.tensor([0.5, 0.5, 0.0])
    assert mode_coverage(of_classes([5, 5, 5]), reference) == 2
    assert mode_coverage(of_classes([5, 5, 0]), reference) == 2
    assert class_divergence(of_classes([5, 5, 5]), reference) == math.inf
    assert class_divergence(of_classes([5, 5, 0]), reference) == pytest.approx(0, abs=1e-12)


def test_agreement_is_the_share_that_keeps_its_class():
    probabilities = of_classes([2, 1, 1])
    assert class_agreement(probabilities, torch.tensor([0, 1, 1, 0])) == 0.5
    assert class_agreement(probabilities, torch.tensor([0, 0, 1, 2])) == 1
    assert class_agreement(probabilities, torch.tensor([1, 1, 2, 0])) == 0


def test_what_is_no_classification_is_refused():
    with pytest.raises(ValueError, match=r"class probabilities \(N, C\) of at least one example, got \(0, 3\)"):
        class_shares(torch.zeros(0, 3))
    with pytest.raises(ValueError, match="finite class probabilities"):
        mode_coverage(torch.tensor([[0.5, torch.nan]]))
    with pytest.raises(ValueError, match=r"labels: expected \(4,\), one per example, got \(3,\)"):
        class_agreement(of_classes([2, 2]), torch.zeros(3))


@pytest.mark.parametrize("least", [0.0, 1.5, math.nan])
def test_a_least_share_outside_0_and_1_is_refused(least):
    with pytest.raises(ValueError, match=r"least: expected a share in \(0, 1\]"):
        mode_coverage(of_classes([2, 2]), least=least)


@pytest.mark.parametrize("reference", [[0.5, 0.25, 0.25], [1.5, -0.5], [0.0, 0.0], [math.nan, 1.0]], ids=str)
def test_what_is_no_reference_is_refused(reference):
    with pytest.raises(ValueError, match="reference: expected"):
        class_divergence(of_classes([2, 2]), torch.tensor(reference))


def test_the_recall_of_each_class_is_of_its_own_examples() -> None:
    """As scikit-learn counts it; a class without examples has none."""
    draw = np.random.default_rng(0)
    scores, labels = torch.from_numpy(draw.random((200, 5))), torch.from_numpy(draw.choice([0, 1, 3, 4], 200))
    found = class_recalls(scores / scores.sum(1, keepdim=True), labels)
    assert np.allclose(found, recall_score(labels, scores.argmax(1), average=None, labels=[0, 1, 3, 4]))
    with pytest.raises(ValueError, match=r"labels: expected \(200,\)"):
        class_recalls(scores, labels[:7])
