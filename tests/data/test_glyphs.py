"""Letters in twelve faces: that they differ, how they are split, and which pictures belong together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from nnlab.config import names, values
from nnlab.config.build import build
from nnlab.config.composition import compose_config, to_dict
from nnlab.data.dataset import Dataset
from nnlab.data.datasets.glyphs import EM, FINE, LETTERS, NAMES, Glyphs, common_letters, drawn, letters
from nnlab.data.feed import BatchBuilder
from nnlab.data.sampler import Sampler
from nnlab.data.split import Data, Split
from nnlab.errors import BadInput

CPU = torch.device("cpu")
RANDOM = torch.Generator()


@pytest.fixture(scope="module")
def pictures() -> dict[str, Tensor]:
    """(1200, 1, 28, 28) of all letters in each face."""
    return {face: drawn(letters(), face, 28) for face in NAMES}


@pytest.fixture(scope="module")
def whole() -> Data:
    return Glyphs(root=".").open(CPU)


def opened(**options) -> Data:
    return Glyphs(root=".", from_="sans", to="serif", **options).open(CPU)


def keys(x: Tensor) -> list[bytes]:
    """The bytes of each image (N, 1, H, W), stored or as a model sees it."""
    return [image.numpy().tobytes() for image in ((x * 255).round().to(torch.uint8) if x.is_floating_point() else x)]


def letter_of(x: Tensor, face: Tensor) -> list[int]:
    """The numbers of the letters that images (N, 1, H, W) show, by the pictures (1200, 1, H, W) of a face."""
    known = {key: i for i, key in enumerate(keys(face))}
    return [known[key] for key in keys(x)]


def test_no_face_draws_two_letters_alike_and_none_is_left_out_for_nothing(pictures) -> None:
    """Letters that a face draws alike are one letter, also by way of a third: the first of each such group is kept."""
    kept, everything = letters(), common_letters()
    assert (len(everything), len(kept)) == (1348, LETTERS)
    assert all(len(set(keys(x))) == LETTERS for x in pictures.values())
    first = {letter: letter for letter in everything}
    for face in NAMES:
        groups: dict[bytes, set[str]] = {}
        for letter, key in zip(everything, keys(drawn(everything, face, 28)), strict=True):
            groups.setdefault(key, set()).add(first[letter])
        joined = {letter: min(group) for group in groups.values() for letter in group if len(group) > 1}
        first = {letter: joined.get(one, one) for letter, one in first.items()}
    assert set(first.values()) == set(kept)
    assert first["Α"] == first["А"] == "A"


@pytest.mark.parametrize("side", [8, 28, 41])
@pytest.mark.parametrize("face", ["sans_bold_oblique", "serif_bold_italic", "mono"])
def test_no_letter_is_cut(face: str, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the space around letters of the same size, before they are averaged, shows as much white."""
    monkeypatch.setattr("nnlab.data.datasets.glyphs.FINE", 1)
    alphabet = letters()[::3]
    tight = drawn(alphabet, face, FINE * side)
    monkeypatch.setattr("nnlab.data.datasets.glyphs.EM", EM / 2)
    wide = drawn(alphabet, face, 2 * FINE * side)
    white = tight.sum((1, 2, 3))
    assert white.all()
    assert torch.equal(white, wide.sum((1, 2, 3)))


def test_classes_are_letters_in_twelve_faces_and_the_test_has_other_letters(pictures, whole) -> None:
    assert whole.spec.classes == tuple(letters())
    split = whole.split
    learned, tested = (split(name).sources["label"].x for name in ("train", "test"))
    assert (len(learned), len(tested), len(tested.unique())) == (12_000, 2400, 200)
    assert set(learned.tolist()) | set(tested.tolist()) == set(range(LETTERS))
    assert not set(learned.tolist()) & set(tested.tolist())
    assert learned.bincount()[learned.unique()].eq(12).all()
    for x, y in ((split(name).target.x, split(name).sources["label"].x) for name in ("train", "test")):
        assert all(torch.equal(x[i::12], pictures[face][y[i::12]]) for i, face in enumerate(NAMES))
    assert not whole.remarks, "no picture of the test is one of training"


