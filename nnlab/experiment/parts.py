"""Whether a model can learn from the parts of the examples that a dataset and a noise give it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nnlab.config.build import classes_of
from nnlab.data.augmentation.base import Augmentation
from nnlab.data.noise.base import Noise
from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput
from nnlab.model import Model, PassModel


def seen_through(noise: Noise, spec: DataSpec) -> DataSpec:
    """The data as a model sees them through a noise, which may make another kind of image its input."""
    if noise.output == spec.given and not noise.replaces:
        return spec
    return replace(spec, parts={**spec.parts, "corrupted": noise.output})


def check_views(model: type[Model], spec: DataSpec) -> None:
    """Raise BadInput for a model of several views of an example, which images alone have."""
    if model.views > 1 and spec.kind != "image":
        raise BadInput(f"model: {model.__name__} learns from augmented images, but {spec.name} is a table; use another model")


def check_parts(model: type[Model], spec: DataSpec, noise: Noise, augmentation: Augmentation) -> None:
    """Raise BadInput if the data lack a part that a model needs, or if its input has a shape that it cannot take."""
    if model.views > 1 and augmentation.identity:
        raise BadInput(f"model: {model.__name__} learns from {model.views} views of an example; add augmentation=simclr")
    lacking = next((part for part in model.needs if part not in spec or (part == "input" and not spec.paired)), None)
    if lacking:
        able = shipped("data", lambda cls: lacking in cls.parts)
        hint = f"data that have it: {', '.join(able)}" if able else "no dataset of nnlab has it, so give one of your own"
        if lacking == "input":
            hint += "; or make the input of the target by a noise that makes another image of it, such as noise=grayscale"
        raise BadInput(f"model: {model.__name__} needs the part '{lacking}', which {spec.name} lacks; {hint}")
    told = [part for part in (*model.needs, *model.places) if part in spec]
    moved = [part for part in told if augmentation.moves and spec[part].kind in ("box", "points")]
    if moved:
        raise BadInput(
            f"augmentation: {type(augmentation).__name__} moves images, but not the part '{moved[0]}', where {model.__name__} "
            "learns that something is; leave it out"
        )
    if augmentation.mirrors and "caption" in model.needs and any(part.startswith("place_") for part in spec.parts):
        raise BadInput(
            "augmentation.flip: mirrors images whose captions say what is on the left and what on the right; leave it out"
        )
    if "input" in spec.parts and issubclass(model, PassModel):
        raise BadInput(f"model: {model.__name__} learns from single examples, but {spec.name} holds pairs; use another model")
    if spec.resizes and not model.resizes:
        cause = type(noise).__name__ if noise.output.shape != spec.given.shape else spec.name
        able = ", ".join(shipped("model", lambda cls: cls.resizes))
        raise BadInput(
            f"model: {model.__name__} takes inputs of the shape of its target, {shown(spec.shape)}, but {cause} gives it "
            f"{shown(spec.input.shape)}; models that can: {able}; one of your own that can says resizes = True"
        )


def shipped(group: str, has: Callable[[type], bool]) -> list[str]:
    """The names of a group's configs whose class has a property."""
    return [name for name, cls in classes_of(group).items() if has(cls)]


def shown(shape: tuple[int, ...]) -> str:
    """A shape as people write it: 3×32×32."""
    return "×".join(map(str, shape))
