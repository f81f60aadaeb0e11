"""A user's own arrays: what is read from an npz file, and what is refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from nnlab.data.datasets.npz import Npz
from nnlab.errors import BadInput

CPU = torch.device("cpu")
RANDOM = np.random.default_rng(0)
BYTES = RANDOM.integers(0, 256, (30, 5, 4), dtype=np.uint8)
REALS = RANDOM.random((30, 5, 4))
TABLE = RANDOM.normal(0, 10, (30, 7))


def saved(root: Path, **arrays) -> Npz:
    np.savez(root / "mine.npz", **arrays)
    return Npz(root=str(root), file="mine.npz", validation=0)


def refused(root: Path, match: str, **arrays) -> BadInput:
    with pytest.raises(BadInput, match=match) as caught:
        saved(root, **arrays).open(CPU)
    return caught.value


def seen(data) -> np.ndarray:
    return data.train.values(data.train.rows).numpy()


def test_byte_images_are_parts_of_255(tmp_path):
    data = saved(tmp_path, x_train=BYTES, x_test=BYTES[:3]).open(CPU)
    assert data.train.target.x.dtype == torch.uint8
    assert np.allclose(seen(data)[:, 0], BYTES / 255)
    assert (data.spec.shape, data.spec.low, data.spec.high, data.spec.bounded) == ((1, 5, 4), 0, 1, True)


def test_real_images_within_0_and_1_keep_their_values_and_that_range(tmp_path):
    data = saved(tmp_path, x_train=REALS, x_test=REALS[:3]).open(CPU)
    assert np.array_equal(seen(data)[:, 0], REALS.astype(np.float32))
    assert (data.spec.low, data.spec.high, data.spec.in_unit_interval) == (0, 1, True)


def test_real_images_beyond_have_their_own_range(tmp_path):
    data = saved(tmp_path, x_train=4 * REALS - 2, x_test=REALS[:3]).open(CPU)
    assert (data.spec.low, data.spec.high) == (seen(data).min(), seen(data).max())
    assert not data.spec.in_unit_interval


def test_a_range_is_called_bounded_only_if_every_split_keeps_it(tmp_path):
    data = saved(tmp_path, x_train=REALS, x_test=REALS[:3] + 5).open(CPU)
    assert not data.spec.in_unit_interval


def test_yes_no_images_are_0_and_1(tmp_path):
    data = saved(tmp_path, x_train=BYTES > 99, x_test=BYTES[:3] > 99).open(CPU)
    assert np.array_equal(seen(data)[:, 0], BYTES > 99)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("last", [True, False])
def test_channels_may_come_first_or_last(channels, last, tmp_path):
    x = RANDOM.integers(0, 256, (30, channels, 5, 4), dtype=np.uint8)
    stored = x.transpose(0, 2, 3, 1) if last else x
    data = saved(tmp_path, x_train=stored, x_test=stored[:3]).open(CPU)
    assert data.spec.shape == (channels, 5, 4)
    assert np.array_equal(data.train.target.x.numpy(), x)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint8])
def test_a_table_keeps_its_numbers(dtype, tmp_path):
    table = np.abs(TABLE).astype(dtype)
    data = saved(tmp_path, x_train=table, x_test=table[:3]).open(CPU)
    assert (data.spec.kind, data.spec.shape) == ("table", (7,))
    assert np.array_equal(seen(data), table.astype(np.float32))
    assert (data.spec.low, data.spec.high) == (seen(data).min(), seen(data).max())


def test_labels_may_be_texts_and_are_the_same_classes_in_both_splits(tmp_path):
    y, y_test = np.array(["dog", "cat", "fox"] * 10), np.array(["fox", "cat", "fox"])
    data = saved(tmp_path, x_train=BYTES, y_train=y, x_test=BYTES[:3], y_test=y_test).open(CPU)
    assert data.spec.classes == ("cat", "dog", "fox")
    for split, names in ((data.train, y), (data.test, y_test)):
        assert [data.spec.classes[i] for i in split.labels(split.rows)] == names.tolist()


def test_numbered_labels_with_gaps_become_classes(tmp_path):
    y = np.array([5, 10, 7] * 10)
    data = saved(tmp_path, x_train=BYTES, y_train=y, x_test=BYTES[:3], y_test=y[:3]).open(CPU)
    assert data.spec.classes == ("5", "7", "10")
    assert data.test.sources["label"].x.tolist() == [0, 2, 1]


def test_a_share_of_each_class_is_set_aside_where_there_is_no_test(tmp_path):
    y = np.repeat([0, 1], [10, 20])
    data = saved(tmp_path, x_train=BYTES, y_train=y).open(CPU)
    assert data.test.sources["label"].x.bincount().tolist() == [1, 2]
    both = sorted(
        [row.tobytes() for row in data.train.target.x.numpy()] + [row.tobytes() for row in data.test.target.x.numpy()]
    )
    assert both == sorted(row.tobytes() for row in BYTES)


def test_the_size_told_covers_the_loaded_arrays(tmp_path):
    table = np.abs(TABLE).astype(np.uint8).repeat(100, axis=0)
    dataset = saved(tmp_path, x_train=table, x_test=table)
    data = dataset.open(CPU)
    assert dataset.size() >= sum(split.target.x.numel() * split.target.x.element_size() for split in (data.train, data.test))


LARGE = np.where(np.arange(210).reshape(30, 7) == 17, 1e300, 0)
WRONG = {
    "absent": (r"has no array 'x_train'; it holds data, y_train$", {"data": BYTES, "y_train": np.zeros(30)}),
    "scalar": (r"x_train has shape \(\); expected images", {"x_train": np.float64(3)}),
    "vector": (r"x_train has shape \(30,\); expected images", {"x_train": np.zeros(30)}),
    "empty": (r"x_train has shape \(0, 5, 4\)", {"x_train": BYTES[:0]}),
    "two channels": (r"x_train has shape \(30, 5, 4, 2\), without an axis of 1 or 3", {"x_train": np.zeros((30, 5, 4, 2))}),
    "five axes": (r"x_train has shape \(2, 3, 4, 5, 6\)", {"x_train": np.zeros((2, 3, 4, 5, 6))}),
    "texts": (r"x_train holds .*; expected numbers", {"x_train": np.array([["a", "b"]])}),
    "complex": (r"x_train holds complex128", {"x_train": TABLE * 1j}),
    "beyond float32": (r"x_train\[2, 3\] is 1e\+300", {"x_train": LARGE}),
    "few labels": (
        r"y_train has shape \(29,\); expected one label per row of x_train, \(30,\)",
        {"x_train": BYTES, "y_train": np.zeros(29)},
    ),
    "one label": (r"y_train .*shape \(\)", {"x_train": BYTES, "y_train": np.int64(3)}),
    "more labels": (
        r"y_test has shape \(4,\); expected one label per row of x_test, \(3,\)",
        {"x_train": BYTES, "y_train": np.zeros(30), "x_test": BYTES[:3], "y_test": np.zeros(4)},
    ),
    "another shape": (r"x_test has rows of shape \(4, 4\), x_train \(5, 4\)", {"x_train": BYTES, "x_test": BYTES[:3, :4]}),
    "another type": (r"x_test is float64, x_train is uint8", {"x_train": BYTES, "x_test": REALS[:3]}),
}


@pytest.mark.parametrize(("match", "arrays"), WRONG.values(), ids=WRONG)
def test_a_wrong_array_is_refused(match, arrays, tmp_path):
    refused(tmp_path, match, **arrays)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("key", ["x_train", "x_test"])
def test_the_first_value_that_is_not_finite_is_located(key, value, tmp_path):
    spoilt = TABLE.copy()
    spoilt[4, 2] = spoilt[9, 0] = value
    message = rf"{key}\[4, 2\] is {value}; 2 values are not finite"
    refused(tmp_path, message, **{"x_train": TABLE, "x_test": TABLE, key: spoilt})


def test_classes_that_training_lacks_are_named(tmp_path):
    y, y_test = np.array(["cat", "dog"] * 15), np.array(["cat", "fox", "elk"])
    refused(tmp_path, "classes that y_train lacks: elk, fox", x_train=BYTES, y_train=y, x_test=BYTES[:3], y_test=y_test)


def test_all_problems_are_told_at_once(tmp_path):
    error = refused(tmp_path, "x_train", x_train=np.full((4, 2), np.nan), y_train=np.zeros(3), x_test=np.zeros((3, 5)))
    assert len(error.problems) == 3


def test_pickled_objects_are_refused_and_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    refused(tmp_path, "arrays of objects are not allowed", x_train=np.array([Trap()], dtype=object))
    assert not (tmp_path / "sprung").exists()


def test_a_file_that_is_no_npz_is_named(tmp_path):
    (tmp_path / "mine.npz").write_text("hello")
    with pytest.raises(BadInput, match=r"mine\.npz is no npz file .*numpy\.savez"):
        Npz(root=str(tmp_path), file="mine.npz").open(CPU)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=rf"no file {tmp_path / 'mine.npz'}\. Give one inside data\.root"):
        Npz(root=str(tmp_path), file="mine.npz").open(CPU)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("part", [0, 0.5, 0.9])
def test_a_damaged_archive_is_named(save, part, tmp_path):
    path = tmp_path / "mine.npz"
    save(path, x_train=TABLE)
    with zipfile.ZipFile(path) as archive:
        member = archive.infolist()[0]
    content = bytearray(path.read_bytes())
    place = member.header_offset + 30 + len(member.filename) + 20 + int(part * member.compress_size)
    content[place : place + 40] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"mine\.npz cannot be read"):
        Npz(root=str(tmp_path), file="mine.npz").open(CPU)


def test_a_header_that_announces_more_than_the_file_holds_is_refused(tmp_path):
    path, told = tmp_path / "mine.npz", io.BytesIO()
    np.lib.format.write_array_header_1_0(told, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 28, 28)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", told.getvalue() + b"\0" * 784)
    with pytest.raises(BadInput, match=r"the header of x_train says shape \(1000000000000, 28, 28\), but it has 784 bytes"):
        Npz(root=str(tmp_path), file="mine.npz").open(CPU)


def test_a_share_that_leaves_no_test_is_refused(tmp_path):
    refused(tmp_path, r"data\.test: 0\.1 of 4 examples", x_train=BYTES[:4])


@pytest.mark.parametrize(
    ("x", "options", "expected", "told"),
    [
        ((BYTES > 127).astype(np.uint8), {}, BYTES > 127, "taken as bits; data.range=[0,255]"),
        ((BYTES > 127).astype(np.uint8), {"range": (0, 255)}, (BYTES > 127) / 255, None),
        ((BYTES > 127).astype(np.int64), {}, BYTES > 127, "taken as bits"),
        (BYTES > 127, {}, BYTES > 127, None),
        (BYTES, {}, BYTES / 255, None),
        (BYTES.astype(np.int64), {}, BYTES / 255, "int64 are taken as levels of 0 … 255; data.range=none"),
        (BYTES.astype(np.float32), {}, BYTES / 255, "float32 are taken as levels of 0 … 255; data.range=none"),
        (BYTES.astype(np.float32), {"range": None}, BYTES, None),
        (BYTES.astype(np.uint16) * 257, {}, BYTES / 255, "uint16 are taken as levels of 0 … 65535"),
        (BYTES.astype(np.uint16) * 16, {"range": (0, 4095)}, BYTES * 16.0 / 4095, None),
        (4 * REALS - 2, {}, 4 * REALS - 2, "are taken as they are; data.range=["),
        (4 * REALS - 2, {"range": (-2, 2)}, REALS, None),
        (REALS, {}, REALS, None),
    ],
)
def test_where_numbers_could_be_read_in_two_ways_the_reading_is_told(x, options, expected, told, tmp_path):
    np.savez(tmp_path / "mine.npz", x_train=x, x_test=x[:3])
    data = Npz(root=str(tmp_path), file="mine.npz", validation=0, **options).open(CPU)
    np.testing.assert_allclose(seen(data)[:, 0], expected, atol=1e-6)
    test = data.test.values(data.test.rows).numpy()
    np.testing.assert_allclose(test[:, 0], np.asarray(expected)[:3], atol=1e-6)
    assert [told in remark for remark in data.remarks] == ([] if told is None else [True])


def test_bits_in_bytes_are_bits_only_if_the_test_agrees(tmp_path):
    data = saved(tmp_path, x_train=(BYTES > 127).astype(np.uint8), x_test=BYTES[:3]).open(CPU)
    assert seen(data).max() == pytest.approx(1 / 255)


@pytest.mark.parametrize(("low_high", "match"), [((0, 100), "beyond [0,100]"), ((5, 5), "low below high")])
def test_a_range_that_cannot_be_is_refused(low_high, match, tmp_path):
    np.savez(tmp_path / "mine.npz", x_train=BYTES)
    with pytest.raises(BadInput) as caught:
        Npz(root=str(tmp_path), file="mine.npz", range=low_high).open(CPU)
    assert match in str(caught.value)


@pytest.mark.parametrize(("channels", "shape"), [("auto", (1, 3, 5)), ("last", (1, 3, 5)), ("first", (3, 5, 1))])
def test_where_channels_could_be_either_axis_the_reading_is_told(channels, shape, tmp_path):
    x = RANDOM.integers(2, 256, (30, 3, 5, 1), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", x_train=x)
    data = Npz(root=str(tmp_path), file="mine.npz", channels=channels).open(CPU)
    assert data.spec.shape == shape
    assert len(data.remarks) == (channels == "auto")


def test_labels_are_the_same_classes_however_they_are_stored(tmp_path):
    y = np.arange(30) % 3 + 8
    data = saved(tmp_path, x_train=BYTES, y_train=y[:, None], x_test=BYTES, y_test=y.astype(np.float64)).open(CPU)
    assert data.spec.classes == ("8", "9", "10")
    assert data.train.labels(data.train.rows).tolist() == data.test.labels(data.test.rows).tolist() == (y - 8).tolist()


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (np.where(np.arange(30) == 4, np.nan, 1.0), r"y_train\[4\] is nan, 1 such labels; remove those rows"),
        (np.eye(30), r"for one-hot rows use y_train.argmax\(1\)"),
    ],
)
def test_labels_that_are_none_are_refused_with_the_remedy(y, match, tmp_path):
    refused(tmp_path, match, x_train=BYTES, y_train=y)


@pytest.mark.parametrize(("channels", "remedy"), [(4, "x_train[..., :3]"), (2, "x_train[..., :1]")])
def test_alpha_is_refused_with_the_remedy(channels, remedy, tmp_path):
    x = RANDOM.integers(0, 256, (30, 5, 4, channels), dtype=np.uint8)
    assert remedy in str(refused(tmp_path, "without an axis of 1 or 3 channels", x_train=x))
