from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import built
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

from nnlab.errors import BadInput


def trained(*options: str):
    experiment = built("model=generative_classifier", *options)
    experiment.initialize()
    trainer = experiment.trainer
    trainer.train(0, 10 * trainer.steps_per_epoch, lambda: False)
    return experiment


def test_one_full_gaussian_a_class_is_quadratic_discriminant_analysis() -> None:
    options = ["model.components=1", "model.covariance=full", "model.regularisation=0", "data.validation=0"]
    experiment = trained("data=iris", *options)
    train, test = experiment.data.train, experiment.data.test
    x, y = train.values(train.rows).double().numpy(), train.labels(train.rows).numpy()
    peer = QuadraticDiscriminantAnalysis().fit(x, y)
    for c, mixture in enumerate(experiment.model.mixtures):
        np.testing.assert_allclose(mixture.covariances[0], np.cov(x[y == c].T, bias=True), atol=1e-6)
    chances = experiment.model.classify(test.values(test.rows))
    assert (chances.argmax(1).numpy() == peer.predict(test.values(test.rows).double().numpy())).mean() >= 0.95


def test_it_is_measured_beside_logistic_regression() -> None:
    figures = trained("data=digits", "model.covariance=full").trainer.evaluate("test")
    assert figures["accuracy"] > 0.95
    assert 0.85 < figures["logistic_accuracy"] < 1


def test_its_samples_are_of_the_classes() -> None:
    experiment = trained("data=blobs")
    x = experiment.model.sample(400, torch.Generator().manual_seed(0))
    assert experiment.model.classify(x).amax(1).mean() > 0.9


def test_an_empty_class_is_named() -> None:
    np.savez("gap.npz", x_train=np.random.default_rng(0).normal(size=(40, 2)), y_train=np.arange(40) % 2)
    experiment = built("model=generative_classifier", "data=npz", "data.root=.", "data.file=gap.npz")
    split = experiment.data.train
    split.sources["label"].x[split.sources["label"].x == 1] = 0
    with pytest.raises(BadInput, match="no training example of class 1"):
        experiment.model.init_from_data(split)


def test_data_without_labels_are_refused() -> None:
    with pytest.raises(BadInput, match="has no labels"):
        built("model=generative_classifier", "data=colours")
