"""nnlab sample --label: examples of the classes asked for, and what cannot be asked."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from conftest import small
from PIL import Image

import nnlab as package
from nnlab.plotting.images import grid
from nnlab.plotting.latent import class_picture

pytestmark = pytest.mark.usefixtures("untitled")


@pytest.fixture
def cgan(train_once) -> None:
    train_once(*small("cgan"), "trainer.steps=2", "trainer.precision=float32", "trainer.show_every=never")


def picture(path: str = "asked.png") -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_one_class_makes_a_sheet_and_several_a_row_each(nnlab, cgan: None) -> None:
    model = package.load("last")

    def seeded() -> torch.Generator:
        return torch.Generator().manual_seed(5)

    assert nnlab("sample", "last", "--label", "3", "-n", "10", "--seed", "5", "-o", "asked.png")[0] == 0
    with torch.inference_mode():
        expected = grid(model.sample_class(torch.full((10,), 3), seeded()), model.spec)
    assert np.array_equal(picture(), expected)
    assert nnlab("sample", "last", "--label", "7,0", "--seed", "5", "-o", "asked.png")[0] == 0
    with torch.inference_mode():
        assert np.array_equal(picture(), class_picture(model, 8, seeded(), [7, 0]))


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("10", "--label: Digits has no class '10'; there are 0, 1, 2"),
        ("3,-1", "--label: Digits has no class '-1'; there are 0, 1"),
        ("three", "--label: Digits has no class 'three'; there are 0, 1"),
        ("", "--label: Digits has no class ''; there are 0, 1"),
        ("3,4,3", "--label: '3' is asked for twice"),
    ],
)
def test_a_class_that_is_not_there_is_named_with_those_that_are(nnlab, cgan: None, label: str, expected: str) -> None:
    status, _, error = nnlab("sample", "last", "--label", label)
    assert status == 2
    assert error.startswith(f"nnlab: {expected}"), error
    assert len(error.splitlines()) == 1


def test_a_table_says_beside_each_row_which_class_was_asked_for(nnlab) -> None:
    assert nnlab("train", "model=generative_classifier", "data=iris", "trainer.epochs=20", "trainer.show_every=never")[0] == 0
    status, _, error = nnlab("sample", "last", "--label", "setosa,2", "-n", "30", "-o", "asked.csv")
    assert status == 0, error
    with open("asked.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header[-1] == "class"
    assert [row[-1] for row in rows] == ["setosa"] * 30 + ["virginica"] * 30
    petals = np.array([[float(value) for value in row[2:4]] for row in rows])
    assert petals[:30].max() < 3 < petals[30:, 0].min(), "the petals of setosa are the short ones"
    assert nnlab("sample", "last", "--label", "1", "-n", "4", "-o", "asked.npz")[0] == 0
    with np.load("asked.npz") as kept:
        assert kept["x"].shape == (4, 4)
        assert kept["y"].tolist() == [1] * 4
    _, _, error = nnlab("sample", "last", "--label", "setos")
    assert error == "nnlab: --label: Iris has no class 'setos'; did you mean 'setosa'?\n"


def test_labels_asked_of_a_model_that_knows_none(nnlab) -> None:
    assert nnlab("train", *small("gan"), "trainer.steps=1", "trainer.show_every=never")[0] == 0
    status, _, error = nnlab("sample", "last", "--label", "3")
    assert status == 2
    able, models = error.strip().split("; models that can: ")
    assert able == "nnlab: sample --label: GAN cannot draw examples of a class"
    assert {"cgan", "generative_classifier"} <= set(models.split(", "))
    assert "gan" not in models.split(", ")


def test_a_conditional_model_of_data_without_labels(nnlab) -> None:
    np.savez("own.npz", x_train=np.zeros((50, 8, 8), np.uint8))
    status, _, error = nnlab("train", "model=cgan", "data=npz", "data.root=.", "data.file=own.npz")
    assert (status, error) == (2, "nnlab: model: a conditional GAN needs classes, but own has no labels\n")
