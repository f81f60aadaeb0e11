"""nnlab retrieve: the nearest images by code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import only_run, small
from PIL import Image
from scipy.spatial.distance import cdist

from nnlab.experiment.loading import open_run
from nnlab.plotting.images import FRAMED, to_pixels

pytestmark = pytest.mark.usefixtures("untitled")


@pytest.fixture
def retrieve(nnlab, train_once):
    """The lines, the picture and its figures."""
    train_once(*small("pca"), "trainer.show_every=never")

    def run(*typed: str) -> tuple[list[str], np.ndarray, dict]:
        status, out, error = nnlab("retrieve", "last", *typed)
        assert status == 0, error
        *lines, figures, picture = out.splitlines()
        return lines, np.asarray(Image.open(picture)), json.loads(Path(figures).read_text())

    return run


def codes(split: str) -> np.ndarray:
    run = open_run("last")
    own = run.data.split(split)
    return run.model.encode(own.values(own.rows)).double().numpy()


@pytest.mark.parametrize("kind", ["euclidean", "cosine"])
@pytest.mark.parametrize("among", ["test", "train"])
def test_neighbours_are_the_nearest_and_never_the_image_itself(retrieve, among: str, kind: str) -> None:
    _, _, figures = retrieve("--index", "3,14", "-n", "5", "--among", among, "--distance", kind)
    distance = cdist(codes("test")[[3, 14]], codes(among), kind)
    if among == "test":
        distance[[0, 1], [3, 14]] = np.inf
    for row, expected in zip(figures["queries"], distance, strict=True):
        assert row["neighbours"] == expected.argsort()[:5].tolist()
        assert np.allclose(row["distances"], np.sort(expected)[:5], rtol=1e-5)


def test_classes_are_told_and_the_share_of_its_own(retrieve) -> None:
    lines, picture, figures = retrieve("--index", "3", "-n", "20")
    run = open_run("last")
    test, (row,) = run.data.test, figures["queries"]
    label = [run.data.spec.classes[c] for c in test.labels(test.at(places(row["neighbours"]))).tolist()]
    own = run.data.spec.classes[test.labels(test.rows[3:4]).item()]
    assert row["classes"] == label
    assert np.isclose(row["of_its_class"], np.mean([name == own for name in label]))
    assert lines[0].startswith(f"3 {own}: {row['neighbours'][0]} {label[0]} (")
    first = to_pixels(test.values(test.at(places(row["neighbours"][:1]))), run.model.spec)[0].repeat(6, 0).repeat(6, 1)
    height, side = first.shape[0], first.shape[1] + 2
    left, top = picture.shape[1] - (21 * side - 2), picture.shape[0] - height
    assert np.array_equal(picture[top + 2 : -2, left + side + 2 : left + 2 * side - 4], first[2:-2, 2:-2])
    red = [bool((picture[top, left + k * side] == FRAMED).all()) for k in range(21)]
    assert red == [False, *(name != own for name in label)]
    assert 0 < sum(red) < 20


def places(values: list[int]) -> torch.Tensor:
    return torch.tensor(values)


def test_more_neighbours_than_images_are_refused(nnlab, train_once) -> None:
    train_once(*small("pca"), "data.limit=100", "trainer.show_every=never")
    status, _, error = nnlab("retrieve", "last", "--index", "1", "-n", "40", "--split", "validation")
    assert status == 2
    assert "-n 40: the validation split has 9 other images" in error


def test_a_table_has_no_pictures(nnlab, train_once) -> None:
    train_once("model=pca", "data=iris", "trainer.show_every=never", "model.latent_dim=2")
    status, _, error = nnlab("retrieve", "last", "--index", "1")
    assert status == 2
    assert "retrieve" in error


@pytest.mark.parametrize(
    ("model", "typed", "expected"),
    [("pca", [], "euclidean"), ("triplet", ["model.distance=cosine"], "cosine"), ("supcon", [], "cosine")],
)
def test_by_default_codes_are_compared_as_the_model_does(nnlab, trained, model: str, typed: list, expected: str) -> None:
    trained("data.limit=200", *typed, model=model)
    run = [str(only_run().path), "--index", "3", "-n", "4", "-o", "near.png"]
    told = []
    for distance in ([], ["--distance", expected]):
        status, _, error = nnlab("retrieve", *run, *distance)
        assert status == 0, error
        told.append(json.loads(Path("near.json").read_text()))
    assert told[0]["distance"] == expected
    assert told[0] == told[1]
