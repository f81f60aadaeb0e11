"""`data.classes`: which rows are of the classes to learn from, and the labels that they then have."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from nnlab.errors import BadInput

if TYPE_CHECKING:
    from nnlab.data.dataset import Arrays
    from nnlab.data.spec import DataSpec


class Chosen(NamedTuple):
    """Arrays whose labels count the classes to learn from, 0 … k − 1, and the rows of them.

    train, test    (n,) int64: rows of the training and of the test arrays
    others         (m,) int64: rows of the test arrays that are of the classes kept out; their labels number `other_classes`
    """

    arrays: Arrays
    train: Tensor
    test: Tensor
    others: Tensor
    other_classes: tuple[str, ...]


def choose(arrays: Arrays, asked: list[int | str] | None, name: str) -> Chosen:
    """The rows of the classes asked for, by number or by name; of all where None is.

    Raises BadInput if a class is unknown or repeated, if there are no labels, or none of the test examples remains.
    """
    train, test = torch.arange(len(arrays.x_train)), torch.arange(len(arrays.x_test))
    if asked is None:
        return Chosen(arrays, train, test, test[:0], ())
    kept = numbers_of(asked, arrays.classes, name, "data.classes")
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
    other_classes = tuple(arrays.classes[i] for i in others)
    return Chosen(renumbered, train[of_train], test[of_test], test[~of_test], other_classes)


def numbers_of(asked: list[int | str], classes: tuple[str, ...], name: str, place: str) -> list[int]:
    """Numbers of the classes of a set of this name that are asked for by number or by name; `place` says where they are."""
    if not classes:
        raise BadInput(f"{place}: {name} has no labels to choose by")
    found = []
    for one in asked:
        number = one if isinstance(one, int) else classes.index(one) if one in classes else None
        if number is None or not 0 <= number < len(classes):
            near = difflib.get_close_matches(one, classes, n=1, cutoff=0.5) if isinstance(one, str) else []
            hint = f"did you mean '{near[0]}'?" if near else f"there are 0 … {len(classes) - 1}: {', '.join(classes[:12])}"
            raise BadInput(f"{place}: {name} has no class {one!r}; {hint}")
        if isinstance(one, int) and str(one) in classes and classes.index(str(one)) != number:
            raise BadInput(
                f"{place}: {one} is the number of the class '{classes[number]}', but another is called '{one}'; "
                f"""write names in quotes, as in '{place}=["{one}"]'"""
            )
        if number in found:
            raise BadInput(f"{place}: '{classes[number]}' is asked for twice")
        found.append(number)
    return found


def need_classes(spec: DataSpec, why: str) -> None:
    """Raise BadInput unless the data have two classes or more; `why` is the beginning of the sentence."""
    if len(spec.classes) < 2:
        has = f"has the class {spec.classes[0]} alone" if spec.classes else "has no labels"
        raise BadInput(f"model: {why}, but {spec.name} {has}")
