"""Ranges in signatures, and the check of a config's value against an annotation. Imports no torch.

def __init__(self, spec, *, beta: Annotated[float, AtLeast(0)] = 4.0): …

complaint(Annotated[float, AtLeast(0)], -1)  →  "expected a number ≥ 0, got -1"
"""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, Union, get_args, get_origin

from nnlab.errors import shortened


class Constraint(Protocol):
    """A range of values in a parameter's annotation; its text completes "expected a number …"."""

    def allows(self, value: Any) -> bool:
        """Whether the value lies in the range."""
        ...

    def __str__(self) -> str: ...  # completes "expected a number …"


@dataclass(frozen=True)
class AtLeast:
    """Numbers from `bound` on."""

    bound: float

    def allows(self, value: float) -> bool:
        """Whether value ≥ bound."""
        return value >= self.bound

    def __str__(self) -> str:
        return f"≥ {self.bound:g}"


@dataclass(frozen=True)
class MoreThan:
    """Numbers above `bound`."""

    bound: float

    def allows(self, value: float) -> bool:
        """Whether value > bound."""
        return value > self.bound

    def __str__(self) -> str:
        return f"> {self.bound:g}"


@dataclass(frozen=True)
class AtMost:
    """Numbers up to `bound`."""

    bound: float

    def allows(self, value: float) -> bool:
        """Whether value ≤ bound."""
        return value <= self.bound

    def __str__(self) -> str:
        return f"≤ {self.bound:g}"


@dataclass(frozen=True)
class Between:
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float

    def allows(self, value: float) -> bool:
        """Whether low ≤ value ≤ high."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"between {self.low} and {self.high}"


JUDGES = ("auto", "inception")  # values of judge besides an earlier run
SEED = Between(0, 2**32 - 1)  # the range of seeds of every generator


@dataclass(frozen=True)
class NonEmpty:
    """Lists and texts that hold something."""

    def allows(self, value: Any) -> bool:
        """Whether the value has a length above zero."""
        return len(value) > 0

    def __str__(self) -> str:
        return "that is not empty"


LARGEST = sys.float_info.max
WIDEST = 2**63 - 1  # of whole numbers: 64 bits hold it
NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", type(None): "none"}


def is_none(value: Any) -> bool:
    """Whether a value is `none` (or YAML's null), which means absent."""
    return value is None or value == "none"


def describe(annotation: Any) -> str:
    """An annotation in words: `list[Annotated[int, AtLeast(1)]]` is "a list of whole numbers ≥ 1"."""
    origin = get_origin(annotation)
    if origin is Annotated:
        base, *constraints = get_args(annotation)
        ranges = " and ".join(str(c) for c in constraints if hasattr(c, "allows"))
        return f"{describe(base)} {ranges}".rstrip()
    if origin is Literal:
        return " or ".join(str(choice) for choice in get_args(annotation))
    if origin in (Union, types.UnionType):
        # torch's own signatures also take tensors, which no YAML can hold
        legal = [option for option in get_args(annotation) if get_origin(option) or option in NAMES]
        return " or ".join(dict.fromkeys(map(describe, legal or get_args(annotation))))
    if origin is list:
        item = describe(get_args(annotation)[0])
        plural = item.replace("a whole number", "whole numbers").replace("a number", "numbers").replace("a text", "texts")
        return f"a list of {plural}"
    if origin is dict:
        key, item = map(describe, get_args(annotation))
        return "{" + f"{key}: {item}, …" + "}"
    if origin is tuple:
        return "[" + ", ".join(describe(item) for item in get_args(annotation)) + "]"
    return NAMES.get(annotation) or getattr(annotation, "config_hint", getattr(annotation, "__name__", str(annotation)))


def fits(annotation: Any, value: Any) -> bool:
    """Whether a value read from YAML can be passed to a parameter with this annotation."""
    origin = get_origin(annotation)
    if annotation is Any or isinstance(annotation, str):
        return True
    if origin is Annotated:
        base, *constraints = get_args(annotation)
        return fits(base, value) and all(c.allows(value) for c in constraints if hasattr(c, "allows"))
    if origin is Literal:
        return value in get_args(annotation) and not isinstance(value, bool)
    if origin in (Union, types.UnionType):
        return any(fits(option, value) for option in get_args(annotation))
    if origin is list:
        return isinstance(value, list) and all(fits(get_args(annotation)[0], item) for item in value)
    if origin is tuple:
        kinds = get_args(annotation)
        return isinstance(value, list | tuple) and len(value) == len(kinds) and all(map(fits, kinds, value))
    if origin is dict:
        key, item = get_args(annotation)
        return isinstance(value, Mapping) and all(fits(key, k) and fits(item, v) for k, v in value.items())
    if annotation in (type(None), None):
        return is_none(value)
    if annotation is bool:
        return isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool) and -WIDEST <= value <= WIDEST
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST
    if annotation is str:
        return isinstance(value, str) and value != "none"
    if annotation is Mapping:
        return isinstance(value, Mapping)
    # a class built from a node of its own, or one (a tensor, say) that no YAML can hold
    return isinstance(value, Mapping) and "_target_" in value


def complaint(annotation: Any, value: Any) -> str | None:
    """None if the value fits, else "expected …, got …"."""
    if fits(annotation, value):
        return None
    return f"expected {describe(annotation)}, got {shown(value)}"


def shown(value: Any) -> str:
    """A value as a message shows it."""
    if isinstance(value, int) and not -WIDEST <= value <= WIDEST:
        return "one of more than 64 bits"
    return "none" if value is None else shortened(repr(value) if isinstance(value, str) else value)
