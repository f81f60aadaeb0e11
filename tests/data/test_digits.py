"""The digits: what the set holds, and how its test split is made."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from nnlab.data.datasets.digits import Digits
from nnlab.data.split import Data, Split

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits() -> Data:
    return Digits(root="nowhere").open(CPU)


def images(split: Split) -> Counter:
    return Counter(image.numpy().tobytes() for image in split.target.x[split.rows])


def test_all_1797_examples_are_in_exactly_one_split(digits):
    from sklearn.datasets import load_digits

    everything = Counter(image.astype("uint8").tobytes() for image in load_digits().images)
    assert everything.total() == 1797
    assert images(digits.train) + images(digits.validation) + images(digits.test) == everything


def test_values_are_sixteenths_and_reach_both_ends(digits):
    values = digits.train.values(digits.train.rows) * 16
    assert torch.equal(values, values.round())
    assert (values.min(), values.max()) == (0, 16)


def test_images_keep_their_labels(digits):
    from sklearn.datasets import load_digits

    known = load_digits()
    label_of = {image.astype("uint8").tobytes(): label for image, label in zip(known.images, known.target, strict=True)}
    for split in (digits.train, digits.validation, digits.test):
        read = zip(split.target.x[split.rows], split.labels(split.rows), strict=True)
        assert all(label_of[image.numpy().tobytes()] == label for image, label in read)


def test_the_test_split_is_a_fifth_of_each_class(digits):
    test = digits.test.labels(digits.test.rows).bincount()
    whole = test + digits.train.sources["label"].x.bincount()
    assert test.tolist() == [round(0.2 * count) for count in whole.tolist()]


def test_the_test_split_does_not_depend_on_the_seed(digits):
    other = Digits(root="nowhere", seed=7).open(CPU)
    assert torch.equal(other.test.target.x, digits.test.target.x)
    assert not torch.equal(other.train.rows, digits.train.rows)


def test_enlarged_digits_are_those_of_pillow(digits):
    """Bicubic as in PIL, whose kernel has a = −½ and torch's −¾: near, and within the bounds; no digit leaves its split."""
    large = Digits(root="nowhere", size=28).open(CPU)
    assert (large.spec.shape, large.train.target.dtype, large.spec.in_unit_interval) == ((1, 28, 28), torch.uint8, True)
    assert torch.equal(large.test.labels(large.test.rows), digits.test.labels(digits.test.rows))
    small, wide = digits.test.target.x[:50, 0], large.test.target.x[:50, 0]
    for image, made in zip(small, wide, strict=True):
        levels = Image.fromarray((image * 15.9375).round().to(torch.uint8).numpy())
        expected = torch.from_numpy(np.array(levels.resize((28, 28), Image.Resampling.BICUBIC)))
        assert (made.int() - expected.int()).abs().float().mean() < 6
    assert (wide.min(), wide.max()) == (0, 255)


def test_a_margin_is_a_frame_of_zeros_around_smaller_digits() -> None:
    framed, bare = (Digits(root="nowhere", size=size, margin=margin).load().x_train for size, margin in ((28, 4), (20, 0)))
    assert torch.equal(framed[..., 4:-4, 4:-4], bare)
    assert framed.long().sum() == bare.long().sum()


def test_a_margin_that_leaves_too_little_is_refused(nnlab) -> None:
    status, _, error = nnlab("train", "model=ae", "data=digits", "data.size=12", "data.margin=3")
    assert status == 2
    assert error == "nnlab: data.margin: of 12 pixels 3 at each border leave fewer than 8; give data.size=14 or more\n"


def test_digits_of_their_own_size_are_as_they_are(digits):
    assert torch.equal(Digits(root="nowhere", size=8).load().x_test, digits.test.target.x)
    assert Digits(root="nowhere", size=11).size() == 1797 * (121 + 8)


def test_the_spec_is_of_gray_8x8_images_in_ten_classes(digits):
    spec = digits.spec
    assert (spec.kind, spec.shape, spec.classes) == ("image", (1, 8, 8), tuple("0123456789"))
    assert spec.in_unit_interval
