"""`data.classes`: which classes a model learns from, and where the others are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import built

from nnlab.data.dataset import Data
from nnlab.data.digits import Digits

CPU = torch.device("cpu")


def opened(**options) -> Data:
    return Digits(root=".", **options).open(CPU)


def test_without_it_the_splits_are_what_they_were() -> None:
    """Figures of earlier versions: runs are compared across them."""
    data = opened()
    assert [len(data.split(name)) for name in ("train", "validation", "test")] == [1295, 143, 359]
    order = torch.randperm(1438, generator=torch.Generator().manual_seed(0))
    assert torch.equal(data.validation.rows, order[:143].sort().values)
    assert len(data.others) == 0
    assert data.other_classes == ()


@pytest.mark.parametrize("asked", [[3, 7], ["3", 7], ["3", "7"]])
def test_every_split_holds_the_chosen_classes_alone_renumbered(asked: list) -> None:
    whole, data = opened(), opened(classes=asked)
    assert data.spec.classes == ("3", "7")
    for name in ("train", "validation", "test"):
        split = data.split(name)
        assert torch.equal(
            whole.test.y[split.rows] if name == "test" else whole.train.y[split.rows], 3 + 4 * split.labels(split.rows)
        )
    counts = whole.test.labels(whole.test.rows).bincount()
    assert len(data.test) == counts[3] + counts[7]


def test_the_test_examples_of_the_others_are_kept_apart() -> None:
    whole, data = opened(), opened(classes=[3, 7])
    assert sorted([*data.test.rows.tolist(), *data.others.rows.tolist()]) == whole.test.rows.tolist()
    assert data.other_classes == ("0", "1", "2", "4", "5", "6", "8", "9")
    names = [data.other_classes[i] for i in data.others.labels(data.others.rows)]
    assert names == [str(i) for i in whole.test.y[data.others.rows].tolist()]


def test_the_order_of_the_classes_is_the_one_asked_for() -> None:
    data = opened(classes=[7, 3])
    assert data.spec.classes == ("7", "3")
    assert torch.equal(opened(classes=[3, 7]).train.labels(data.train.rows), 1 - data.train.labels(data.train.rows))


def test_a_limit_is_of_what_is_kept() -> None:
    data = opened(classes=[3], limit=20)
    assert (len(data.train) + len(data.validation), len(data.test), len(data.others)) == (20, 20, 20)


def test_a_table_is_standardised_by_the_rows_that_it_learns_from() -> None:
    data = built("model=ae", "model.hidden=[4]", "data=iris", "data.classes=[setosa]").data
    x = data.train.values(data.train.rows)
    assert torch.allclose(x.mean(0), torch.zeros(4), atol=1e-5)
    assert data.others.values(data.others.rows).mean() > 1, "in the units of the kept"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("data.classes=[10]", "data.classes: Digits has no class 10; there are 0 … 9: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        ("data.classes=[1,1]", "data.classes: '1' is asked for twice"),
        ("data.classes=[]", "data.classes: expected a list of whole numbers or texts that is not empty or none, got []"),
        ("data.classes=3", "data.classes: expected a list of whole numbers or texts that is not empty or none, got 3"),
        ("data=iris data.classes=[setossa]", "data.classes: Iris has no class 'setossa'; did you mean 'setosa'?"),
        ("data=npz data.root=. data.file=own.npz data.classes=[1]", "data.classes: own has no labels to choose by"),
    ],
)
def test_what_cannot_be_chosen_is_refused(nnlab, asked: str, expected: str) -> None:
    np.savez("own.npz", x_train=np.random.default_rng(0).random((40, 8, 8)))
    status, _, error = nnlab("train", "model=ae", *asked.split())
    assert (status, error) == (2, f"nnlab: {expected}\n")
    assert not Path("outputs").exists()
