"""Checks of what a model can do, for the verbs."""

from __future__ import annotations

from nnlab.config.build import classes_of
from nnlab.errors import BadInput
from nnlab.model import Model, Samples, SamplesClasses, SamplesGiven, can

MAKING = (Samples, SamplesClasses, SamplesGiven)


def require(model: Model, capability: type, verb: str) -> None:
    """Raise BadInput if a model lacks a capability, naming the models that have it, or has not begun to learn it."""
    if not can(model, capability):
        able = ", ".join(names_of(capability)) or "none yet"
        raise BadInput(f"{verb}: {type(model).__name__} cannot {capability.__doc__}; models that can: {able}")
    if capability in MAKING and not model.makes_examples:
        raise BadInput(
            f"{verb}: this run stopped in a stage before {type(model).__name__} learns to make examples; "
            "finish it with nnlab resume RUN"
        )


def require_image(model: Model, verb: str) -> None:
    """Raise BadInput if the model's data are a table, of which a verb cannot draw a picture."""
    if (model.spec.kind, model.spec.input.kind) != ("image", "image"):
        raise BadInput(f"{verb}: {model.spec.name} is a table of {model.spec.features} columns, so there is no picture")


def require_same(model: Model, verb: str) -> None:
    """Raise BadInput if the model's output is another image than its input, so that the two cannot be compared."""
    if model.spec.paired:
        raise BadInput(f"{verb}: {type(model).__name__} makes other images than it is given, so the two cannot be compared")


def names_of(capability: type) -> list[str]:
    """The names of the shipped models that have a capability."""
    return [name for name, cls in classes_of("model").items() if can(cls, capability)]
