"""The meaning of each recorded metric, read from the docstrings of the code that computes it. Imports neither it nor torch.

A docstring lists them under a line `Figures:`, one metric per line: its name, two spaces and its meaning. Several names with
the same meaning are separated by commas. A line with a deeper indent continues the meaning above it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import nnlab
from nnlab.config.build import plugins

HEAD = "Figures:"
ROOMS = ("metrics", "evaluators", "families", "training")
NAMES = re.compile(r"(\w+(?:, \w+)*)(?:  +(\S.*))?$")


@dataclass(frozen=True)
class Meaning:
    """The meaning of a metric, and the place where it is computed, e.g. families/vae.

    module, owner  the module, and in it the class or the function, whose docstring says so
    """

    text: str
    place: str
    module: str = field(default="", compare=False)
    owner: str = field(default="", compare=False)


@cache
def glossary() -> dict[str, list[Meaning]]:
    """The meanings of each metric by name, sorted; several if families use the name differently."""
    meanings: dict[str, list[Meaning]] = {}
    root = Path(nnlab.__file__).parent
    shipped = sorted(path for room in ROOMS for path in (root / room).rglob("*.py"))
    for path, base in [*((path, root) for path in shipped), *of_plugins()]:
        try:
            source = path.read_text(encoding="utf-8")
            tree = ast.parse(source) if HEAD in source else None
        except (OSError, SyntaxError, ValueError):  # of a plug-in
            continue
        if tree is None:
            continue
        place = path.relative_to(base).parent if path.parts[-3] == "families" else path.relative_to(base).with_suffix("")
        above = (nnlab.__name__,) if base == root else ()
        module = ".".join((*above, *path.relative_to(base).with_suffix("").parts)).removesuffix(".__init__")
        for owner, names, text in ((owner, *entry) for owner, doc in docstrings(tree) for entry in entries(doc)):
            for name in names:
                meanings.setdefault(name, []).append(Meaning(text, place.as_posix(), module, owner))
    return dict(sorted(meanings.items()))


def of_plugins() -> Iterator[tuple[Path, Path]]:
    """The files of the packages that the user lists in NNLAB_PLUGINS, each with the folder of its package."""
    for name in plugins():
        try:
            found = find_spec(name)
        except (ImportError, ValueError):
            continue
        for folder in found.submodule_search_locations or [] if found else []:
            yield from ((path, Path(folder).parent) for path in sorted(Path(folder).rglob("*.py")))
        if found and found.origin and not found.submodule_search_locations:
            yield Path(found.origin), Path(found.origin).parent


def docstrings(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The docstrings of a module, its classes and its functions, each after its name; empty texts where there are none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield getattr(node, "name", ""), ast.get_docstring(node) or ""


def entries(docstring: str) -> list[tuple[list[str], str]]:
    """Names and meaning of each metric of a docstring."""
    _, head, rest = docstring.partition(f"{HEAD}\n")
    pairs: list[tuple[list[str], str]] = []
    for line in rest.split("\n\n")[0].splitlines() if head else []:
        match = NAMES.match(line)
        if match:
            pairs.append((match[1].split(", "), match[2] or ""))
        else:
            names, text = pairs.pop()
            pairs.append((names, f"{text} {line.strip()}".strip()))
    return pairs
