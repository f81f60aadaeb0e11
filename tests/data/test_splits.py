"""How a dataset is split, limited, and refused where it does not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nnlab.data import dataset
from nnlab.data.dataset import Dataset, set_aside
from nnlab.data.split import Arrays, Data
from nnlab.errors import BadInput

CPU = torch.device("cpu")


class Numbered(Dataset):
    """Tables whose only column is the number of the row."""

    def __init__(self, n: int = 100, n_test: int = 20, **common) -> None:
        super().__init__(root="nowhere", **common)
        self.n, self.n_test = n, n_test

    def size(self) -> int:
        return 3 * 2**30

    def load(self) -> Arrays:
        x, x_test = torch.arange(self.n).float()[:, None], torch.arange(self.n_test).float()[:, None]
        return Arrays(x, x[:, 0].long(), x_test, x_test[:, 0].long(), scale=1.0)


@pytest.fixture(autouse=True)
def plenty_of_memory(monkeypatch):
    monkeypatch.setattr(dataset, "free_memory", lambda device: 2**40)


def rows(data: Data) -> list[list[int]]:
    return [data.split(name).rows.tolist() for name in ("train", "validation", "test")]


@pytest.mark.parametrize(
    ("n", "validation", "expected"),
    [
        (100, "auto", 10),
        (109, "auto", 10),
        (9, "auto", 0),
        (49_999, "auto", 4999),
        (60_000, "auto", 5000),
        (100, 0, 0),
        (100, 37, 37),
        (100, 99, 99),
    ],
)
def test_validation_takes_its_number_out_of_training(n, validation, expected):
    train, held_out, test = rows(Numbered(n, validation=validation).open(CPU))
    assert len(held_out) == expected
    assert sorted(train + held_out) == list(range(n))
    assert test == list(range(20))


@pytest.mark.parametrize("validation", [100, 101])
def test_a_validation_split_that_leaves_nothing_is_refused(validation):
    with pytest.raises(BadInput, match=rf"data\.validation: {validation} of 100 "):
        Numbered(validation=validation).open(CPU)


@pytest.mark.parametrize("limit", [None, 30])
def test_the_seed_alone_decides_the_splits(limit):
    first, again, other = (rows(Numbered(limit=limit, seed=seed).open(CPU)) for seed in (3, 3, 4))
    assert first == again
    assert first[0] != other[0]
    assert first[1] != other[1]


@pytest.mark.parametrize(("limit", "sizes"), [(30, (27, 3, 20)), (10, (9, 1, 10)), (2, (2, 0, 2)), (1000, (90, 10, 20))])
def test_limit_bounds_the_training_set_with_its_validation_and_the_test_set(limit, sizes):
    train, validation, test = rows(Numbered(limit=limit).open(CPU))
    assert (len(train), len(validation), len(test)) == sizes
    assert not set(train) & set(validation)
    assert all(len(set(part)) == len(part) for part in (train, validation, test))


class Thirds(Numbered):
    """The same with the classes 0, 1, 2, of which the last has four examples alone."""

    def load(self) -> Arrays:
        arrays = super().load()
        label = torch.arange(self.n) % 2
        label[:4] = 2
        return replace(arrays, y_train=label, y_test=arrays.y_test % 3, classes=("a", "b", "c"))


def test_few_are_of_each_class_alike_and_leave_the_other_splits_whole():
    whole, few, again = (Thirds(train_size=n, validation=0, seed=1).open(CPU) for n in (None, 11, 11))
    labels = few.train.labels(few.train.rows)
    assert sorted(labels.bincount().tolist()) == [3, 4, 4]
    assert rows(few) == rows(again)
    assert rows(few)[1:] == rows(whole)[1:]
    assert set(rows(few)[0]) < set(rows(whole)[0])
    more = Thirds(train_size=20, validation=0).open(CPU).train
    assert sorted(more.labels(more.rows).bincount().tolist()) == [4, 8, 8]
    assert Thirds(train_size=20, validation=0).open(CPU).remarks == ()
    assert Thirds(train_size=2).open(CPU).remarks == ("data.train_size: 2 examples leave 1 classes without one",)
    with pytest.raises(BadInput, match=r"data.train_size: 200 of 90 training examples is too many; give fewer"):
        Thirds(train_size=200).open(CPU)


def test_validation_counts_within_the_limit():
    train, validation, _ = rows(Numbered(limit=30, validation=12).open(CPU))
    assert (len(train), len(validation)) == (18, 12)
    with pytest.raises(BadInput, match="30 of 30"):
        Numbered(limit=30, validation=30).open(CPU)


def test_training_and_validation_share_one_array():
    data = Numbered().open(CPU)
    assert data.train.target.x.data_ptr() == data.validation.target.x.data_ptr()


def test_rows_find_their_values_and_labels():
    data = Numbered().open(CPU)
    for name in ("train", "validation", "test"):
        split = data.split(name)
        assert split.values(split.rows)[:, 0].tolist() == split.rows.tolist() == split.labels(split.rows).tolist()


def test_the_extremes_of_a_table_are_those_of_training_alone():
    data = Numbered(validation=60, seed=1).open(CPU)
    assert {0, 99} <= set(data.validation.rows.tolist())
    assert (data.spec.low, data.spec.high) == (min(data.train.rows), max(data.train.rows))
    assert not data.spec.bounded


@pytest.mark.parametrize("share", [0.1, 0.25, 0.9])
def test_a_set_without_a_test_gives_a_share_of_each_class(share):
    y = torch.tensor([0] * 40 + [1] * 20 + [2] * 11)
    train, test = set_aside(y, len(y), share)
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(len(y)))
    assert y[test].bincount(minlength=3).tolist() == [round(share * n) for n in (40, 20, 11)]
    assert all(torch.equal(a, b) for a, b in zip(set_aside(y, len(y), share), (train, test), strict=True))


def test_a_set_larger_than_the_memory_is_refused_with_both_numbers(monkeypatch):
    monkeypatch.setattr(dataset, "free_memory", lambda device: 3 * 2**29)
    with pytest.raises(BadInput, match=r"Numbered takes 3\.0 GiB, cpu has 1\.5 GiB free"):
        Numbered().open(CPU)


def test_a_set_that_just_fits_is_opened(monkeypatch):
    monkeypatch.setattr(dataset, "free_memory", lambda device: 3 * 2**30)
    assert len(Numbered().open(CPU).train) == 90
