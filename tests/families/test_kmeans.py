from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import built, shared_data
from sklearn.cluster import KMeans as Peer
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from nnlab.data.source import Resident


def points(experiment) -> np.ndarray:
    train = experiment.data.train
    return train.values(train.rows).flatten(1).numpy()


@pytest.mark.parametrize("batch", [100, 1000])
def test_from_the_same_start_the_inertia_is_scikit_learns(batch: int) -> None:
    experiment = built("model=kmeans", "model.clusters=20", f"trainer.batch_size={batch}", "data.validation=0")
    model, trainer, x = experiment.model, experiment.trainer, points(experiment)
    model.init_from_data(experiment.data.train)
    model.starts.add_(1e-3 * torch.randn_like(model.starts))  # of digits two are often equally near a third, and either may win
    passes = 20
    peer = Peer(20, init=model.centres.numpy().copy(), n_init=1, max_iter=passes, tol=0, algorithm="lloyd").fit(x)
    trainer.train(0, passes * trainer.steps_per_epoch, lambda: False)
    assert trainer.evaluate("train")["inertia"] == pytest.approx(peer.inertia_, rel=1e-5)


@pytest.mark.skipif(not (shared_data() or Path("nowhere")).joinpath("FashionMNIST").is_dir(), reason="none in NNLAB_DATA")
def test_of_sixty_thousand_images_too() -> None:
    options = ["model.clusters=64", "model.init=random", "model.tolerance=0", "trainer.batch_size=1000", "trainer.epochs=4"]
    experiment = built("model=kmeans", "data=fashion_mnist", "data.validation=0", *options)
    model, trainer, x = experiment.model, experiment.trainer, points(experiment)
    assert x.shape == (60000, 784)
    model.init_from_data(experiment.data.train)
    peer = Peer(64, init=model.centres.numpy().copy(), n_init=1, max_iter=4, tol=0, algorithm="lloyd").fit(x)
    trainer.train(0, trainer.total_steps, lambda: False)
    assert trainer.evaluate("train")["inertia"] == pytest.approx(peer.inertia_, rel=1e-5)


@pytest.mark.parametrize("n_init", [1, 3])
def test_the_recorded_inertia_is_that_of_the_centres_before_the_pass(n_init: int) -> None:
    """Summed by a loop of its own, pass by pass: a term that is read too late would be 0."""
    experiment = built("model=kmeans", f"model.n_init={n_init}", "model.tolerance=0")
    model, trainer, x = experiment.model, experiment.trainer, points(experiment).astype(np.float64)
    model.init_from_data(experiment.data.train)
    for step in range(0, 5 * trainer.steps_per_epoch, trainer.steps_per_epoch):
        starts = model.starts.double().numpy()
        trainer.train(step, trainer.steps_per_epoch, lambda: False)
        trainer.meter.look()
        expected = min(((x[:, None] - centres) ** 2).sum(2).min(1).sum() for centres in starts)
        assert trainer.meter.epoch.take()["inertia"] == pytest.approx(expected, rel=1e-5)


def test_the_inertia_never_rises_and_the_passes_end() -> None:
    experiment = built("model=kmeans", "model.tolerance=0", "trainer.epochs=300")
    trainer, inertia = experiment.trainer, []
    experiment.model.init_from_data(experiment.data.train)
    for step in range(0, trainer.total_steps, trainer.steps_per_epoch):
        trainer.train(step, trainer.steps_per_epoch, lambda: False)
        trainer.meter.look()
        inertia.append(trainer.meter.epoch.take()["inertia"])
        if trainer.converged:
            break
    assert trainer.converged
    assert inertia[-1] > 0
    assert all(b <= a * (1 + 1e-9) for a, b in itertools.pairwise(inertia))


def test_an_empty_cluster_begins_anew_at_the_farthest_point() -> None:
    experiment = built("model=kmeans", "model.clusters=3", "data.validation=0")
    model, trainer, x = experiment.model, experiment.trainer, points(experiment)
    model.init_from_data(experiment.data.train)
    model.centres[2] = 1e3  # nobody's
    nearest = model.distances(torch.from_numpy(x).unflatten(1, (1, 8, 8))).min(1).values
    trainer.train(0, trainer.steps_per_epoch, lambda: False)
    np.testing.assert_allclose(model.centres[2].numpy(), x[nearest.argmax()], atol=1e-6)
    assert not model.converged


def test_k_means_plus_plus_spreads_its_starts() -> None:
    starts = {}
    for how in ("k_means++", "random"):
        sums = []
        for seed in range(8):
            experiment = built("model=kmeans", f"model.init={how}", f"seed={seed}")
            experiment.model.init_from_data(experiment.data.train)
            sums.append(experiment.trainer.evaluate("train")["inertia"])
        starts[how] = np.mean(sums)
    assert starts["k_means++"] < starts["random"]


