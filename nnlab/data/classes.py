"""`data.classes`: the rows of the classes to learn from, and their new labels; `data.imbalance`: a part of some classes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from nnlab.data.spec import DataSpec
from nnlab.data.split import Arrays, Data, Split
from nnlab.errors import BadInput

CUT_SEED = 0xC07  # makes another seed from the seed of the splits


class Chosen(NamedTuple):
    """Arrays with the labels 0 … k − 1 of the classes to learn from, and the rows of these classes.

    train, test    (n,) int64: rows of the training and of the test arrays
    held_out       (m,) int64: rows of the test arrays of the held-out classes; their labels index `held_out_classes`
    """

    arrays: Arrays
    train: Tensor
    test: Tensor
    held_out: Tensor
    held_out_classes: tuple[str, ...]


def choose(arrays: Arrays, class_keys: list[int | str] | None, name: str) -> Chosen:
    """The rows of these classes, given by number or by name; None is all classes.

    Raises BadInput if a class is unknown or repeated, if there are no labels, or if no test example is left.
    """
    train, test = torch.arange(len(arrays.x_train)), torch.arange(len(arrays.x_test))
    if class_keys is None:
        return Chosen(arrays, train, test, test[:0], ())
    kept = class_indices(class_keys, arrays.classes, name, "data.classes")
    if arrays.y_test is None:
        raise BadInput(f"data.classes: the test examples of {name} have no labels to choose by; add them, or leave it out")
    of_train, of_test = (torch.isin(y, torch.tensor(kept)) for y in (arrays.y_train, arrays.y_test))
    names = tuple(arrays.classes[i] for i in kept)
    if not of_test.any():
        raise BadInput(f"data.classes: {name} has no test example of {', '.join(names)}; choose a class that has some")
    others = [number for number in range(len(arrays.classes)) if number not in kept]
    number = torch.empty(len(arrays.classes), dtype=torch.int64)
    number[kept], number[others] = torch.arange(len(kept)), torch.arange(len(others))
    renumbered = replace(arrays, y_train=number[arrays.y_train], y_test=number[arrays.y_test], classes=names)
    held_out_classes = tuple(arrays.classes[i] for i in others)
    return Chosen(renumbered, train[of_train], test[of_test], test[~of_test], held_out_classes)


def cut(rows: Tensor, arrays: Arrays, shares: Mapping[int | str, float], name: str, seed: int) -> Tensor:
    """The training rows (n,) with only a share of those of some classes, drawn by a seed, in the order of the file.

    shares  by number or name of a class, 0 … 1; 0 leaves it out
    Raises BadInput if a class is unknown, if a share above 0 is not even one example, or if no example is left.
    """
    kept = torch.ones(len(rows), dtype=torch.bool)
    if arrays.y_train is None:
        raise BadInput(f"data.imbalance: {name} has no labels to choose by; leave it out")
    labels = arrays.y_train[rows]
    numbers = class_indices(list(shares), arrays.classes, name, "data.imbalance")
    for number, share in zip(numbers, shares.values(), strict=True):
        own = (labels == number).nonzero().flatten()
        some = round(share * len(own))
        if not some and share:
            raise BadInput(
                f"data.imbalance: {share:g} of the {len(own):,} examples of '{arrays.classes[number]}' is none; give more, or 0"
            )
        generator = torch.Generator().manual_seed(seed ^ CUT_SEED)
        kept[own[torch.randperm(len(own), generator=generator)[some:]]] = False
    if not kept.any():
        raise BadInput(f"data.imbalance: no training example of {name} is left; give a share above 0")
    return rows[kept]


def repeated(rows: Tensor, arrays: Arrays, name: str) -> Tensor:
    """The training rows (m,) in which each class has as many as the largest: those of the others several times, in order."""
    if arrays.y_train is None:
        raise BadInput(f"data.oversample: {name} has no labels, so no class is rare; leave it out")
    labels = arrays.y_train[rows]
    most = int(torch.bincount(labels).max())
    groups = [rows[labels == c] for c in labels.unique()]
    return torch.cat([group.repeat(-(-most // len(group)))[:most] for group in groups]).sort().values


def class_indices(class_keys: Sequence[int | str], classes: tuple[str, ...], name: str, place: str) -> list[int]:
    """The numbers of classes that are given by number or by name; `place` is the key or option, for messages."""
    numbers: list[int] = []
    for key in class_keys:
        number = class_index(key, classes, name, place)
        if number in numbers:
            raise BadInput(f"{place}: '{classes[number]}' is asked for twice")
        numbers.append(number)
    return numbers


def class_index(key: int | str, classes: tuple[str, ...], name: str, place: str) -> int:
    """The number of a class, given by name or by number. Upper and lower case do not matter if the name stays unique.

    Raises BadInput if there is none, or if the number of one class is the name of another. If all names are
    numbers, as for digits, only the name counts: of the digits 0, 1 and 7 the third is 7, not 2.
    """
    if not classes:
        raise BadInput(f"{place}: {name} has no labels to choose by")
    numerals = all(class_name.isdecimal() for class_name in classes)
    if isinstance(key, int) and not numerals:
        if not 0 <= key < len(classes):
            raise BadInput(f"{place}: {name} has no class '{key}'; {listed(classes, numerals)}")
        if str(key) in classes and classes.index(str(key)) != key:
            raise BadInput(
                f"{place}: {key} is the number of the class '{classes[key]}', but another is called '{key}'; "
                f"""write names in quotes, as in '{place}=["{key}"]'"""
            )
        return key
    key = str(key)
    if key in classes:
        return classes.index(key)
    alike = [number for number, class_name in enumerate(classes) if class_name.lower() == key.lower()]
    if len(alike) == 1:
        return alike[0]
    if key.isdecimal() and int(key) < len(classes) and not numerals:
        return int(key)
    small = {class_name.lower(): class_name for class_name in classes}
    near = [] if numerals else difflib.get_close_matches(key.lower(), small, n=1, cutoff=0.5)
    hint = f"did you mean '{small[near[0]]}'?" if near else listed(classes, numerals)
    raise BadInput(f"{place}: {name} has no class '{key}'; {hint}")


def listed(classes: tuple[str, ...], numerals: bool) -> str:
    """The end of a message: the classes that exist."""
    names = ", ".join(classes[:12])
    return f"there are {names}" if numerals else f"there are 0 … {len(classes) - 1}: {names}"


def class_shares(split: Split, classes: int) -> Tensor:
    """(C,) float32, the share of each class among the examples of a split."""
    return torch.bincount(split.labels(split.rows), minlength=classes) / len(split)


def need_classes(spec: DataSpec, why: str) -> None:
    """Raise BadInput unless the data have two classes or more; `why` is the start of the message."""
    if len(spec.classes) < 2:
        has = f"has only the class {spec.classes[0]}" if spec.classes else "has no labels"
        raise BadInput(f"model: {why}, but {spec.name} {has}")


def need_test_labels(data: Data) -> None:
    """Raise BadInput if the test examples have no labels."""
    if not data.test.labelled:
        raise BadInput(f"data: the test examples of {data.spec.name} have no labels, which its metrics need; add them")
