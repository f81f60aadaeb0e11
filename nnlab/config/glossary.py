"""What each recorded figure means, read off the docstrings of the code that makes it. Imports none of it, and no torch.

A docstring says so under a line `Figures:`, each figure as a line of its name, two spaces and its meaning; several names of
one meaning are parted by commas. A line that is indented further goes on with the meaning before.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nnlab

HEAD = "Figures:"
ROOMS = ("metrics", "evaluators", "families", "training")
NAMES = re.compile(r"(\w+(?:, \w+)*)(?:  +(\S.*))?$")


@dataclass(frozen=True)
class Meaning:
    """Of a figure: what it is, and where it is made, such as families/vae."""

    text: str
    place: str


@cache
def glossary() -> dict[str, list[Meaning]]:
    """The meanings of each figure by its name, sorted; several where families mean different things."""
    meanings: dict[str, list[Meaning]] = {}
    root = Path(nnlab.__file__).parent
    for path in sorted(path for room in ROOMS for path in (root / room).rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if HEAD not in source:
            continue
        place = path.relative_to(root).parent if path.parts[-3] == "families" else path.relative_to(root).with_suffix("")
        for names, text in (entry for doc in docstrings(ast.parse(source)) for entry in entries(doc)):
            for name in names:
                meanings.setdefault(name, []).append(Meaning(text, place.as_posix()))
    return dict(sorted(meanings.items()))


def docstrings(tree: ast.Module) -> Iterator[str]:
    """The docstrings of a module, its classes and its functions; empty texts where there are none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def entries(docstring: str) -> list[tuple[list[str], str]]:
    """Names and meaning of each figure that a docstring tells of."""
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
