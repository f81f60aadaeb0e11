from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from conftest import built

from nnlab.errors import BadInput


def test_the_bound_never_falls() -> None:
    experiment = built("model=bernoulli_mixture", "data.binarize=threshold", "model.tolerance=0", "model.init=random")
    experiment.initialize()
    trainer, values = experiment.trainer, []
    for step in range(0, 40 * trainer.steps_per_epoch, trainer.steps_per_epoch):
        trainer.train(step, trainer.steps_per_epoch, lambda: False)
        trainer.meter.look()
        values.append(trainer.meter.epoch.take()["bound"])
    assert all(b >= a - 1e-5 for a, b in itertools.pairwise(values))
    assert values[-1] > values[0] + 1


def test_an_e_and_an_m_step_by_hand() -> None:
    experiment = built("model=bernoulli_mixture", "model.components=3", "data.binarize=threshold", "data.validation=0")
    experiment.initialize()
    model, trainer, train = experiment.model, experiment.trainer, experiment.data.train
    x = train.values(train.rows).flatten(1).double().numpy()
    m, w = model.rates.numpy().copy(), model.weights.numpy().copy()
    joint = np.stack([np.log(w[k]) + (x * np.log(m[k]) + (1 - x) * np.log(1 - m[k])).sum(1) for k in range(3)], 1)
    log_p = np.logaddexp.reduce(joint, axis=1)
    r = np.exp(joint - log_p[:, None])
    np.testing.assert_allclose(model.log_likelihood(train.values(train.rows)), log_p, rtol=1e-5)
    trainer.train(0, trainer.steps_per_epoch, lambda: False)
    np.testing.assert_allclose(model.weights, r.mean(0), atol=1e-5)
    np.testing.assert_allclose(model.rates, (r.T @ x + 0.1) / (r.sum(0)[:, None] + 0.2), atol=1e-5)


def test_two_probabilities_of_an_image_and_its_negative_add_up() -> None:
    """Over all images of two pixels the likelihood sums to 1."""
    images = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 30, np.uint8).reshape(-1, 1, 2, 1)
    np.savez("two.npz", x_train=images * 255)
    experiment = built("model=bernoulli_mixture", "data=npz", "data.root=.", "data.file=two.npz", "model.components=2")
    experiment.initialize()
    every = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]).float().view(4, 1, 1, 2)
    assert experiment.model.log_likelihood(every).exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_a_table_of_any_numbers_is_refused() -> None:
    with pytest.raises(BadInput, match=r"values within \[0, 1\], but Iris is a table"):
        built("model=bernoulli_mixture", "data=iris")
