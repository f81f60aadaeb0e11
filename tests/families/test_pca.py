from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import built, same_bits, shared_data, small
from matplotlib.axes import Axes
from sklearn.decomposition import PCA as Peer

from nnlab.families.ae import pca_charts


def solved(*overrides: str):
    experiment = built("model=pca", *overrides)
    trainer = experiment.trainer
    experiment.model.init_from_data(experiment.data.train)
    trainer.train(0, trainer.total_steps, lambda: False)
    assert trainer.meter.look() is None
    return experiment


MANY, FEW = "data.limit=200", "data.limit=50"  # of the digits' 64 features: more examples, and fewer
FACES = ["data=image_folder", "data.folder=att_faces"]  # 360 of 112×92


def rows_of(experiment) -> np.ndarray:
    """(n, D) the training set in float64."""
    train = experiment.data.train
    return train.values(train.rows).flatten(1).double().numpy()


def check_against_a_peer(model, x: np.ndarray) -> None:
    peer = Peer(model.latent_dim, svd_solver="full").fit(x)
    divisor = (len(x) - 1) / len(x)  # the peer's variances are of a sample
    total = x.var(0).sum()
    dots = (model.components.double().numpy() * peer.components_).sum(1)
    np.testing.assert_allclose(np.abs(dots), 1, atol=1e-5)
    np.testing.assert_allclose(model.mean, peer.mean_, atol=1e-6)
    np.testing.assert_allclose(model.variances, peer.explained_variance_ * divisor, rtol=1e-5)
    np.testing.assert_allclose(model.total_variance, total, rtol=1e-6)
    np.testing.assert_allclose(model.explained, peer.explained_variance_ratio_, rtol=1e-5)


@pytest.mark.parametrize("limit", [MANY, FEW])
@pytest.mark.parametrize("batch", [7, 1000])
def test_components_and_variances_are_scikit_learns_up_to_sign(batch: int, limit: str) -> None:
    experiment = solved("model.latent_dim=10", f"trainer.batch_size={batch}", limit)
    x = rows_of(experiment)
    assert (len(x) < 64) == (limit == FEW)
    check_against_a_peer(experiment.model, x)


@pytest.mark.skipif(not (shared_data() or Path("nowhere")).joinpath("att_faces").is_dir(), reason="no att_faces in NNLAB_DATA")
def test_eigenfaces_are_scikit_learns_up_to_sign() -> None:
    experiment = solved("model.latent_dim=40", *FACES)
    check_against_a_peer(experiment.model, rows_of(experiment))


