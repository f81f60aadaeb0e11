"""A file of codes: examples as codes of an autoencoder, in a few bytes each.

An .npz that numpy.load reads:

codes        (N, d) float32, float16 or uint8; of a model that spells them (N, T) symbols, uint8 or uint16
offset, scale  (d,) float32, of uint8 alone: a coordinate is offset + scale · code
alphabet     (1,) how many symbols there are, of symbols alone
shape        of an example
fingerprint  (1,) of the weights that encoded them, without which they mean nothing
names        of the files that were encoded, if they were files: UTF-8, with a zero byte between two, deflated
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from nnlab.data.datasets.npz import DAMAGED
from nnlab.data.own_files import chunks, opened
from nnlab.errors import BadInput, one_line, printable
from nnlab.model import Decodes
from nnlab.runs.npz_file import archive, write_array

Kind = Literal["float32", "float16", "uint8", "symbols"]
NUMBERS = ("float32", "float16", "uint8")
STEPS = 255  # of a byte
KNOWN = ("shape", "fingerprint", "offset", "scale", "alphabet", "names")
LONGEST = 4096  # bytes of a path, with the zero byte after it


@dataclass(frozen=True)
class Coding:
    """How a code z is stored: as it is, rounded to float16, in bytes between a coordinate's least and greatest value, or as
    the symbols that it is spelled with.

    offset, scale  (d,) float32, of bytes: z ≈ offset + scale · byte, at most half a scale from it
    alphabet       how many symbols there are, of symbols
    """

    kind: Kind = "float32"
    offset: np.ndarray | None = None
    scale: np.ndarray | None = None
    alphabet: int | None = None

    @classmethod
    def of_bytes(cls, low: np.ndarray, high: np.ndarray) -> Coding:
        """For codes between `low` and `high` (d,)."""
        scale = (high.astype(np.float64) - low) / STEPS
        return cls("uint8", low.astype(np.float32), scale.astype(np.float32))

    def pack(self, codes: np.ndarray) -> np.ndarray:
        """(n, d) float32, or (n, T) symbols → as they are stored."""
        if self.alphabet is not None:
            return codes.astype(letters(self.alphabet))
        if self.offset is None:
            with np.errstate(over="ignore"):  # what is beyond float16 becomes infinite, which the caller tells
                return codes.astype(self.kind)
        step = np.where(self.scale > 0, self.scale, 1).astype(np.float64)  # of a coordinate that never changes
        return ((codes - self.offset.astype(np.float64)) / step).round().clip(0, STEPS).astype(np.uint8)

    def unpack(self, stored: np.ndarray) -> np.ndarray:
        """(n, d) as stored → float32; (n, T) symbols → int64. Raises BadInput for a symbol that there is not."""
        if self.alphabet is not None:
            if stored.size and stored.max() >= self.alphabet:
                raise BadInput(f"symbol {stored.max()} of an alphabet of {self.alphabet}: the file of codes is damaged")
            return stored.astype(np.int64)
        if self.offset is None:
            return stored.astype(np.float32)
        return (self.offset + self.scale.astype(np.float64) * stored).astype(np.float32)


def restored(model: Decodes, coding: Coding, packed: np.ndarray) -> Tensor:
    """Outputs (n, *shape) of codes as they are stored."""
    stored = torch.from_numpy(coding.unpack(packed)).to(next(model.parameters()).device)
    return model.decode(stored if coding.alphabet is None else model.decode_indices(stored))


def letters(alphabet: int) -> np.dtype:
    """The smallest type that holds so many symbols."""
    return np.min_scalar_type(alphabet - 1)


def write(
    path: Path, packed: Iterable[np.ndarray], n: int, coding: Coding, shape: tuple[int, ...], fingerprint: str, names: list[str]
) -> None:
    """n packed codes, batch by batch; nothing grows with their number. Raises BadInput if there is no writing there."""
    with archive(path) as into:
        write_array(into, "codes", n, packed)
        known = {"shape": np.array(shape), "fingerprint": np.array([fingerprint])}
        if coding.offset is not None:
            known |= {"offset": coding.offset, "scale": coding.scale}
        if coding.alphabet is not None:
            known["alphabet"] = np.array([coding.alphabet])
        if names:
            known["names"] = np.frombuffer(
                zlib.compress("\0".join(printable(name).replace("\\", "%") for name in names).encode()), np.uint8
            )
        for name, array in known.items():
            write_array(into, name, len(array), [array])


@dataclass(frozen=True)
class CodeFile:
    """A file of codes that has been looked at: what it says of itself, and the codes as one goes along them."""

    path: Path
    count: int
    width: int
    coding: Coding
    shape: tuple[int, ...]
    fingerprint: str
    names: list[str]

    def parts(self, together: int) -> Iterator[np.ndarray]:
        """(n, d) as they are stored, so many at a time."""
        return chunks(self.path, "codes", together)


def read(path: Path) -> CodeFile:
    """Raises BadInput if it is no file of codes, or not whole."""
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as whole:
            spoilt = whole.testzip()  # of every byte, so that nothing is written of a file that ends too soon
        if spoilt:
            raise zipfile.BadZipFile(f"wrong checksum of {spoilt}")
        with np.load(path, allow_pickle=False) as stored:  # a pickle would run code
            for name in stored.files:
                with opened(path, name):  # its header is true
                    pass
            absent = [name for name in ("codes", "shape", "fingerprint") if name not in stored.files]
            known = {name: stored[name] for name in stored.files if name in KNOWN}
        if absent:
            raise BadInput(f"{path}: holds no {absent[0]}; expected a file that nnlab compress wrote")
        with opened(path, "codes") as (_, (count, width), dtype, _):
            coding = coding_of(dtype, width, known)
        shape, names = tuple(int(side) for side in known["shape"]), names_of(known, count)
        fingerprint = str(known["fingerprint"][0])
        if not re.fullmatch("[0-9a-f]{16}", fingerprint):  # it is shown to the user
            raise ValueError("its fingerprint is none")
    except (*DAMAGED, IndexError, MemoryError, TypeError) as error:
        raise BadInput(f"{path}: truncated or damaged ({one_line(error)}); encode once more") from error
    return CodeFile(path, count, width, coding, shape, fingerprint, names)


def coding_of(dtype: np.dtype, width: int, known: dict[str, np.ndarray]) -> Coding:
    """How the codes of a file are stored, by their type and width and its other arrays. Raises ValueError if they disagree."""
    if "alphabet" in known:
        alphabet = int(known["alphabet"][0])
        if alphabet < 2 or dtype != letters(alphabet):
            raise ValueError(f"symbols of {dtype}, out of {alphabet}")
        return Coding("symbols", alphabet=alphabet)
    if dtype.name not in NUMBERS:
        raise ValueError(f"codes of {dtype}; expected {', '.join(NUMBERS)}")
    if dtype.name != "uint8":
        return Coding(dtype.name)
    for name in ("offset", "scale"):
        if known[name].shape != (width,) or known[name].dtype != np.float32 or not np.isfinite(known[name]).all():
            raise ValueError(f"{name} is not {width} finite numbers")
    return Coding("uint8", known["offset"], known["scale"])


def names_of(known: dict[str, np.ndarray], count: int) -> list[str]:
    """The names of a file's inputs, empty if it has none. Raises ValueError if they are not `count` names."""
    if "names" not in known:
        return []
    inflated = zlib.decompressobj().decompress(known["names"].tobytes(), LONGEST * count)  # of a stranger's it may be endless
    names = inflated.decode().split("\0")
    if len(names) != count:
        raise ValueError(f"{len(names)} names of {count} codes")
    return names
