"""A config as values by their place in it, and which of them bear on what a run learns. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NO_EFFECT = frozenset({"root", "outputs", "device", "tags", "note", "recorder"})  # keys, wherever they stand


def flat(node: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """The values of a config by their place, such as optimizer.lr. An earlier run is its folder; classes are left out."""
    values: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, Mapping) and "fingerprint" in value:
            values[f"{place}{key}"] = value.get("run")
        elif isinstance(value, Mapping) and value:
            values |= flat(value, f"{place}{key}.")
        elif key != "_target_":
            values[f"{place}{key}"] = value
    return values


def bears(place: str) -> bool:
    """Whether the value at a place bears on what a run learns."""
    return not NO_EFFECT & set(place.split("."))
