"""The check of a composed config's values against the signatures of the classes that it names.

Types, ranges, unknown and missing keys; all problems are reported together. Torch is imported only if a class needs it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from nnlab.config import renamed
from nnlab.config.build import parameters, target
from nnlab.config.constraints import JUDGES, SEED, NonEmpty, complaint, describe
from nnlab.config.kinds import MAY_BE_EMPTY, accepts, kind_of, misfit, positionals, role
from nnlab.errors import BadInput, nearest

TOP_LEVEL = {
    "seed": Annotated[int, SEED],
    "device": str,
    "tags": list[str],
    "note": str | None,
    "outputs": Annotated[str, NonEmpty()],
    "judge": Literal[JUDGES] | None,
}
LATER = ("note",)  # which runs of older versions do not have

NODES = {
    "model": "vae",
    "data": "digits",
    "noise": "none",
    "augmentation": "none",
    "optimizer": "adam",
    "trainer": "gradient",
    "recorder": "tensorboard",
}


def check(config: Mapping, nodes: Iterable[str] | None = None) -> list[str]:
    """Problems of a plain config; with `nodes`, only of these top-level keys."""
    keys = [key for key in config if nodes is None or key in nodes]
    needed = [key for key in (*NODES, *TOP_LEVEL) if key not in LATER]
    problems = [f"{key}: missing" for key in needed if nodes is None and key not in config]
    for key in keys:
        if key in TOP_LEVEL and not (key == "judge" and isinstance(config[key], Mapping)):
            problems += check_value(TOP_LEVEL[key], config[key], key)
        elif isinstance(config[key], Mapping):
            problems += check_node(config[key], key)
        elif key in NODES:
            problems.append(f"{key}: expected a choice, e.g. {key}={NODES[key]}, got {config[key]}")
        else:
            problems.append(f"{key}: unknown key; {nearest(key, config)}")
    return problems


def check_value(annotation: Any, value: Any, place: str) -> list[str]:
    """Problems of a value that stands at `place`, by the annotation of the parameter that takes it; none if it fits."""
    if value == "???":
        return [f"{place}: needs a value; add {place}=…"]
    trouble = complaint(annotation, value)
    return [f"{place}: {trouble}"] if trouble else []


def check_node(node: Mapping, place: str, annotation: Any = Any) -> list[str]:
    """Problems of a node that names a class, and of the nodes inside it. An empty node chooses nothing, where that may be.

    annotation  of the parameter that takes what the node names
    """
    if not node:
        return [] if role(place) in MAY_BE_EMPTY or annotation is Mapping else [f"{place}: empty; it must name a class"]
    try:
        cls = target(node.get("_target_"), place)
    except BadInput as error:
        return list(error.problems)
    if not accepts(annotation, cls):
        return [f"{place}: expected {describe(annotation)}, got the class {cls.__module__}.{cls.__qualname__}"]
    if trouble := misfit(cls, place):
        return [trouble]
    legal = parameters(cls)
    if role(place) == "optimizer":
        if "lr" not in legal:
            return [f"{place}._target_: {cls.__name__} has no learning rate lr; choose another"]
        schedule = kind_of("optimizer.schedule")
        legal["schedule"] = inspect.Parameter("schedule", inspect.Parameter.KEYWORD_ONLY, annotation=schedule)
        legal["lr"] = legal["lr"].replace(default=inspect.Parameter.empty)  # what a schedule multiplies
    problems = []
    for key, value in node.items():
        where = f"{place}.{key}"
        if key == "_target_":
            continue
        if key not in legal:
            new = renamed.key(where, legal)
            problems.append(f"{where}: is called {new} now" if new else f"{where}: {unknown(key, cls, legal)}")
        elif isinstance(value, Mapping) and ("_target_" in value or role(where) in MAY_BE_EMPTY):
            problems += check_node(value, where, legal[key].annotation)
        else:
            problems += check_value(legal[key].annotation, value, where)
    required = [k for k, p in legal.items() if p.default is inspect.Parameter.empty]
    problems += [f"{place}.{key}: missing; add {place}.{key}=…" for key in required if key not in node]
    return problems


def unknown(key: str, cls: type, legal: Iterable[str]) -> str:
    """A message about a key without a parameter: how to add the parameter, or the nearest legal key."""
    if key in (parameter.name for parameter in positionals(cls)):
        return f"is no keyword-only parameter of {cls.__name__}; its constructor must be def __init__(self, spec, *, {key}, …)"
    return f"unknown key; {nearest(key, legal)}"
