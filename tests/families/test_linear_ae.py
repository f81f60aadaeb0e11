"""The linear autoencoder comes to the principal components' plane, and says how near it is."""

from __future__ import annotations

import pytest
import torch
from conftest import built
from sklearn.decomposition import PCA as Peer

LEARNING = ["model=linear_ae", "model.latent_dim=4", "trainer.precision=float32", "trainer.epochs=100"]


def learned(*overrides: str):
    experiment = built(*LEARNING, *overrides)
    experiment.initialize()
    experiment.trainer.train(0, experiment.trainer.total_steps, lambda: False)
    experiment.model.eval().requires_grad_(False)
    return experiment


def test_it_leaves_what_principal_components_leave_and_spans_their_plane() -> None:
    experiment = learned()
    train, test = (experiment.data.split(name) for name in ("train", "test"))
    seen, unseen = (split.values(split.rows).flatten(1).double().numpy() for split in (train, test))
    peer = Peer(4, svd_solver="full").fit(seen)
    expected = ((peer.inverse_transform(peer.transform(unseen)) - unseen) ** 2).mean()
    figures = experiment.trainer.evaluate("test")
    assert figures["mse"] <= 1.01 * expected
    assert figures["pca_mse"] == pytest.approx(expected, rel=1e-4)
    assert figures["principal_angle"] < 3


def test_the_angle_is_a_right_one_to_a_plane_without_what_matters_most() -> None:
    experiment = built(*LEARNING)
    experiment.initialize()
    with torch.no_grad():
        components = experiment.trainer.pca.components
        model = experiment.model
        model.decoder[0].weight.copy_(components.T @ torch.randn(4, 4))
        assert experiment.trainer.evaluate("validation")["principal_angle"] < 0.01
        beyond = torch.linalg.qr(torch.cat([components.T, torch.randn(64, 1)], 1)).Q[:, 4]  # orthogonal to all of them
        model.decoder[0].weight.copy_(torch.cat([components[1:], beyond[None]]).T @ torch.randn(4, 4))
    assert experiment.trainer.evaluate("validation")["principal_angle"] == pytest.approx(90, abs=0.1)


def test_it_begins_from_the_mean_and_ends_without_a_sigmoid() -> None:
    experiment = built(*LEARNING)
    experiment.initialize()
    model, train = experiment.model, experiment.data.train
    x = train.values(train.rows)
    torch.testing.assert_close(model.reconstruct(x), x.mean(0).expand_as(x), atol=1e-6, rtol=0)
    torch.testing.assert_close(model.encode(x).mean(0), torch.zeros(4), atol=1e-4, rtol=0)
    a, b, zero = torch.randn(5, 4), torch.randn(5, 4), torch.zeros(5, 4)
    with torch.no_grad():
        model.decoder[0].weight.normal_(std=10)
    sums = model.decode(a) + model.decode(b)
    torch.testing.assert_close(sums, model.decode(a + b) + model.decode(zero), atol=1e-3, rtol=1e-4)


def test_with_a_noise_it_is_not_compared_with_what_it_is_not_to_become() -> None:
    experiment = built(*LEARNING, "noise=gaussian")
    experiment.initialize()
    assert not {"pca_mse", "principal_angle"} & set(experiment.trainer.evaluate("validation"))


def test_a_code_longer_than_the_data_is_refused(nnlab) -> None:
    status, _, error = nnlab("train", "model=linear_ae", "model.latent_dim=65")
    assert (status, error) == (2, "nnlab: model.latent_dim: 65 numbers to hold 64 features\n")


def test_what_would_take_too_long_to_solve_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnlab.families.ae.trainer.WIDEST", 63)
    experiment = built(*LEARNING)
    experiment.initialize()
    (remark,) = experiment.trainer.notices
    assert remark == "not compared with the principal components of 1,295 examples of 64 values"
    assert not {"pca_mse", "principal_angle"} & set(experiment.trainer.evaluate("validation"))
