"""Datasets that a dataset is made of, such as the two of `domains`: their nodes, and messages about their keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from nnlab.config.build import build
from nnlab.data.classes import choose
from nnlab.data.dataset import Dataset
from nnlab.data.split import Arrays
from nnlab.errors import BadInput

WITHOUT_EFFECT = {  # keys of an inner dataset, as they are if they were not typed
    **{"validation": "auto", "limit": None, "train_size": None},
    **{"imbalance": None, "oversample": False, "extra": None},
}
KEY = re.compile(r"(?<![\w/.])data\.(?!root\b)(?=[a-z_])")  # the start of a key of a dataset, in a message


def built(node: Mapping, key: str, root: Path, *, role: str, counts_in: str) -> Dataset:
    """The dataset of the node at data.KEY. Its root is that of the whole: a run folder from elsewhere says one root alone.

    role, counts_in  end the message about keys that have no effect in the node: on "a domain", since they count "in both"
    """
    inner = build({**node, "root": str(root)}, Dataset, place=f"data.{key}")
    for name, absent in WITHOUT_EFFECT.items():
        if getattr(inner, name) != absent:
            raise BadInput(f"data.{key}.{name}: has no effect on {role}; give data.{name}, which counts {counts_in}")
    return inner


@contextmanager
def placed(key: str) -> Iterator[None]:
    """Messages of the dataset at data.KEY about its own keys are about data.KEY.…"""
    try:
        yield
    except BadInput as error:
        raise BadInput(*(KEY.sub(f"data.{key}.", text) for text in error.problems)) from error


def check_images(dataset: Dataset, arrays: Arrays, key: str, role: str) -> None:
    """Raise BadInput unless the loaded arrays of the dataset at data.KEY are images without further parts.

    role  what such images are for, "a domain is a set of images"
    """
    if arrays.x_train.ndim != 4:
        raise BadInput(f"data.{key}: {dataset.name} is a table, but {role}; choose images")
    if arrays.others:
        held = ", ".join(arrays.others)
        raise BadInput(f"data.{key}: {dataset.name} holds more than images ({held}); choose a dataset of images alone")


def of_its_classes(dataset: Dataset, arrays: Arrays) -> Arrays:
    """The loaded arrays of a dataset, as it stores them, of the classes that it chooses.

    Raises BadInput if their bits are drawn at each reading, which those of a part of the data cannot be.
    """
    chosen = choose(arrays, dataset.chosen, dataset.name)
    arrays = dataset.prepare(chosen.arrays, chosen.train)
    if arrays.dynamic_binarization:
        raise BadInput("data.binarize: dynamic cannot draw the bits of these images alone; choose threshold or fixed")
    rows = {"train": chosen.train, "test": chosen.test}
    x = {f"x_{name}": getattr(arrays, f"x_{name}")[own] for name, own in rows.items()}
    labels = {name: getattr(arrays, f"y_{name}") for name in rows}
    y = {f"y_{name}": None if labels[name] is None else labels[name][own] for name, own in rows.items()}
    return replace(arrays, **x, **y)
