"""Checks of what a model can do, for the verbs."""

from __future__ import annotations

from collections.abc import Sequence

from nnlab.config.build import classes_of
from nnlab.errors import BadInput
from nnlab.model import Model, Samples, SamplesClasses, SamplesGiven, can

MAKING = (Samples, SamplesClasses, SamplesGiven)


def require(model: Model, verb: str, *capabilities: type) -> None:
    """Raise BadInput if a model lacks a capability, naming the models that have all of them, or has not begun to learn one."""
    name = type(model).__name__
    if lacking := [each for each in capabilities if not can(model, each)]:
        able = ", ".join(names_of(*capabilities)) or "none yet"
        raise BadInput(f"{verb}: {name} cannot {lacking[0].__doc__}; models that can: {able}")
    if not model.makes_examples and any(each in MAKING for each in capabilities):
        raise BadInput(
            f"{verb}: this run stopped in a stage before {name} learns to make examples; finish it with nnlab resume RUN"
        )


def require_one_of(model: Model, verb: str, *ways: Sequence[type]) -> None:
    """As `require`, where any of several ways will do, each of capabilities."""
    way = next((way for way in ways if all(can(model, each) for each in way)), None)
    if way is None:
        able = sorted({name for way in ways for name in names_of(*way)})
        lacks = ", nor ".join(" and ".join(each.__doc__ for each in way) for way in ways)
        raise BadInput(f"{verb}: {type(model).__name__} can neither {lacks}; models that can: {', '.join(able)}")
    require(model, verb, *way)


def require_image(model: Model, verb: str) -> None:
    """Raise BadInput if the model's data are a table, of which a verb cannot draw a picture."""
    if (model.spec.kind, model.spec.input.kind) != ("image", "image"):
        raise BadInput(f"{verb}: {model.spec.name} is a table of {model.spec.features} columns, so there is no picture")


def require_same(model: Model, verb: str) -> None:
    """Raise BadInput if the model's output is another image than its input, so that the two cannot be compared."""
    if model.spec.paired:
        raise BadInput(f"{verb}: {type(model).__name__} makes other images than it is given, so the two cannot be compared")


def names_of(*capabilities: type) -> list[str]:
    """The names of the shipped models that have all of these capabilities."""
    return [name for name, cls in classes_of("model").items() if all(can(cls, each) for each in capabilities)]
