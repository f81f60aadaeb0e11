"""A dataclass of plain values, from a file that may be damaged or from somebody else. No torch."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from nnlab.errors import shortened

T = TypeVar("T")


def restored(cls: type[T], state: Mapping[str, Any]) -> T:
    """The object whose fields `state` holds; missing fields get their defaults, and lists become tuples.

    Raises ValueError if a field is unknown, missing or of another type; whole numbers are counts, from 0 to 2^63.
    """
    hints = get_type_hints(cls)
    for key, value in state.items():
        if key not in hints or not holds(hints[key], value):
            raise ValueError(f"its {shortened(key)} is {shortened(repr(value))}, which no {cls.__name__} has")
    tuples = {f.name for f in fields(cls) if get_origin(hints[f.name]) is tuple}
    try:
        return cls(**{key: tuple(value) if key in tuples else value for key, value in state.items()})
    except TypeError as error:
        raise ValueError(f"it lacks a part of a {cls.__name__}") from error


def holds(hint: Any, value: Any) -> bool:
    """Whether a value read from a file is of a field's type."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin in (Union, types.UnionType):
        return any(holds(each, value) for each in inner)
    if origin in (tuple, list):
        return isinstance(value, list | tuple) and all(holds(inner[0], each) for each in value)
    if origin is dict:
        return isinstance(value, dict) and all(holds(inner[0], k) and holds(inner[1], v) for k, v in value.items())
    if hint in (int, float) and isinstance(value, bool):
        return False
    if hint is int:
        return isinstance(value, int) and 0 <= value < 2**63
    return isinstance(value, (int, float) if hint is float else hint)
