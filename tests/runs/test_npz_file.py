"""An .npz written in parts, as numpy reads it."""

from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np
import pytest

from nnlab.errors import BadInput
from nnlab.runs.npz_file import archive, write_array


@pytest.mark.parametrize("array", [np.arange(35, dtype=np.float32).reshape(7, 5), np.arange(7), np.array(list("abcdefg"))])
def test_numpy_reads_the_parts_as_one_array(array, tmp_path):
    with archive(tmp_path / "new" / "codes.npz") as into:
        write_array(into, "one", len(array), np.array_split(array, 3))
        write_array(into, "two", len(array), [array[:, None].T.T])
    with np.load(tmp_path / "new" / "codes.npz", allow_pickle=False) as found:
        assert np.array_equal(found["one"], array)
        assert found["one"].dtype == array.dtype
        assert np.array_equal(found["two"], array[:, None])


def test_a_part_that_is_written_is_held_no_longer(tmp_path):
    alive = []

    def parts():
        for i in range(5):
            part = np.full((1000, 3), i, np.float32)
            alive.append(weakref.ref(part))
            yield part
            del part
            assert sum(ref() is not None for ref in alive) <= 1

    with archive(tmp_path / "codes.npz") as into:
        write_array(into, "codes", 5000, parts())


def test_the_same_arrays_are_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        with archive(tmp_path / name) as into:
            write_array(into, "x", 3, [np.arange(3)])
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("fault", [BadInput("an image is damaged"), KeyboardInterrupt()])
def test_what_fails_leaves_what_was_there_before(fault, tmp_path):
    def parts():
        yield np.zeros(2)
        raise fault

    path = tmp_path / "codes.npz"
    path.write_bytes(b"before")
    with pytest.raises(type(fault)), archive(path) as into:
        write_array(into, "x", 4, parts())
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_where_there_is_no_writing_is_said_in_a_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="file"), archive(tmp_path / "file" / "codes.npz"):
        pass
