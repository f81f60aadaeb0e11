"""Rules for the class of a node: its base class and its constructor. Imports are lazy."""

from __future__ import annotations

import importlib
import inspect
import types
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

KINDS = {  # of a config's own nodes: the class that theirs subclass, and what to subclass in a module of one's own
    "model": ("nnlab.model:Model", "nnlab.families.ae.base.Autoencoder, nnlab.families.vae.vae.VAE or nnlab.model.Model"),
    "data": ("nnlab.data.dataset:Dataset", "nnlab.data.dataset.Dataset"),
    "noise": ("nnlab.data.noise.base:Noise", "nnlab.data.noise.base.Noise"),
    "augmentation": ("nnlab.data.augmentation.base:Augmentation", "nnlab.data.augmentation.base.Augmentation"),
    "trainer": ("nnlab.training.options:Options", "nnlab.training.options.Options"),
    "optimizer": ("torch.optim:Optimizer", "torch.optim.Optimizer"),
    "optimizer.schedule": ("nnlab.nn.schedules:Schedule", "nnlab.nn.schedules.Schedule"),
    "recorder": ("nnlab.recording.tracker:Tracker", "nnlab.recording.tracker.Tracker"),
    "judge": ("nnlab.checkpoints.reference:RunReference", ""),
}
SPECIFIED = ("model", "noise", "augmentation")  # built from the data's spec, which their constructors take first
MAY_BE_EMPTY = ("optimizer", "optimizer.schedule", "recorder")  # for models without an optimizer; for TensorBoard alone


def role(place: str) -> str:
    """The name in KINDS of what stands at a place: the optimizer of a stage is one like any other."""
    for name in ("optimizer", "optimizer.schedule"):
        if place.endswith(f".{name}"):
            return name
    return place


def kind_of(place: str) -> type | None:
    """The base class for the node at a place; None if its parameter's annotation says it."""
    if role(place) not in KINDS:
        return None
    module, _, name = KINDS[role(place)][0].partition(":")
    return getattr(importlib.import_module(module), name)


def accepts(annotation: Any, cls: type) -> bool:
    """Whether a parameter with this annotation takes an object of a class; `Mapping` takes its node."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return accepts(get_args(annotation)[0], cls)
    if origin in (Union, types.UnionType):
        return any(accepts(option, cls) for option in get_args(annotation))
    if annotation is Any or annotation is Mapping or isinstance(annotation, str):
        return True
    return inspect.isclass(annotation) and issubclass(cls, annotation)


def misfit(cls: type, place: str) -> str | None:
    """A message if the class of a node breaks a rule; else None."""
    kind, name = kind_of(place), f"{place}._target_: {cls.__module__}.{cls.__qualname__}"
    if kind is None:
        return None
    if not issubclass(cls, kind):
        return f"{name} is no {kind.__name__}" + (f"; subclass {KINDS[role(place)][1]}" if KINDS[role(place)][1] else "")
    if inspect.isabstract(cls):
        return f"{name} lacks the methods {', '.join(sorted(cls.__abstractmethods__))}; write them, or name a subclass"
    if place == "model" and all(getattr(cls, own) is getattr(kind, own) for own in ("trainer", "loss", "turns")):
        bases = KINDS[place][1].partition(" or ")[0]
        return f"{name} has no loss; write its method loss(self, batch, generator), or subclass a family's base ({bases})"
    return misbuilt(cls, place, name)


def misbuilt(cls: type, place: str, name: str) -> str | None:
    """A message if a constructor is wrong: after `spec` all parameters must be keyword-only."""
    if cls.__module__.startswith("torch."):
        return None
    ahead = ["spec"] if place in SPECIFIED else []
    positional = positionals(cls)
    needed = [parameter.name for parameter in positional if parameter.default is inspect.Parameter.empty]
    if len(needed) > len(ahead) or len(positional) < len(ahead):
        shown = ", ".join(["self", *ahead, "*", *(parameter.name for parameter in positional[len(ahead) :])])
        return f"{name} cannot be built: its constructor must be def __init__({shown}, …), its keys after the *"
    return None


def positionals(cls: type) -> list[inspect.Parameter]:
    """The parameters of a constructor, after `self`, that can be given by position; `*args` takes any number."""
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p for p in list(inspect.signature(cls.__init__).parameters.values())[1:] if p.kind in by_position]