def test_a_split_is_read_once_for_all_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = built("model=kmeans")
    model, part = experiment.model, experiment.data.validation
    model.init_from_data(experiment.data.train)
    read = []
    raw = Resident.raw
    monkeypatch.setattr(Resident, "raw", lambda self, rows: (self is part.target and read.append(len(rows))) or raw(self, rows))
    for _ in range(2):  # nothing is left of the evaluation before
        read.clear()
        figures = experiment.trainer.evaluate("validation")
        assert sum(read) == len(part)
        clusters = model.assign(part.values(part.rows))
        assert figures["nmi"] == pytest.approx(normalized_mutual_info_score(part.labels(part.rows), clusters))
        assert figures["ari"] == pytest.approx(adjusted_rand_score(part.labels(part.rows), clusters))


def test_more_clusters_than_points_are_refused(nnlab) -> None:
    status, _, error = nnlab("train", "model=kmeans", "data=iris", "model.clusters=1000")
    assert (status, error) == (2, "nnlab: model.clusters: 1000 clusters of 108 points\n")


def lloyd(x: np.ndarray, centres: np.ndarray, passes: int) -> np.ndarray:
    """In float64, cluster by cluster."""
    for _ in range(passes):
        label = ((x[:, None] - centres) ** 2).sum(2).argmin(1)
        centres = np.stack([x[label == j].mean(0) for j in range(len(centres))])
    return centres


@pytest.mark.parametrize("binarize", ["none", "fixed"])
@pytest.mark.parametrize("quick", [True, False])
def test_bytes_and_floats_find_the_same_centres(quick: bool, binarize: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnlab.nn.byte_products.quick", lambda: quick)
    experiment = built("model=kmeans", "data.validation=0", f"data.binarize={binarize}", "trainer.batch_size=300")
    model, trainer, x = experiment.model, experiment.trainer, points(experiment)
    model.init_from_data(experiment.data.train)
    model.starts.add_(1e-3 * torch.randn_like(model.starts))  # no two centres equally near: bytes often tie
    expected = lloyd(x.astype(np.float64), model.centres.double().numpy(), 6)
    trainer.train(0, 6 * trainer.steps_per_epoch, lambda: False)
    np.testing.assert_allclose(model.centres, expected, atol=1e-6)


def test_what_is_drawn_anew_at_each_reading_is_added_up_anew() -> None:
    experiment = built("model=kmeans", "model.clusters=1", "data.validation=0", "data.binarize=dynamic", "model.tolerance=0")
    model, trainer, seen = experiment.model, experiment.trainer, []
    experiment.initialize()
    e_step = model.e_step
    model.e_step = lambda batch, sums: seen.append(batch.target.double().flatten(1)) or e_step(batch, sums)
    for step in range(2):
        seen.clear()
        trainer.train(step * trainer.steps_per_epoch, trainer.steps_per_epoch, lambda: False)
        np.testing.assert_allclose(model.centres[0], torch.cat(seen).mean(0), atol=1e-6)


def test_of_several_starts_the_one_with_the_least_inertia_is_kept() -> None:
    alone = []
    experiment = built("model=kmeans", "model.n_init=5", "model.init=random")
    model, trainer = experiment.model, experiment.trainer
    experiment.initialize()
    starts = model.starts.clone()
    trainer.train(0, 10 * trainer.steps_per_epoch, lambda: False)
    for start in starts:
        one = built("model=kmeans", "model.init=random")
        one.initialize()
        one.model.starts.copy_(start[None])
        one.trainer.train(0, 10 * one.trainer.steps_per_epoch, lambda: False)
        alone.append(one.trainer.evaluate("train")["inertia"])
    assert len(set(alone)) > 1
    assert trainer.evaluate("train")["inertia"] == pytest.approx(min(alone), rel=1e-6)


def test_narrow_clusters_far_from_the_origin_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 600)
    np.savez(
        "far.npz", x_train=(1000 + 0.05 * label[:, None] + rng.normal(0, 0.005, (600, 4))).astype(np.float32), y_train=label
    )
    options = ["data=npz", "data.root=.", "data.file=far.npz", "data.standardize=false"]
    experiment = built("model=kmeans", "model.clusters=3", "model.tolerance=0", "trainer.epochs=20", *options)
    experiment.initialize()
    experiment.trainer.train(0, experiment.trainer.total_steps, lambda: False)
    assert experiment.trainer.evaluate("test")["ari"] == 1


def test_both_criteria_and_what_an_archive_saves() -> None:
    experiment = built("model=kmeans", "model.clusters=7")
    experiment.initialize()
    model, part = experiment.model, experiment.data.validation
    figures = experiment.trainer.evaluate("validation")
    x, centres = part.values(part.rows).flatten(1).double(), model.centres.double()
    pairs = [torch.dist(centres[i], centres[j]) for i, j in itertools.permutations(range(7), 2)]
    assert figures["within_cluster_distance"] == pytest.approx(torch.cdist(x, centres).amin(1).mean().item(), rel=1e-5)
    assert figures["between_center_distance"] == pytest.approx(float(np.mean(pairs)), rel=1e-4)
    assert figures["volume_saved"] == pytest.approx(1 - (len(x) * 3 / 8 + 7 * 64) / (len(x) * 64))
