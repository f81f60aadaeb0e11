from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import built
from sklearn.decomposition import PCA as Peer


def solved(*overrides: str):
    experiment = built("model=pca", *overrides)
    trainer = experiment.trainer
    experiment.model.start(experiment.data.train)
    trainer.train(0, trainer.total_steps, lambda: False)
    assert trainer.meter.look() is None
    return experiment


@pytest.mark.parametrize("batch", [7, 1000])
def test_components_and_variances_are_scikit_learns_up_to_sign(batch: int) -> None:
    experiment = solved("model.latent_dim=10", f"trainer.batch_size={batch}")
    train = experiment.data.train
    x = train.values(train.rows).flatten(1).double().numpy()
    peer = Peer(10).fit(x)
    dots = (experiment.model.components.double().numpy() * peer.components_).sum(1)
    np.testing.assert_allclose(np.abs(dots), 1, atol=1e-5)
    np.testing.assert_allclose(experiment.model.variances, peer.explained_variance_ * (len(x) - 1) / len(x), rtol=1e-5)


def test_the_training_error_is_what_the_other_components_carry() -> None:
    experiment = solved("model.latent_dim=10", "data.validation=0")
    model = experiment.model
    left = (model.total_variance - model.variances.sum()).item()
    assert experiment.trainer.evaluate("train")["loss"] == pytest.approx(left, rel=1e-5)


def test_a_small_spread_far_from_zero_keeps_its_digits(own_folder) -> None:
    x = np.random.default_rng(0).normal(1000, 0.01, (4000, 3)).astype(np.float32)
    np.savez("far.npz", x_train=x)
    table = ["data=npz", "data.root=.", "data.file=far.npz", "data.validation=0", "data.test=0.1"]
    experiment = solved("model.latent_dim=3", *table)
    train = experiment.data.train
    exact = np.linalg.eigvalsh(np.cov(train.values(train.rows).double().numpy().T, bias=True))[::-1]
    np.testing.assert_allclose(experiment.model.variances, exact, rtol=1e-4)


def test_all_components_lose_nothing() -> None:
    experiment = solved("model.latent_dim=64")
    x = experiment.data.test.values(experiment.data.test.rows)
    assert torch.allclose(experiment.model.reconstruct(x), x, atol=1e-5)
