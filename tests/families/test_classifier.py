"""Classifiers: their loss, their figures and their pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import built
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss

from nnlab.errors import BadInput
from nnlab.metrics.calibration import reliability
from nnlab.plotting import charts

SMALL = ["model=fcnn", "model.hidden=[16]", "trainer.precision=float32", "trainer.epochs=3"]


@pytest.fixture
def trained():
    experiment = built(*SMALL)
    experiment.initialize()
    experiment.trainer.train(0, experiment.trainer.total_steps, lambda: False)
    return experiment


def test_loss_and_accuracy_are_those_of_scikit_learn(trained) -> None:
    split = trained.data.validation
    model = trained.model.eval()
    with torch.inference_mode():
        chances = model.classify(split.values(split.rows)).double().numpy()
    label = split.labels(split.rows).numpy()
    figures = trained.trainer.evaluate("validation")
    chances /= chances.sum(1, keepdims=True)  # float32 sums are 1 but for rounding
    assert figures["loss"] == pytest.approx(log_loss(label, chances, labels=range(10)), rel=1e-5)
    assert figures["accuracy"] == accuracy_score(label, chances.argmax(1))


def test_the_figures_of_evaluation_leave_nothing_out(trained) -> None:
    """Dropout is of training alone: two evaluations agree, two training batches do not."""
    assert trained.trainer.evaluate("validation") == trained.trainer.evaluate("validation")
    model = trained.model.train()
    x = trained.data.train.values(trained.data.train.rows[:50])
    assert not torch.equal(model.logits(x), model.logits(x))


def test_the_confusion_matrix_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    label, predicted = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    ours = charts.confusion_matrix(torch.from_numpy(predicted), torch.from_numpy(label), 5)
    assert np.array_equal(ours, confusion_matrix(label, predicted, labels=range(5)))


@pytest.mark.parametrize("classes", [2, 10, 40])
def test_a_confusion_chart_shows_any_number_of_classes(classes: int) -> None:
    label = torch.arange(classes).repeat(5)
    right = charts.confusion_chart(label, label, tuple(f"a class of a long name {i}" for i in range(classes)))
    wrong = charts.confusion_chart(label.roll(1), label, tuple(f"a class of a long name {i}" for i in range(classes)))
    assert right.dtype == np.uint8
    assert right.shape[2] == 3
    assert not np.array_equal(right, wrong)


def test_a_reliability_chart_has_no_point_where_there_is_no_example() -> None:
    sure = torch.tensor([[0.99, 0.01]]).repeat(10, 1)
    picture = charts.reliability_chart(reliability(sure, torch.zeros(10, dtype=torch.long)))
    blue = (picture[..., 2].astype(int) - picture[..., 0] > 60).any(0)
    assert blue[-120:].any()
    assert not blue[: len(blue) // 2].any()


def test_pictures_are_those_of_the_data(trained) -> None:
    assert {"confusion", "reliability", "filters"} == trained.trainer.images().keys()
    assert {"confusion", "reliability", "decision_regions"} == built(*SMALL, "data=moons").trainer.images().keys()
    assert {"confusion", "reliability"} == built(*SMALL, "data=iris").trainer.images().keys()


def test_filters_are_images() -> None:
    assert built("model=fcnn", "model.hidden=[16]").model.filters.shape == (16, 1, 8, 8)
    assert built("model=cnn", "model.channels=[4,8]").model.filters.shape == (4, 1, 3, 3)


def test_data_without_labels_are_refused() -> None:
    np.savez("own.npz", x_train=np.random.default_rng(0).random((50, 8, 8)))
    with pytest.raises(BadInput, match="a classifier learns from classes, but own has no labels"):
        built("model=fcnn", "data=npz", "data.root=.", "data.file=own.npz")


def test_a_test_set_without_labels_is_refused_before_training() -> None:
    rng = np.random.default_rng(0)
    np.savez("own.npz", x_train=rng.random((50, 8, 8)), y_train=np.arange(50) % 2, x_test=rng.random((9, 8, 8)))
    with pytest.raises(BadInput, match="the test examples of own have no labels, which its metrics need"):
        built("model=fcnn", "data=npz", "data.root=.", "data.file=own.npz")
