"""A file of codes: how near a stored code is, and what is refused."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from nnlab.commands import compress
from nnlab.errors import BadInput
from nnlab.latent.code_file import NUMBERS, Coding, Kind, read, write

MARK = "0123456789abcdef"


def codes(n: int = 103, d: int = 5) -> np.ndarray:
    rng = np.random.default_rng(0)
    spread = np.array([1, 1e-3, 100, 0, 7])[:d]
    return (rng.normal(size=(n, d)) * spread + [0, 5, -300, 2.5, 1e4][:d]).astype(np.float32)


def coding(kind: str, z: np.ndarray) -> Coding:
    return Coding.of_bytes(z.min(0), z.max(0)) if kind == "uint8" else Coding(kind)


def saved(kind: str = "float32", names: list[str] | None = None, path: str = "codes.npz") -> np.ndarray:
    z = codes()
    how = coding(kind, z)
    write(Path(path), (how.pack(part) for part in np.array_split(z, 4)), len(z), how, (1, 8, 8), MARK, names or [])
    return z


def test_every_kind_can_be_asked_for():
    assert compress.KINDS == get_args(Kind) == (*NUMBERS, "symbols")


def test_float32_is_exact():
    z = codes()
    assert np.array_equal(Coding().unpack(Coding().pack(z)), z)


def test_float16_is_rounded_to_eleven_bits():
    z = codes()
    back = coding("float16", z)
    assert np.allclose(back.unpack(back.pack(z)), z, rtol=2**-11, atol=0)


def test_a_byte_is_at_most_half_a_step_off_and_the_ends_are_met():
    z = codes()
    how = coding("uint8", z)
    packed = how.pack(z)
    assert packed.dtype == np.uint8
    exact = z.astype(np.float64)
    step = (exact.max(0) - exact.min(0)) / 255
    float32 = np.abs(exact).max(0) * 2**-23  # in which the offset and the decoded code are
    assert (np.abs(how.unpack(packed) - exact) <= step / 2 + 2 * float32).all()
    changing = step > 0
    assert (packed.min(0) == 0).all()
    assert (packed.max(0)[changing] == 255).all()
    assert np.array_equal(how.unpack(packed)[:, ~changing], z[:, ~changing]), "what never changes is exact"


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("names", [[], [f"a/{i} ä.png" for i in range(103)]])
@pytest.mark.parametrize("together", [1, 10, 1000])
def test_what_is_written_is_read(own_folder, kind, names, together):
    z = saved(kind, names)
    file = read(Path("codes.npz"))
    how = coding(kind, z)
    assert np.array_equal(file.coding.unpack(np.concatenate(list(file.parts(together)))), how.unpack(how.pack(z)))
    assert (file.count, file.width, file.shape, file.fingerprint, file.names) == (103, 5, (1, 8, 8), MARK, names)
    with np.load("codes.npz") as found:
        assert found["codes"].dtype == kind
        assert {"offset", "scale"} <= set(found.files) or kind != "uint8"


def test_the_same_codes_are_the_same_bytes(own_folder):
    saved(path="a.npz")
    saved(path="b.npz")
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes()


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_truncated_file_is_refused_wherever_it_ends(own_folder, kind):
    saved(kind, ["x"] * 103)
    whole = Path("codes.npz").read_bytes()
    for end in (0, 1, 50, 200, len(whole) // 2, len(whole) - 1):
        Path("cut.npz").write_bytes(whole[:end])
        with pytest.raises(BadInput, match=r"cut.npz: truncated or damaged \(.*\); encode once more"):
            read(Path("cut.npz"))


def test_a_changed_byte_is_refused(own_folder):
    saved()
    whole = bytearray(Path("codes.npz").read_bytes())
    whole[600] ^= 1
    Path("codes.npz").write_bytes(whole)
    with pytest.raises(BadInput, match="truncated or damaged"):
        read(Path("codes.npz"))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"codes": None}, "holds no codes; expected a file that nnlab compress wrote"),
        ({"fingerprint": None}, "holds no fingerprint; expected a file that nnlab compress wrote"),
        ({"fingerprint": np.array(["\x1b[31m"])}, "its fingerprint is none"),
        ({"fingerprint": np.array([{}], object)}, "truncated or damaged"),
        ({"codes": np.zeros((103, 5), np.int16)}, "codes of int16; expected float32, float16, uint8"),
        ({"codes": np.zeros(103, np.float32)}, "truncated or damaged"),
        ({"scale": np.zeros(4, np.float32)}, "scale is not 5 finite numbers"),
        ({"offset": np.full(5, np.nan, np.float32)}, "offset is not 5 finite numbers"),
        ({"names": np.frombuffer(zlib.compress(b"a\0b"), np.uint8)}, "2 names of 103 codes"),
        ({"names": np.frombuffer(b"no deflate", np.uint8)}, "truncated or damaged"),
        ({"shape": np.array(["a"])}, "truncated or damaged"),
    ],
    ids=str,
)
def test_a_strangers_file_is_data_and_is_checked(own_folder, changed, expected):
    saved("uint8")
    with np.load("codes.npz") as found:
        arrays = {**found, **changed}
    np.savez("other.npz", **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(BadInput) as error:
        read(Path("other.npz"))
    assert expected in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_names_that_never_end_are_not_unpacked(own_folder):
    saved()
    with np.load("codes.npz") as found:
        bomb = zlib.compress(b"a" * 10**8)
        np.savez("bomb.npz", **found, names=np.frombuffer(bomb, np.uint8))
    with pytest.raises(BadInput, match="1 names of 103 codes"):
        read(Path("bomb.npz"))


def test_what_is_no_file_of_codes(own_folder):
    with pytest.raises(BadInput, match=r"nowhere.npz: no such file"):
        read(Path("nowhere.npz"))
    with zipfile.ZipFile("empty.npz", "w"):
        pass
    with pytest.raises(BadInput, match="holds no codes"):
        read(Path("empty.npz"))
