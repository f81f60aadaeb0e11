"""data.imbalance, data.oversample and data.extra: classes with few examples, and what to do about them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import built

from nnlab.data.datasets.digits import Digits
from nnlab.data.extra import open_data
from nnlab.data.split import Arrays, Data
from nnlab.errors import BadInput

CPU = torch.device("cpu")


class Named(Digits):
    """Digits whose classes have names that are no numbers."""

    def load(self) -> Arrays:
        return replace(super().load(), classes=tuple(f"c{i}" for i in range(10)))


def opened(**options) -> Data:
    return open_data(Digits(root=".", **options), CPU)


def counts(data: Data, name: str = "train") -> list[int]:
    split = data.split(name)
    return split.labels(split.rows).bincount(minlength=10).tolist()


WHOLE = [sum(pair) for pair in zip(counts(opened()), counts(opened(), "validation"), strict=True)]  # of the training set


def test_a_rare_class_keeps_its_share_of_training_and_validation_together_and_the_test_is_as_it_was() -> None:
    data = opened(imbalance={"3": 0.1, 5: 0.5})
    found = [sum(pair) for pair in zip(counts(data), counts(data, "validation"), strict=True)]
    expected = [round({3: 0.1, 5: 0.5}.get(c, 1) * n) for c, n in enumerate(WHOLE)]
    assert found == expected
    assert counts(data, "test") == counts(opened(), "test")


def test_a_share_of_0_leaves_a_class_out_of_all_but_the_test() -> None:
    data = opened(imbalance={"3": 0}, oversample=True)
    assert counts(data)[3] == counts(data, "validation")[3] == 0
    assert len(set(counts(data))) == 2  # none, and as many as the largest
    assert counts(data, "test") == counts(opened(), "test")
    assert data.spec.classes == opened().spec.classes


def test_which_examples_are_kept_depends_on_the_seed_of_the_data_and_not_on_other_classes() -> None:
    def kept(seed: int, **others: float) -> set[int]:
        data = opened(imbalance={"3": 0.1, **others}, validation=0, seed=seed)
        labels = data.train.labels(data.train.rows)
        return set(data.train.rows[labels == 3].tolist())

    assert kept(0) == kept(0, **{"5": 0.5})
    assert kept(0) != kept(1)


def test_imbalance_counts_among_the_chosen_classes() -> None:
    data = opened(classes=[7, 3], imbalance={"3": 0.1})
    assert data.spec.classes == ("7", "3")
    assert counts(data)[1] < 0.15 * counts(data)[0]


def test_a_number_is_the_same_class_for_imbalance_and_for_the_chosen_classes() -> None:
    """Also where names are no numbers: of the chosen ones each has another number than before."""
    dataset = Named(root=".", classes=["c5", "c3", "c0"], imbalance={0: 0.1})
    data = dataset.open(CPU)
    assert data.spec.classes == ("c5", "c3", "c0")
    assert counts(data)[2] < 0.2 * min(counts(data)[:2])


@pytest.mark.parametrize("key", [{"train_size": 50}, {"imbalance": {3: 0.5}}])
def test_a_limited_test_split_does_not_depend_on_what_is_learned_from(key: dict) -> None:
    assert opened(limit=200, **key).test.rows.equal(opened(limit=200).test.rows)


def test_a_size_that_would_undo_the_imbalance_is_refused() -> None:
    with pytest.raises(BadInput, match=r"data\.train_size: draws as many of each class, which undoes data\.imbalance"):
        opened(train_size=50, imbalance={3: 0.1})


def test_oversampling_repeats_the_rows_of_rarer_classes_until_all_are_as_many() -> None:
    plain, data = opened(imbalance={"3": 0.1}), opened(imbalance={"3": 0.1}, oversample=True)
    assert counts(data) == [max(counts(plain))] * 10
    assert set(data.train.rows.tolist()) == set(plain.train.rows.tolist())
    assert torch.equal(data.validation.rows, plain.validation.rows)
    times = data.train.rows.bincount()
    for c in range(10):
        own = times[data.train.rows[data.train.labels(data.train.rows) == c].unique()]
        assert own.max() - own.min() <= 1, "no example of a class is seen more often than another"


def save(path: str = "more.npz", **arrays: np.ndarray) -> str:
    np.savez(path, **arrays)
    return str(Path(path).absolute())


def test_extra_examples_are_trained_on_and_are_in_no_other_split(own_folder: Path) -> None:
    x = np.random.default_rng(0).integers(0, 17, (6, 8, 8)) / np.float32(16)
    file, plain = save(x_train=x.astype(np.float32), y_train=np.array(list("330077"))), opened()
    data = opened(extra=file)
    assert len(data.train) == len(plain.train) + 6
    assert torch.allclose(data.train.values(data.train.rows[-6:])[:, 0], torch.from_numpy(x).float())
    assert data.train.labels(data.train.rows[-6:]).tolist() == [3, 3, 0, 0, 7, 7]
    for name in ("validation", "test"):
        split, before = data.split(name), plain.split(name)
        assert torch.equal(split.values(split.rows), before.values(before.rows))
        assert torch.equal(split.labels(split.rows), before.labels(before.rows))


def test_other_extra_examples_are_other_data(own_folder: Path) -> None:
    x = np.zeros((2, 8, 8), np.float32)
    one, same = (opened(extra=save(x_train=x, y_train=np.array(["1", "2"]))).spec for _ in range(2))
    labels = opened(extra=save(x_train=x, y_train=np.array(["1", "3"]))).spec
    values = opened(extra=save(x_train=x + 1, y_train=np.array(["1", "2"]))).spec
    assert one.splits == same.splits
    assert len({one.splits, labels.splits, values.splits, opened().spec.splits}) == 4


X = np.zeros((4, 8, 8), np.float32)


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"x_train": X}, r"data\.extra: .*more\.npz has no labels, but the examples of Digits have"),
        ({"x_train": X, "y_train": np.array(list("12x3"))}, r"data\.extra: .* holds classes that Digits lacks: x"),
        ({"x_train": X[:, 1:], "y_train": np.array(list("1233"))}, r"data\.extra: .*x_train has shape \(4, 7, 8\)"),
        (
            {"x_train": X + 2, "y_train": np.array(list("1233"))},
            r"data\.extra: .*holds 2 … 2, but the model learned from 0 … 1",
        ),
        ({"x_train": X * np.nan, "y_train": np.array(list("1233"))}, r"data\.extra: .*not finite"),
        ({"z": X}, r"data\.extra: .*no array 'x' or 'x_train'"),
    ],
)
def test_extra_examples_that_do_not_fit_are_refused(own_folder: Path, arrays: dict, expected: str) -> None:
    with pytest.raises(BadInput, match=expected):
        opened(extra=save(**arrays))


@pytest.mark.parametrize("name", ["array.npy", "text.npz"])
def test_a_file_of_another_kind_is_no_archive(own_folder: Path, name: str) -> None:
    np.save("array.npy", X)
    Path("text.npz").write_text("digits", encoding="utf-8")
    with pytest.raises(BadInput, match=rf"data\.extra: .*{name}: is no \.npz; write one by numpy\.savez"):
        opened(extra=str(Path(name).absolute()))


def test_examples_that_were_made_of_test_images_are_told(own_folder: Path) -> None:
    """A classifier that learns from them has seen what it is tested on."""
    arrays = {"x_train": X, "y_train": np.array(list("1233"))}
    fair = opened(extra=save(**arrays))
    told = opened(extra=save(**arrays, made_of_test_images_of=np.array(["Digits"])))
    assert told.remarks == (*fair.remarks, "more.npz is made of test images of Digits: on these, figures are too good")


def test_a_file_that_is_not_there_is_named_with_the_verb_that_writes_one() -> None:
    with pytest.raises(BadInput, match=r"data\.extra: no file nowhere\.npz; nnlab augment RUN"):
        opened(extra="nowhere.npz")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"imbalance": {"x": 0.1}}, "data.imbalance: Digits has no class 'x'"),
        ({"imbalance": {"3": 1e-4}}, "data.imbalance: 0.0001 of the 146 examples of '3' is none; give more, or 0"),
        ({"classes": [3, 4], "imbalance": {"3": 0, 4: 0}}, "data.imbalance: no training example of Digits is left"),
        ({"imbalance": {"3": 0.1, 3: 0.2}}, "data.imbalance: '3' is asked for twice"),
    ],
)
def test_a_share_that_cannot_be_is_refused(options: dict, expected: str) -> None:
    with pytest.raises(BadInput) as caught:
        opened(**options)
    assert expected in str(caught.value)


@pytest.mark.parametrize("key", ["imbalance={0:0.5}", "oversample=true"])
def test_data_without_labels_have_no_rare_class(key: str) -> None:
    with pytest.raises(BadInput, match=f"data.{key.partition('=')[0]}: .* has no labels"):
        built("model=vae", "data=colours", f"data.{key}", "device=cpu")


def test_shares_are_checked_as_typed(nnlab) -> None:
    for value in ("{3:2}", "{3:-0.1}", "{3:x}", "3"):
        status, _, error = nnlab("train", "model=cnn", "data=digits", f"data.imbalance={value}")
        assert status == 2
        assert "data.imbalance: expected {a whole number or a text: a number between 0 and 1, …} or none" in error
