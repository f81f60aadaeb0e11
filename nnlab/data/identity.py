"""Check that data are those of a run's training: a digest of the values, the labels and the splits."""

from __future__ import annotations

import zlib
from dataclasses import replace

import torch
from torch import Tensor

from nnlab.data.source import FileArray, Mapped, Resident, Source
from nnlab.data.spec import DataSpec, Part
from nnlab.data.split import Arrays, Data, Split
from nnlab.errors import BadInput, printable


def digest(arrays: Arrays) -> str:
    """Eight hexadecimal digits of the values and eight of the labels, as they were loaded: a checksum, not a proof."""
    others = (part for other in arrays.others.values() for part in (other.train, other.test, *_words(other.part)))
    return f"{_crc(arrays.x_train, arrays.x_test, *others)}-{_crc(arrays.y_train, arrays.y_test)}"


def _words(part: Part) -> tuple[Tensor, ...]:
    """The words of a text as bytes: its numbers alone do not tell "red" from "blue"."""
    text = "\n".join(part.names).encode()
    return (torch.frombuffer(bytearray(text), dtype=torch.uint8),) if part.kind == "text" and text else ()


def splits_digest(*rows: Tensor) -> str:
    """Eight hexadecimal digits, a checksum of the splits."""
    return _crc(*rows)


def _crc(*arrays: Tensor | FileArray | None) -> str:
    crc = 0
    for array in arrays:
        whole = torch.empty(0) if array is None else array
        crc = zlib.crc32(str(tuple(whole.shape)).encode(), crc)
        for part in whole.chunks() if isinstance(whole, FileArray) else (whole.cpu().contiguous(),):
            crc = zlib.crc32(part.numpy().reshape(-1).view("uint8").data, crc)
    return f"{crc:08x}"


def differences(known: DataSpec, now: DataSpec) -> list[str]:
    """The differences between the data of a run and the data now; empty if none are known.

    A run of an older version has another digest, of the values only: then only the shape is compared.
    """
    changes = []
    if known.shape != now.shape:
        changes.append(f"shape {known.shape}, now {now.shape}")
    if known.classes != now.classes:
        changes.append(f"classes {_some(known.classes)}, now {_some(now.classes)}")
    if known.columns != now.columns and known.shape == now.shape:
        changes.append(f"columns {_some(known.columns)}, now {_some(now.columns)}")
    changes += [f"other words in {name}" for name in _other_texts(known, now)]
    if "-" in known.digest:
        pairs = zip(("values", "labels"), known.digest.split("-"), now.digest.split("-"), strict=False)
        changes += [f"other {what}" for what, before, after in pairs if before != after]
        if known.splits != now.splits and not changes:
            changes.append("other examples in the splits")
    return changes


def _other_texts(known: DataSpec, now: DataSpec) -> list[str]:
    """The names of a run's texts whose vocabulary or length is another now, so that their numbers mean other words."""
    texts = {name: part for name, part in known.parts.items() if part.kind == "text"}
    return [name for name, part in texts.items() if now.parts.get(name) != part]


def _some(names: tuple[str, ...]) -> str:
    return printable(", ".join(names[:5]) + (", …" if len(names) > 5 else "")) or "none"


def as_trained(data: Data, known: DataSpec, allowed: bool) -> tuple[Data, list[str]]:
    """The data in the form of a run, and the differences from the data of its training.

    Raises BadInput if they differ, unless that is `allowed`, and if the model cannot take them at all. A table is standardised
    with the run's mean and std, and the range of the values is the run's, since its model learned from these values.
    """
    differs = differences(known, data.spec)
    if not differs:
        return data, []
    message = f"data: {data.spec.name} is not what the run was trained on ({'; '.join(differs)})"
    if (
        known.shape != data.spec.shape
        or known.given.shape != data.spec.given.shape
        or len(known.classes) != len(data.spec.classes)
        or _other_texts(known, data.spec)
    ):
        raise BadInput(f"{message}, and its model cannot take it; give back the old data, or train again")
    if not allowed:
        raise BadInput(f"{message}; give back the old data, or add --data-changed to go on and record it")
    if known.mean != data.spec.mean or known.std != data.spec.std:
        data = _standardised_as(data, known)
    return replace(data, spec=replace(known, digest=data.spec.digest, splits=data.spec.splits)), differs


def _standardised_as(data: Data, known: DataSpec) -> Data:
    """The splits of a table, standardised with the run's mean and standard deviation."""
    moved: dict[int, Source] = {}  # training and validation share one array
    moments = [torch.tensor(values, dtype=torch.float64) for values in (known.mean, known.std)] if known.mean else []

    def again(split: Split) -> Split:
        source = split.target
        if id(source) not in moved:
            moved[id(source)] = restandardised(source, data.spec, moments)
        return replace(split, sources={**split.sources, "target": moved[id(source)]})

    names = ("train", "validation", "test", "held_out")
    return replace(data, **{name: again(getattr(data, name)) for name in names})


def restandardised(source: Source, spec: DataSpec, moments: list[Tensor]) -> Source:
    """The table of a source with another mean and standard deviation, (D,) float64 each; without them in the file's units."""
    if isinstance(source, Mapped):
        return Mapped(source.array, source.device, source.scale, *moments)
    original = spec.original(source.x)
    if moments:
        mean, std = (each.to(original.device, original.dtype) for each in moments)
        original = (original - mean) / std
    return Resident(original.float())
