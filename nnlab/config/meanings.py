"""What the metrics of a run mean, from the docstrings of the code that computes them. No torch."""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

import nnlab
from nnlab.config.glossary import Meaning, glossary

ROOT = Path(nnlab.__file__).parent
TRAINER = re.compile(r"(nnlab\.[\w.]+):(\w+)")  # as a model names its trainer
MODULE = re.compile(r"nnlab(\.\w+)+")
SHARED = ("nnlab.metrics.", "nnlab.evaluators.", "nnlab.training.")


def meanings(target: str) -> dict[str, str]:
    """The meaning of each metric that a model may record, by name.

    target  the model's class, as its config names it
    Families use some names differently. The docstrings of the model and of its trainer are right; then those of the files that
    the model imports, then others of its family, then those that all families share. No other family's file counts.
    """
    near, trainer = reached(target)
    own, _, model = target.rpartition(".")
    family = own.rpartition(".")[0] or "?"  # the package of a user's own model

    def distance(meaning: Meaning) -> int | None:
        if meaning.module in near:
            return 0 if meaning.owner in (model, trainer) else 1
        if meaning.module.startswith(f"{family}."):
            return 2
        return 3 if meaning.module.startswith(SHARED) else None

    found = {}
    for name, known in glossary().items():
        usable = [(where, i) for i, meaning in enumerate(known) if (where := distance(meaning)) is not None]
        if usable:
            found[name] = known[min(usable)[1]].text
    return found


@cache
def reached(target: str) -> tuple[frozenset[str], str]:
    """The module of a model, all that it imports from its family and of the metrics, and the name of its trainer's class."""
    first, trainers = target.rpartition(".")[0], []
    known, waiting = {first}, deque([first])
    while waiting:
        for name, trainer in imports(waiting.popleft()):
            trainers += [trainer] if trainer else []
            if name not in known:
                known.add(name)
                waiting.append(name)
    return frozenset(known), next(iter(trainers), "")


def imports(module: str) -> Iterator[tuple[str, str]]:
    """What a module of nnlab's imports from its family and of the metrics; and its trainer, with the name of the class.

    Its source is read, not run.
    """
    family, path = module.rpartition(".")[0], ROOT.joinpath(*module.split(".")[1:]).with_suffix(".py")
    if not MODULE.fullmatch(module) or not path.is_file():
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith((f"{family}.", "nnlab.metrics.")):
            yield node.module, ""
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and (trainer := TRAINER.fullmatch(node.value)):
            yield trainer[1], trainer[2]


def direction(meaning: str) -> Literal["higher", "lower"] | None:
    """Which values are better, as a meaning says it; None if it does not."""
    said = [word for word in ("higher", "lower") if f"{word} is better" in meaning.lower()]
    return said[0] if len(said) == 1 else None