def test_a_pair_is_one_letter_in_two_faces(pictures, whole) -> None:
    data = opened()
    assert (len(data.train) + len(data.validation), len(data.test)) == (1000, 200)
    assert not data.spec.classes
    for split in (data.train, data.validation, data.test):
        batch = BatchBuilder(split).batch(split.rows, RANDOM)
        assert letter_of(batch.input, pictures["sans"]) == letter_of(batch.target, pictures["serif"])
    tested = letter_of(data.test.target.x, pictures["serif"])
    assert tested == whole.test.sources["label"].x[::12].tolist(), "in every mode the same letters"


@pytest.mark.parametrize("limit", [None, 60])
def test_domains_learn_from_different_letters_and_are_tested_on_pairs(pictures, limit: int | None) -> None:
    data = opened(paired=False, limit=limit, seed=3)

    def shown(split: Split, rows: Tensor) -> tuple[list[int], list[int]]:
        batch = BatchBuilder(split).batch(rows, RANDOM)
        return letter_of(batch.target, pictures["sans"]), letter_of(batch["b"], pictures["serif"])

    assert data.test.aligned == {"b"}
    assert not data.train.aligned
    a, b = shown(data.test, data.test.rows)
    assert a == b
    assert len(set(a)) == min(limit or 200, 200)
    places = data.test.rows[[5, 2]]
    assert len({*map(tuple, shown(data.test, places))}) == 1, "and for a few rows, too"
    sampler = Sampler(data.train, 32, 0)
    a, b = (set().union(*each) for each in zip(*(shown(data.train, sampler.rows(0, i)) for i in range(40)), strict=True))
    held = [set(letters) for letters in shown(data.validation, data.validation.rows)]
    assert not (a | held[0]) & (b | held[1])
    assert len(a) == len(data.train) == len(data.train.unpaired["b"]) == ((limit or 500) * 9) // 10


def test_the_letters_of_the_test_do_not_depend_on_the_seed_and_grow_with_their_number(pictures) -> None:
    few, other, many = (
        set(letter_of(opened(**options).test.target.x, pictures["serif"]))
        for options in ({"test_letters": 50}, {"test_letters": 50, "seed": 4}, {"test_letters": 90})
    )
    assert few == other < many
    assert (len(few), len(many)) == (50, 90)


def test_the_size_told_before_loading_is_that_of_the_pictures() -> None:
    data = Glyphs(root=".", from_="mono", to="mono_bold", size=16)
    arrays = data.load()
    x = (arrays.x_train, arrays.x_test, arrays.others["input"].train, arrays.others["input"].test)
    assert data.size() == sum(each.numel() for each in x)
    assert arrays.x_train.shape[1:] == (1, 16, 16)


def test_the_keys_are_from_and_to() -> None:
    typed = ["data=glyphs", "data.from=mono", "data.to=serif_bold", "data.test_letters=30"]
    names.check(typed).refuse()
    config = to_dict(compose_config(typed))
    assert not values.check(config)
    built = build(config["data"], Dataset, place="data")
    assert (built.faces, built.test_letters) == (("mono", "serif_bold"), 30)
    config["data"]["from"] = "courier"
    assert "data.from: expected sans or sans_bold or" in values.check(config)[0]
    config["data"]["from_"] = config["data"].pop("from")
    assert values.check(config)[0].startswith("data.from_: unknown key; did you mean 'from'?")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"from_": "sans"}, r"data\.to: give both faces"),
        ({"to": "sans"}, r"data\.from: give both faces"),
        ({"from_": "sans", "to": "sans"}, r"data\.to: sans is the face of data\.from, too; choose another: sans_bold, "),
        ({"paired": False}, r"data\.paired: false needs two faces"),
        ({"from_": "sans", "to": "mono", "binarize": "fixed"}, r"data\.binarize: would change the target alone"),
        ({"test_letters": 1199}, r"data\.test_letters: 1199 of 1,200 leaves none to train on; give 1198 or fewer"),
    ],
)
def test_what_does_not_fit_together_is_named(options: dict, problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        Glyphs(root=".", **options)


def test_a_letter_stands_where_its_twin_does(pictures) -> None:
    """In the middle, at one size: letters of one height end in the same row in all upright faces."""
    row = [letters().index(letter) for letter in "HEZ1"]
    for face in ("sans", "sans_bold", "serif", "serif_bold", "mono", "mono_bold"):
        ink = pictures[face][row, 0].amax(2) > 100
        assert {int(np.flatnonzero(each)[-1]) for each in ink.numpy()} == {20}, face
