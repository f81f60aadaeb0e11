from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import built
from sklearn.mixture import GaussianMixture

from nnlab.errors import BadInput
from nnlab.families.em.covariances import FORMS

PEER = {"full": "full", "tied": "tied", "diagonal": "diag", "spherical": "spherical"}


def points(experiment) -> np.ndarray:
    train = experiment.data.train
    return train.values(train.rows).flatten(1).double().numpy()


def peer_of(model, passes: int) -> GaussianMixture:
    """scikit-learn's mixture, from the same start."""
    covariances = model.covariances.numpy()
    precisions = np.linalg.inv(covariances) if model.covariance in ("full", "tied") else 1 / covariances
    return GaussianMixture(
        model.components,
        covariance_type=PEER[model.covariance],
        reg_covar=model.regularisation,
        tol=0,
        max_iter=passes,
        weights_init=model.weights.numpy(),
        means_init=model.means.double().numpy(),
        precisions_init=precisions,
    )


def bounds(trainer, passes: int) -> list[float]:
    found = []
    for step in range(0, passes * trainer.steps_per_epoch, trainer.steps_per_epoch):
        trainer.train(step, trainer.steps_per_epoch, lambda: False)
        assert trainer.meter.look() is None
        found.append(trainer.meter.epoch.take()["bound"])
    return found


@pytest.mark.parametrize("form", PEER)
@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-5), ("float64", 1e-9)])
def test_from_the_same_start_the_bound_is_scikit_learns(form: str, precision: str, error: float) -> None:
    options = ["model.components=5", f"model.covariance={form}", f"model.precision={precision}", "model.tolerance=0"]
    experiment = built("model=gmm", *options, "data.validation=0")
    experiment.initialize()
    experiment.model.offsets.copy_(experiment.model.means.double() - experiment.model.origin)  # as exactly as the peer has them
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged
        peer = peer_of(experiment.model, 15).fit(points(experiment))
    assert bounds(experiment.trainer, 15)[-1] == pytest.approx(peer.lower_bound_, rel=error)
    figures = experiment.trainer.evaluate("train")
    assert figures["bic"] == pytest.approx(peer.bic(points(experiment)), rel=10 * error)
    assert figures["aic"] == pytest.approx(peer.aic(points(experiment)), rel=10 * error)


@pytest.mark.parametrize("form", FORMS)
def test_the_bound_never_falls(form: str) -> None:
    options = ["model.components=6", f"model.covariance={form}", "model.regularisation=0", "model.init=random"]
    experiment = built("model=gmm", "data=blobs", *options, "model.precision=float64", "model.tolerance=0")
    experiment.initialize()
    values = bounds(experiment.trainer, 60)
    assert all(b >= a - 1e-10 for a, b in itertools.pairwise(values))
    assert values[-1] > values[0] + 0.1


