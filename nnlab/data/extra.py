"""`data.extra`: examples of a file, such as `nnlab augment` writes, among those to train on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nnlab.data.dataset import Dataset
from nnlab.data.identity import splits_digest
from nnlab.data.inputs import Reader
from nnlab.data.own_files import ARRAYS, of_npz
from nnlab.data.source import Resident
from nnlab.data.spec import DataSpec
from nnlab.data.split import Data, Split
from nnlab.errors import BadInput, printable

MADE_OF_TEST = "made_of_test_images_of"  # an array of the file: a classifier that learns from them knows the test images


def open_data(dataset: Dataset, device: torch.device) -> Data:
    """The splits of a dataset on a device, with the examples of `data.extra` at the end of the training split.

    Raises BadInput as `Dataset.open`, and if the examples do not fit the data.
    """
    data = dataset.open(device)
    if dataset.extra is None:
        return data
    sources = data.train.sources
    if more := sorted(set(sources) - {"target", "label"}):
        raise BadInput(f"data.extra: {data.spec.name} has more than examples and labels ({', '.join(more)}); leave it out")
    if not data.train.resident:
        raise BadInput("data.extra: the examples are read from the disk as needed; give data.storage=memory, or leave it out")
    x, y = read(dataset, data.spec, data.train)
    n = len(data.train.target)
    added = {"target": Resident(torch.cat([sources["target"].x, x.to(device)]), sources["target"].scale)}
    if y is not None:
        added["label"] = Resident(torch.cat([sources["label"].x, y.to(device)]))
    rows = torch.cat([data.train.rows, torch.arange(n, n + len(x), device=data.train.rows.device)])
    spec = replace(data.spec, splits=splits_digest(torch.tensor([int(data.spec.splits, 16)]), x, y))
    remarks = [f"{len(x):,} examples of {printable(dataset.extra.name)} are among those to train on"]
    if origin := tested(dataset.extra):
        remarks.append(
            f"{printable(dataset.extra.name)} is made of test images of {printable(origin)}: on these, figures are too good"
        )
    return replace(
        data,
        spec=spec,
        train=replace(data.train, sources=added, rows=rows),
        validation=replace(data.validation, sources=added),
        remarks=(*data.remarks, *remarks),
    )


def tested(path: Path) -> str | None:
    """The name of the data of whose test images the examples of a file are made, or None."""
    with np.load(path, allow_pickle=False) as archive:
        return str(archive[MADE_OF_TEST][0]) if MADE_OF_TEST in archive.files else None


def read(dataset: Dataset, spec: DataSpec, train: Split) -> tuple[Tensor, Tensor | None]:
    """(n, *shape) the examples of the file as the training split stores its own, and their labels (n,) int64, or None."""
    place = f"data.extra: {dataset.extra}"
    if not dataset.extra.is_file():
        raise BadInput(f"data.extra: no file {dataset.extra}; nnlab augment RUN -n 100 -o FILE.npz writes one")
    try:
        inputs = of_npz(dataset.extra, Reader(spec, None, torch.device("cpu"), torch.Generator()))
        values = torch.cat([batch.target for batch in inputs.batches])
    except BadInput as error:
        raise BadInput(*(f"data.extra: {problem}" for problem in error.problems)) from error
    if train.labelled and inputs.labels is None:
        arrays = " or ".join(f"'{y}' beside '{x}'" for x, y in ARRAYS.items())
        raise BadInput(f"{place} has no labels, but the examples of {spec.name} have; add class names as an array {arrays}")
    if train.labelled and inputs.classes != spec.classes:
        unknown = [name for name in inputs.classes if name not in spec.classes]
        raise BadInput(f"{place} holds classes that {spec.name} lacks: {printable(', '.join(unknown[:5]))}")
    if train.is_binary:
        values = (values >= 0.5).float()
    stored = values / train.target.scale
    if train.target.dtype == torch.uint8:
        stored = stored.round().byte()
    return stored, torch.from_numpy(inputs.labels) if train.labelled else None
