"""`data.classes`: which classes a model learns from, and where the others are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import built

import nnlab as package
from nnlab.data.classes import class_index
from nnlab.data.datasets.digits import Digits
from nnlab.data.split import Data
from nnlab.errors import BadInput

CPU = torch.device("cpu")


def opened(**options) -> Data:
    return Digits(root=".", **options).open(CPU)


@pytest.mark.parametrize("limit", [None, 300])
def test_without_it_the_splits_are_what_they_were(limit: int | None) -> None:
    """The rows that earlier versions drew: runs are compared across versions."""
    data = opened(limit=limit, seed=5)
    generator = torch.Generator().manual_seed(5)
    order = torch.randperm(1438, generator=generator)[:limit]
    held = len(order) // 10
    assert torch.equal(data.train.rows, order[held:].sort().values)
    assert torch.equal(data.validation.rows, order[:held].sort().values)
    assert torch.equal(data.test.rows, torch.randperm(359, generator=generator)[:limit].sort().values)
    assert data.spec.classes == tuple("0123456789")
    assert len(data.held_out) == 0
    assert data.held_out_classes == ()


@pytest.mark.parametrize("asked", [[3, 7], ["3", 7], ["3", "7"]])
def test_every_split_holds_the_chosen_classes_alone_renumbered(asked: list) -> None:
    whole, data = opened(), opened(classes=asked)
    assert data.spec.classes == ("3", "7")
    for name in ("train", "validation", "test"):
        split = data.split(name)
        assert torch.equal(whole.split(name).labels(split.rows), 3 + 4 * split.labels(split.rows))
    counts = whole.test.labels(whole.test.rows).bincount()
    assert len(data.test) == counts[3] + counts[7]


def test_the_test_examples_of_the_others_are_kept_apart() -> None:
    whole, data = opened(), opened(classes=[3, 7])
    assert sorted([*data.test.rows.tolist(), *data.held_out.rows.tolist()]) == whole.test.rows.tolist()
    assert data.held_out_classes == ("0", "1", "2", "4", "5", "6", "8", "9")
    names = [data.held_out_classes[i] for i in data.held_out.labels(data.held_out.rows)]
    assert names == [str(i) for i in whole.test.sources["label"].x[data.held_out.rows].tolist()]


def test_the_order_of_the_classes_is_the_one_asked_for() -> None:
    data = opened(classes=[7, 3])
    assert data.spec.classes == ("7", "3")
    assert torch.equal(opened(classes=[3, 7]).train.labels(data.train.rows), 1 - data.train.labels(data.train.rows))


def test_a_limit_is_of_what_is_kept() -> None:
    data = opened(classes=[3], limit=20)
    assert (len(data.train) + len(data.validation), len(data.test), len(data.held_out)) == (20, 20, 20)


def test_a_table_is_standardised_by_the_rows_that_it_learns_from() -> None:
    data = built("model=ae", "model.hidden=[4]", "data=iris", "data.classes=[setosa]").data
    x = data.train.values(data.train.rows)
    assert torch.allclose(x.mean(0), torch.zeros(4), atol=1e-5)
    assert data.held_out.values(data.held_out.rows).mean() > 1, "in the units of the kept"


def test_a_number_that_is_the_name_of_another_class_is_ambiguous(nnlab) -> None:
    Path("own.csv").write_text("x,y\n" + "".join(f"{i},{'1ab'[i % 3]}\n" for i in range(60)))
    csv = ["data=csv", "data.root=.", "data.file=own.csv", "data.label=y"]
    status, _, error = nnlab("train", "model=ae", *csv, "data.classes=[1,2]")
    assert status == 2
    assert "data.classes: 1 is the number of the class 'a', but another is called '1'; write names in quotes" in error
    assert built("model=ae", *csv, 'data.classes=["1",2]').data.spec.classes == ("1", "b")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("data.classes=[10]", "data.classes: Digits has no class '10'; there are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        ("data.classes=[1,1]", "data.classes: '1' is asked for twice"),
        ("data.classes=[]", "data.classes: expected a list of whole numbers or texts that is not empty or none, got []"),
        ("data.classes=3", "data.classes: expected a list of whole numbers or texts that is not empty or none, got 3"),
        ("data=iris data.classes=[setossa]", "data.classes: Iris has no class 'setossa'; did you mean 'setosa'?"),
        ("data=npz data.root=. data.file=own.npz data.classes=[1]", "data.classes: own has no labels to choose by"),
        (
            "data=npz data.root=. data.file=half.npz data.classes=[1]",
            "data.classes: the test examples of half have no labels to choose by; add them, or leave it out",
        ),
        (
            "data=npz data.root=. data.file=lacking.npz data.classes=[2,0]",
            "data.classes: lacking has no test example of 2, 0; choose a class that has some",
        ),
    ],
)
def test_what_cannot_be_chosen_is_refused(nnlab, asked: str, expected: str) -> None:
    x, y = np.random.default_rng(0).random((40, 8, 8)), np.arange(40) % 3
    np.savez("own.npz", x_train=x)
    np.savez("half.npz", x_train=x, y_train=y, x_test=x)
    np.savez("lacking.npz", x_train=x, y_train=y, x_test=x, y_test=np.ones(40, int))
    status, _, error = nnlab("train", "model=ae", *asked.split())
    assert (status, error) == (2, f"nnlab: {expected}\n")
    assert not Path("outputs").exists()


def test_every_class_may_be_chosen_and_none_is_kept_out_then() -> None:
    whole, data = opened(), opened(classes=list(range(10)))
    assert len(data.held_out) == 0
    for name in ("train", "validation", "test"):
        assert torch.equal(data.split(name).rows, whole.split(name).rows)
        assert torch.equal(data.split(name).labels(data.split(name).rows), whole.split(name).labels(whole.split(name).rows))


def test_bits_drawn_once_are_the_same_with_and_without_it() -> None:
    whole, data = opened(binarize="fixed"), opened(binarize="fixed", classes=[3])
    assert torch.equal(data.test.values(data.test.rows), whole.test.values(data.test.rows))


def test_a_run_remembers_its_classes(nnlab) -> None:
    quick = ["model.hidden=[8]", "trainer.steps=2", "trainer.show_every=never"]
    assert nnlab("train", "model=ae", "data=iris", "data.classes=[virginica,0]", *quick)[0] == 0
    assert package.load("last").spec.classes == ("virginica", "setosa")
    assert json.loads(nnlab("evaluate", "last")[1])["n"] == 20


def test_a_class_whose_name_is_a_number_has_that_alone():
    digits = ("0", "1", "7")
    assert [class_index(one, digits, "some", "here") for one in (0, "1", "7")] == [0, 1, 2]
    for one in (2, "2", 3):
        with pytest.raises(BadInput, match=f"here: some has no class '?{one}'?; there are 0, 1, 7"):
            class_index(one, digits, "some", "here")
    assert class_index("2", ("a", "b", "c"), "some", "here") == 2