@pytest.mark.parametrize("form", FORMS)
def test_narrow_data_far_from_the_origin(form: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(1000, 0.01, (4000, 3)).astype(np.float32)
    np.savez("far.npz", x_train=x)
    own = ["data=npz", "data.root=.", "data.file=far.npz", "data.standardize=false", "data.validation=0"]
    options = ["model.components=2", f"model.covariance={form}", "model.regularisation=0", "model.init=random"]
    experiment = built("model=gmm", *own, *options)
    experiment.initialize()
    assert np.isfinite(bounds(experiment.trainer, 20)).all()
    seen = points(experiment)
    normal = -0.5 * np.log(2 * np.pi * 1e-4) - 0.5  # the entropy of one coordinate, with its sign turned
    assert experiment.trainer.evaluate("train")["log_likelihood"] == pytest.approx(3 * normal, abs=0.05)
    middle = experiment.model.weights.numpy() @ (experiment.model.origin + experiment.model.offsets).numpy()
    np.testing.assert_allclose(middle, seen.mean(0), atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_narrow_clusters_far_from_each_other_keep_their_variance(form: str) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 2000)
    np.savez("two.npz", x_train=(label[:, None] + rng.normal(0, 1e-4, (2000, 3))).astype(np.float32), y_train=label)
    own = ["data=npz", "data.root=.", "data.file=two.npz", "data.standardize=false", "data.validation=0"]
    experiment = built("model=gmm", *own, "model.components=2", f"model.covariance={form}", "model.regularisation=0")
    experiment.initialize()
    bounds(experiment.trainer, 5)
    lower = experiment.model.scales()
    variances = (lower @ lower.mT).diagonal(dim1=-2, dim2=-1)
    np.testing.assert_allclose(variances, 1e-8, rtol=0.15)


def test_a_component_that_collapses_begins_anew_and_is_told() -> None:
    experiment = built("model=gmm", "data=blobs", "model.components=3", "model.regularisation=0", "data.validation=0")
    experiment.initialize()
    model, trainer = experiment.model, experiment.trainer
    model.offsets[2] = 1e3  # nobody's
    trainer.train(0, trainer.steps_per_epoch, lambda: False)
    trainer.meter.look()
    assert trainer.meter.epoch.take()["collapsed_components"] == 1
    assert not model.converged
    assert (model.means[2] - model.means).abs().max() < 10
    assert bounds(trainer, 20)[-1] > -5


def test_samples_have_the_mixtures_mean_and_covariance() -> None:
    for form in FORMS:
        experiment = built("model=gmm", "data=iris", "model.components=2", f"model.covariance={form}")
        experiment.initialize()
        bounds(experiment.trainer, 3)
        model = experiment.model
        x = model.sample(40000, torch.Generator().manual_seed(0)).double()
        weights, means, lower = model.weights, model.means.double(), model.scales()
        mean = weights @ means
        within = torch.einsum("k,kde,kfe->df", weights, lower, lower)
        between = torch.einsum("k,kd,ke->de", weights, means - mean, means - mean)
        np.testing.assert_allclose(x.mean(0), mean, atol=0.03)
        np.testing.assert_allclose(x.T.cov(), within + between, atol=0.05)


def test_more_components_than_points_and_too_large_covariances_are_refused(nnlab) -> None:
    status, _, error = nnlab("train", "model=gmm", "data=iris", "model.components=1000")
    assert (status, error) == (2, "nnlab: model.components: 1000 components of 108 points\n")
    np.savez("large.npz", x_train=np.zeros((30, 100, 100, 1), np.uint8))
    with pytest.raises(BadInput, match=r"model\.covariance: 10 full covariances of 10000 features take 7\.5 GiB"):
        built("model=gmm", "data=npz", "data.root=.", "data.file=large.npz", "model.covariance=full", "data.test=0.2")


def test_constant_columns_are_no_matter() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    x[:, 1] = 7
    np.savez("constant.npz", x_train=x)
    for form in FORMS:
        own = ["data=npz", "data.root=.", "data.file=constant.npz", f"model.covariance={form}", "model.components=3"]
        experiment = built("model=gmm", *own)
        experiment.initialize()
        assert np.isfinite(bounds(experiment.trainer, 10)).all()


@pytest.mark.parametrize("model", ["gmm", "generative_classifier"])
@pytest.mark.parametrize("form", ["full", "tied", "diagonal"])
def test_a_column_that_never_changes_needs_regularisation(model: str, form: str, own_folder: Path) -> None:
    rng = np.random.default_rng(0)
    rows = "".join(f"{a:.3f},5,{b:.3f},{'uv'[i % 2]}\n" for i, (a, b) in enumerate(rng.normal(size=(80, 2))))
    (own_folder / "own.csv").write_text("x,y,z,class\n" + rows)
    data = ["data=csv", f"data.file={own_folder}/own.csv", "data.label=class"]
    options = [f"model={model}", f"model.covariance={form}", "model.components=2"]
    refused = built(*options, "model.regularisation=0", *data)
    with pytest.raises(BadInput, match=r"model\.regularisation: 0, but y never changes in the training data"):
        refused.initialize()
    built(*options, "model.regularisation=1e-3", *data).initialize()
    built(*options, "model.regularisation=0", "model.covariance=spherical", *data).initialize()
