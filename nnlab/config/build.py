"""Builds an object from a config's node. Imports torch only if the node's class needs it."""

from __future__ import annotations

import importlib
import inspect
import keyword
import os
import sys
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_type_hints

from omegaconf import OmegaConf

from nnlab.config import renamed
from nnlab.config.constraints import describe, fits, is_none
from nnlab.config.kinds import accepts
from nnlab.config.search import options
from nnlab.errors import ArgumentError, BadInput, one_line, shortened

T = TypeVar("T")
EXAMPLE = "nnlab.families.vae.vae.VAE"


def trusted() -> list[str]:
    """Packages whose classes a config may name: nnlab, torch.optim, and what the user lists in NNLAB_PLUGINS.

    A run folder from a stranger is data: it cannot extend this list.
    """
    return ["nnlab", "torch.optim", *plugins()]


def plugins() -> list[str]:
    """The packages that the user lists in NNLAB_PLUGINS."""
    listed = os.environ.get("NNLAB_PLUGINS", "").replace(";", ",").split(",")
    return [name.strip() for name in listed if name.strip()]


def is_trusted(module: str) -> bool:
    """Whether a config may name classes of this module: it lies in a trusted package."""
    return any(module == package or module.startswith(package + ".") for package in trusted())


def target(name: Any, place: str) -> type:
    """The class that `_target_` names, imported.

    Raises BadInput if it lies outside the trusted packages (also when reached through one of them: what counts is the
    module that defines it), does not exist, or is no class.
    """
    module, _, attribute = str(name).rpartition(".")
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        got = "nothing" if name is None else f"'{shortened(name)}'"
        raise BadInput(f"{place}._target_: expected the name of a class, such as {EXAMPLE}, got {got}")
    if not is_trusted(module):
        raise BadInput(
            f"{place}._target_: {name} lies outside nnlab. "
            f"If you trust that package, list it: NNLAB_PLUGINS={module.split('.')[0]}"
        )
    if moved := renamed.class_name(str(name)):
        raise BadInput(f"{place}._target_: {name} is called {moved} now")
    try:
        cls = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise BadInput(f"{place}._target_: no module '{error.name}' (asked for {name})") from error
    except (Exception, SystemExit) as error:  # a plugin's module may do anything when it is imported
        if isinstance(error, AttributeError) and module in sys.modules:
            raise BadInput(f"{place}._target_: no class '{attribute}' in {module}") from error
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise BadInput(f"{place}._target_: {module} cannot be imported ({reason})") from error
    if not inspect.isclass(cls) or not is_trusted(cls.__module__):
        raise BadInput(f"{place}._target_: {name} is no class of {' or '.join(trusted())}")
    return cls


def parameters(cls: type) -> dict[str, inspect.Parameter]:
    """What a config may set on a class: its constructor's keyword-only parameters, with evaluated annotations.

    `**options` stands for the parameters of the next class in line, so a subclass lists only what it adds.
    The parameter `from_` is the key `from`: no parameter can have the name of a word of Python.
    torch's optimizers are not keyword-only: there it is all but the parameters to optimize.
    """
    by_name: dict[str, inspect.Parameter] = {}
    foreign = cls.__module__.startswith("torch.")
    for base in cls.__mro__:
        if "__init__" not in vars(base) or base is object:
            continue
        signature = inspect.signature(base.__init__)
        try:
            hints = get_type_hints(base.__init__, include_extras=True)
        except (NameError, TypeError):  # a foreign class whose annotations cannot be evaluated is not checked by type
            hints = {}
        keep = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD if foreign else None)
        for name, parameter in signature.parameters.items():
            key = name[:-1] if keyword.iskeyword(name[:-1]) and name.endswith("_") else name
            if parameter.kind in keep and name not in ("self", "params") and key not in by_name:
                by_name[key] = parameter.replace(annotation=hints.get(name, Any))
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values()):
            break
    return by_name


def extends(cls: type, base: type) -> bool:
    """Whether a node of `base` also fits `cls`: a subclass whose new parameters all have defaults."""
    added = parameters(cls).keys() - parameters(base).keys()
    return issubclass(cls, base) and all(parameters(cls)[name].default is not inspect.Parameter.empty for name in added)


def classes_of(group: str) -> dict[str, type]:
    """The class that each config of a group names, by the config's name; not of one that inherits it."""
    nodes = {name: OmegaConf.load(path) for name, path in options(group).items()}
    return {name: target(node["_target_"], group) for name, node in nodes.items() if "_target_" in node}


def takes_node(annotation: Any) -> bool:
    """Whether a parameter takes a node as it is, to build it itself: it is a Mapping, or may be one."""
    return annotation is Mapping or Mapping in get_args(annotation)


def build(node: Mapping, expected: type[T], *arguments: Any, place: str, **more: Any) -> T:
    """The object of a node: `_target_` called with `arguments`, the node's other keys and `more`.

    Nodes inside are built first, unless the parameter may be a Mapping, which takes the node itself; `none` becomes None where
    the signature allows it. Raises BadInput if the class is not an `expected`, or refuses an argument.
    """
    cls = target(node.get("_target_"), place)
    if not issubclass(cls, expected):
        raise BadInput(f"{place}._target_: {cls.__name__} is no {expected.__name__}")
    options, legal = {}, parameters(cls)
    for key, value in node.items():
        if key == "_target_":
            continue
        if isinstance(value, Mapping) and "_target_" in value and key in legal and not takes_node(legal[key].annotation):
            child = target(value["_target_"], f"{place}.{key}")
            if not accepts(legal[key].annotation, child):
                raise BadInput(f"{place}.{key}: expected {describe(legal[key].annotation)}, got the class {child.__name__}")
            value = build(value, child, place=f"{place}.{key}")
        absent = is_none(value) and key in legal and fits(legal[key].annotation, None)
        options[legal[key].name if key in legal else key] = None if absent else value
    try:
        return cls(*arguments, **options, **more)
    except ArgumentError as error:
        where = f"{place}.{error.argument}" if error.argument in legal else place
        raise BadInput(f"{where}: {error.problem}") from error
