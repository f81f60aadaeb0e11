"""What a judge says of the classes of samples, by a judge that is never wrong."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nnlab.data.feed import BatchBuilder
from nnlab.data.spec import DataSpec
from nnlab.data.split import Split
from nnlab.evaluators.judge import Judge
from nnlab.model import Model

CLASSES = 4
SPEC = DataSpec("own", "table", (CLASSES,), ("a", "b", "c", "d"), bounded=False)
COUNTS = torch.tensor([40, 30, 20, 10])


class Oracle(Model):
    """An example is of the class of its largest value."""

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def decide(self, features: torch.Tensor) -> torch.Tensor:
        return (1e3 * features).softmax(1)

    def classify(self, x: torch.Tensor) -> torch.Tensor:
        return self.decide(x)


def of(label: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return nn.functional.one_hot(label, CLASSES) + 0.1 * torch.rand(len(label), CLASSES, generator=generator)


class Sampler(Model):
    """Draws classes by the given shares."""

    def __init__(self, shares: list[float]) -> None:
        super().__init__(SPEC)
        self.shares = torch.tensor(shares)

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        counts = (n * self.shares).round().long()
        return of(torch.arange(CLASSES).repeat_interleave(counts), generator)


class Obedient(Sampler):
    """Draws what is asked for, but one of the classes as another."""

    def __init__(self, wrong: int | None) -> None:
        super().__init__([0.25] * CLASSES)
        self.wrong, self.asked = wrong, []

    def sample_class(self, label: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        self.asked.append(label)
        return of(label if self.wrong is None else torch.where(label == self.wrong, 0, label), generator)


def judged(model: Model, counts: torch.Tensor = COUNTS) -> dict[str, float]:
    label = torch.arange(CLASSES).repeat_interleave(counts)
    x = of(label, torch.Generator().manual_seed(1))
    split = Split.of(x, label, torch.arange(len(x)), 1.0)
    feed = BatchBuilder(split)
    return Judge(Oracle(SPEC), SPEC, "oracle").figures(model, feed, feed.split.rows, torch.Generator().manual_seed(0))


def test_the_least_share_is_of_the_class_that_is_drawn_least() -> None:
    assert judged(Sampler([0.4, 0.35, 0.2, 0.05]))["min_class_share"] == pytest.approx(0.05)
    assert judged(Sampler([0.5, 0.5, 0, 0]))["min_class_share"] == 0


def test_a_class_that_the_data_lack_is_not_missed() -> None:
    figures = judged(Sampler([0.5, 0.3, 0.2, 0]), counts=torch.tensor([50, 30, 20, 0]))
    assert figures["min_class_share"] == pytest.approx(0.2)


def test_a_model_that_draws_by_class_is_asked_for_the_splits_classes() -> None:
    model = Obedient(wrong=None)
    figures = judged(model)
    assert torch.equal(torch.bincount(torch.cat(model.asked)), COUNTS)
    assert figures["conditional_accuracy"] == 1
    assert figures["min_class_share"] == pytest.approx(0.1)
    assert figures["class_divergence"] == pytest.approx(0, abs=1e-9)


def test_a_class_that_is_drawn_as_another_is_counted_by_its_share() -> None:
    figures = judged(Obedient(wrong=2))
    assert figures["conditional_accuracy"] == pytest.approx(0.8)
    assert figures["min_class_share"] == 0


def test_who_is_not_asked_is_not_judged_by_it() -> None:
    assert "conditional_accuracy" not in judged(Sampler([0.25] * 4))
