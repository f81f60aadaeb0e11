"""Examples picked out of a split: by class, or by a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nnlab.data.datasets.digits import Digits
from nnlab.data.selection import selection
from nnlab.data.spec import DataSpec
from nnlab.data.split import Split
from nnlab.errors import BadInput

CLOTHES = ("T-shirt/top", "Trouser", "Sneaker", "Ankle boot")


def spec(*classes: str) -> DataSpec:
    return DataSpec("clothes", "image", (1, 8, 8), classes or CLOTHES)


def of(typed: str, *classes: str) -> tuple[int, ...]:
    return selection(typed, "--plus", spec(*classes)).classes


@pytest.mark.parametrize(
    ("typed", "numbers"),
    [
        ("Trouser", (1,)),
        ("trouser", (1,)),
        ("t-shirt/top,ankle boot", (0, 3)),
        ("3, 0", (3, 0)),
        ("2,sneaker", (2,)),
    ],
)
def test_classes_are_named_or_else_numbered(typed, numbers):
    assert of(typed) == numbers


def test_a_name_goes_before_a_number():
    assert of("3", "7", "3", "0") == (1,)
    assert of("0", "7", "3", "0") == (2,)
    assert of("2", "x", "3", "0") == (2,)


def test_names_that_differ_by_the_size_of_a_letter_are_told_apart():
    assert of("b", "a", "b", "B") == (1,)
    assert of("B", "a", "b", "B") == (2,)
    with pytest.raises(BadInput, match="no class 'aA'"):
        of("aA", "Aa", "AA")


def test_a_name_may_hold_a_comma():
    assert of("bag, red", "bag, red", "bag") == (0,)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("snaeker", "--plus snaeker: clothes has no class 'snaeker'; did you mean 'Sneaker'?"),
        ("trouser,boot", "--plus trouser,boot: clothes has no class 'boot'; did you mean 'Ankle boot'?"),
        ("4", "--plus 4: clothes has no class '4'; there are 0 … 3: T-shirt/top, Trouser, Sneaker, Ankle boot"),
        ("-1", "--plus -1: clothes has no class '-1'; there are"),
        ("", "--plus : clothes has no class ''; there are"),
    ],
)
def test_an_unknown_class_is_told_with_the_nearest(typed, expected):
    with pytest.raises(BadInput) as error:
        of(typed)
    assert str(error.value).startswith(expected)


def test_without_classes_there_is_nothing_to_choose_by():
    with pytest.raises(BadInput, match="clothes has no labels to choose by; give a file of indices"):
        selection("3", "--plus", replace(spec(), classes=()))


@pytest.fixture
def split() -> Split:
    return Digits(root=".").open(torch.device("cpu")).train


def test_rows_of_classes_are_all_of_them(split):
    rows = selection("3,8", "--plus", spec(*"0123456789")).rows(split, "train")
    labels = split.labels(split.rows)
    assert torch.equal(rows, split.rows[(labels == 3) | (labels == 8)])


@pytest.mark.parametrize("name", ["few.npy", "few.txt", "no_suffix"])
def test_a_file_lists_places_of_the_split_each_once(own_folder, split, name):
    if name.endswith("npy"):
        np.save(name, np.array([7, 2, 7, 0], np.int32))
    else:
        Path(name).write_text("7\n2\n\n7\n0\n")
    chosen = selection(name, "--plus", spec())
    assert chosen.classes is None
    assert torch.equal(chosen.rows(split, "train"), split.rows[[0, 2, 7]])


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("nowhere.txt", None, "--plus nowhere.txt: no such file"),
        ("empty.txt", "\n\n", "--plus empty.txt: holds no index; expected one per line"),
        ("word.txt", "3\nthree\n", "--plus word.txt, line 2: expected a whole number, got 'three'"),
        ("huge.txt", "9" * 30, "--plus huge.txt: cannot be read as indices"),
        ("bytes.txt", b"\xff\xfe", "--plus bytes.txt: cannot be read as indices"),
        ("text.npy", "hello", "--plus text.npy: cannot be read as indices"),
        ("real.npy", np.array([1.0]), "--plus real.npy: holds float64 of shape (1,); expected indices"),
        ("square.npy", np.array([[1]]), "--plus square.npy: holds int64 of shape (1, 1); expected indices"),
        ("mask.npy", np.array([True]), "--plus mask.npy: holds bool of shape (1,); expected indices"),
        ("none.npy", np.array([], int), "--plus none.npy: holds no index"),
        ("object.npy", np.array([{}]), "--plus object.npy: cannot be read as indices"),
    ],
    ids=str,
)
def test_files_that_list_nothing_of_use(own_folder, name, content, expected):
    if isinstance(content, np.ndarray):
        np.save(name, content)
    elif content is not None:
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput) as error:
        selection(name, "--plus", spec())
    assert str(error.value).startswith(expected)
    assert len(str(error.value).splitlines()) == 1


def test_an_index_beyond_the_split_is_named(own_folder, split):
    for index in (-1, len(split)):
        Path("few.txt").write_text(f"3\n{index}\n")
        with pytest.raises(
            BadInput, match=rf"--plus few.txt: it lists {index}; the train split has examples 0 … {len(split) - 1}"
        ):
            selection("few.txt", "--plus", spec()).rows(split, "train")


def test_a_class_without_an_example_is_told(split):
    few = replace(split, rows=split.rows[split.labels(split.rows) != 4])
    with pytest.raises(BadInput, match="--plus 4: the train split has no example of 4"):
        selection("4", "--plus", spec(*"0123456789")).rows(few, "train")
    with pytest.raises(BadInput, match="--plus 4: the train split has no labels; give a file of indices"):
        selection("4", "--plus", spec(*"0123456789")).rows(replace(split, sources={"target": split.target}), "train")