def test_to_see_every_example_twice_changes_nothing() -> None:
    """45 examples are solved by their inner products, the same 90 by the covariance of the 64 features."""
    experiment = built("model=pca", "model.latent_dim=10", FEW)
    model, trainer = experiment.model, experiment.trainer
    model.init_from_data(experiment.data.train)
    batch = trainer.feed.batch(experiment.data.train.rows, trainer.generator)
    found = []
    for times in (1, 2):
        sums = None
        for _ in range(times):
            sums = model.e_step(batch, sums)
        terms = model.m_step(sums)
        found.append([model.mean.clone(), model.components.clone(), model.variances.clone(), terms["loss"]])
    for once, twice in zip(*found, strict=True):
        torch.testing.assert_close(once, twice, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("limit", [MANY, FEW])
def test_the_statistics_are_never_larger_than_the_smaller_matrix(limit: str) -> None:
    experiment = built("model=pca", limit, "trainer.batch_size=7")
    trainer, n = experiment.trainer, len(experiment.data.train)
    experiment.model.init_from_data(experiment.data.train)
    for step in range(trainer.steps_per_epoch - 1):
        trainer.train(step, 1, lambda: False)
        assert all(value.numel() <= min(n, 64) * 64 for value in trainer.memory.group("sums").values())


@pytest.mark.parametrize("limit", [MANY, FEW])
def test_a_pass_that_is_resumed_anywhere_ends_in_the_same_bits(limit: str, own_folder: Path) -> None:
    overrides = ["model=pca", "model.latent_dim=10", limit, "trainer.batch_size=16"]
    whole = solved(*overrides[1:])
    for step in range(1, whole.trainer.total_steps):
        begun, resumed = built(*overrides), built(*overrides)
        begun.model.init_from_data(begun.data.train)
        begun.trainer.train(0, step, lambda: False)
        torch.save(begun.trainer.state(), "state.pt")
        resumed.trainer.restore(torch.load("state.pt", weights_only=True))
        resumed.trainer.train(step, whole.trainer.total_steps - step, lambda: False)
        assert same_bits(resumed.model.state_dict(), whole.model.state_dict())


@pytest.mark.parametrize(("limit", "components"), [(MANY, 64), (FEW, 45)])
def test_components_beyond_the_rank_are_orthonormal_and_carry_nothing(limit: str, components: int) -> None:
    experiment = solved(f"model.latent_dim={components}", limit)
    model, x = experiment.model, rows_of(experiment)
    rank = np.linalg.matrix_rank(x - x.mean(0))
    assert rank < components
    torch.testing.assert_close(model.components @ model.components.T, torch.eye(components), rtol=0, atol=1e-6)
    assert (model.variances[:rank] > 0).all()
    assert (model.variances[rank:] <= 1e-12 * model.variances[0]).all()
    images = torch.from_numpy(x).float().unflatten(1, (1, 8, 8))
    torch.testing.assert_close(model.reconstruct(images), images, rtol=0, atol=1e-5)


def test_more_components_than_examples_are_refused(nnlab) -> None:
    status, _, error = nnlab("train", "model=pca", "data.limit=12")
    assert (status, error) == (2, "nnlab: model.latent_dim: 16 components of 11 examples\n")


def test_more_components_than_features_are_refused(nnlab) -> None:
    status, _, error = nnlab("train", "model=pca", "model.latent_dim=65")
    assert (status, error) == (2, "nnlab: model.latent_dim: 65 components of 64 features\n")


def test_data_that_never_vary_have_nothing_to_explain(own_folder: Path) -> None:
    np.savez("one.npz", x_train=np.full((100, 3), 7.0))
    model = solved("model.latent_dim=2", "data=npz", "data.root=.", "data.file=one.npz").model
    assert model.explained.tolist() == [0, 0]
    assert torch.equal(model.reconstruct(torch.full((1, 3), 7.0)), torch.full((1, 3), 7.0))


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


def test_a_table_shows_its_scores_loadings_and_variances(nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn, against scikit-learn."""
    drawn: dict[str, tuple] = {}
    monkeypatch.setattr(pca_charts, "scatter", lambda axes, points, classes: drawn.update(scores=points, classes=classes))
    imshow, bar = Axes.imshow, Axes.bar
    monkeypatch.setattr(Axes, "imshow", lambda axes, x, **k: drawn.update(loadings=x) or imshow(axes, x, **k))
    monkeypatch.setattr(Axes, "bar", lambda axes, x, y, **k: drawn.update(shares=y) or bar(axes, x, y, **k))
    experiment = solved("data=iris", "model.latent_dim=3")
    assert set(experiment.trainer.images()) == {"scores", "loadings", "explained_variance"}
    peer = Peer(3, svd_solver="full").fit(rows_of(experiment))
    signs = np.sign((peer.components_ * experiment.model.components.double().numpy()).sum(1))
    np.testing.assert_allclose(drawn["scores"].xy, (peer.transform(rows_of(experiment)) * signs)[:, :2], atol=1e-4)
    assert drawn["classes"] == ("setosa", "versicolor", "virginica")
    np.testing.assert_allclose(drawn["loadings"], (peer.components_ * signs[:, None]).T, atol=1e-4)
    np.testing.assert_allclose(drawn["shares"], 100 * peer.explained_variance_ratio_, rtol=1e-4)


def test_of_many_columns_those_that_weigh_most_are_named(own_folder: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"column_{i}" for i in range(40)]
    rows = rng.normal(size=(60, 40)) * np.where(np.arange(40) == 17, 9.0, 0.1)
    lines = [",".join(f"{value:.4f}" for value in row) for row in rows]
    Path("wide.csv").write_text("\n".join([",".join(names), *lines]))
    model = solved(
        "data=csv", "data.file=wide.csv", f"data.root={own_folder}", "data.standardize=false", "model.latent_dim=2"
    ).model
    assert int(model.components[0].abs().argmax()) == 17
    assert pca_charts.loadings_chart(model).shape[0] > 800


@pytest.mark.parametrize("model", ["ae", "vae", "sparse_ae"])
def test_an_encoder_of_a_table_shows_its_codes(model: str) -> None:
    experiment = built(*small(model), "data=iris", "trainer.epochs=1")
    experiment.initialize()
    assert set(experiment.trainer.images()) == {"embedding"}
