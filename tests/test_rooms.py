"""The order of the rooms: what may import what. A room is a folder of nnlab, or a module beside them."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from nnlab.model import Model

ROOT = Path(__file__).parent.parent / "nnlab"
ORDER = [  # a room imports only rooms that stand before it
    "errors",
    "extras",
    "config",
    "nn",
    "runs",
    "data",
    "model",
    "metrics",
    "latent",
    "plotting",
    "recording",
    "reporting",
    "checkpoints",
    "export",
    "evaluators",
    "training",
    "families",
    "experiment",
    "commands",
    "cli",
]
WITHOUT_TORCH = [
    "cli",
    "errors",
    "extras",
    "runs",
    "commands.verbs",
    "config.names",
    "config.composition",
    "config.search",
    "config.constraints",
]
WITHOUT_TORCH += [
    "config.renamed",
    "config.glossary",
    "training.options",
    "nn.schedules",
    "plotting.curves",
    "plotting.gallery",
    "reporting",
    "commands.report",
]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports(name: str) -> set[str]:
    """Modules of nnlab that a module imports: at its top, in a function, or for types alone."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "nnlab":
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in MODULES else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "nnlab"}
    return found - {"nnlab"}  # the version alone


IMPORTS = {name: imports(name) for name in MODULES}


def room(name: str) -> str:
    return [*name.split("."), "nnlab"][1]


ROOMS = {room(name) for name in MODULES} - {"nnlab", "__main__"}


def test_every_room_has_its_place() -> None:
    assert set(ORDER) == ROOMS
    assert {path.stem for path in ROOT.glob("*.py")} == {"__init__", "__main__", "cli", "errors", "extras"}


def test_a_room_imports_only_rooms_before_it() -> None:
    upwards = [
        f"{name} imports {other}"
        for name in MODULES
        if room(name) in ORDER
        for other in IMPORTS[name]
        if ORDER.index(room(other)) > ORDER.index(room(name))
    ]
    assert not upwards, "\n".join(upwards)


def test_no_modules_import_each_other() -> None:
    inside = {name: {other for other in found if other != name} for name, found in IMPORTS.items()}
    try:
        TopologicalSorter(inside).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' → '.join(error.args[1])}")


def test_no_families_import_each_other() -> None:
    families: dict[str, set[str]] = {}
    for name, found in IMPORTS.items():
        if name.startswith("nnlab.families."):
            own = name.split(".")[2]
            families.setdefault(own, set()).update(
                other.split(".")[2] for other in found if other.startswith("nnlab.families.") and other.split(".")[2] != own
            )
    try:
        TopologicalSorter(families).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' → '.join(error.args[1])}")


def test_models_do_not_know_trainers() -> None:
    for name in (name for name in MODULES if name.startswith("nnlab.families.")):
        classes = inspect.getmembers(importlib.import_module(name), inspect.isclass)
        if any(issubclass(cls, Model) for _, cls in classes if cls.__module__ == name):
            known = {other for other in IMPORTS[name] if room(other) == "training" or other.endswith("trainer")}
            assert not known, f"{name} imports {known}"


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_what_answers_at_once_imports_no_torch(name: str) -> None:
    """Nor what it imports at its top."""
    waiting = [module for module in MODULES if module == f"nnlab.{name}" or module.startswith(f"nnlab.{name}.")]
    assert waiting
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in seen or module not in MODULES:
            continue
        seen.add(module)
        for node in ast.parse(MODULES[module].read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            assert not [other for other in names if other.split(".")[0] in ("torch", "torchvision")], module
            waiting += names


def packages() -> list[str]:
    return sorted(module_name(path) for path in ROOT.rglob("__init__.py"))


@pytest.mark.parametrize("name", packages())
def test_a_room_says_its_reason_and_names_its_public_objects(name: str) -> None:
    """In the docstring of its `__init__`: a sentence, then each object as `module.Name  what it is`."""
    docstring = importlib.import_module(name).__doc__ or ""
    assert docstring.strip().partition("\n")[0].endswith("."), "one sentence"
    named = re.findall(r"^(?:    )?([\w.]+)  +\S", docstring, re.MULTILINE)
    for entry in named if name != "nnlab" else []:
        module, _, attribute = entry.rpartition(".")
        found = importlib.import_module(f"{name}.{module}" if module else name)
        assert hasattr(found, attribute) or f"{name}.{entry}" in MODULES, entry
