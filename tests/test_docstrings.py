"""Every public module, class, function and method says what it is for; read from the source, without an import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "nnlab"
PATHS = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path for path in ROOT.rglob("*.py")
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in PATHS.items()}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def names_of(tree: ast.Module) -> dict[str, tuple[str, str]]:
    """What a module imports from nnlab at any place: each name, and the module and the name that it stands for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
    return found


CLASSES = {
    (module, node.name): node for module, tree in TREES.items() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
}
IMPORTED = {module: names_of(tree) for module, tree in TREES.items()}


def resolved(module: str, expression: ast.expr) -> tuple[str, str] | None:
    """The module and the name of a base class; None if it is not one of nnlab's."""
    if isinstance(expression, ast.Subscript):  # of a generic class
        return resolved(module, expression.value)
    if isinstance(expression, ast.Attribute) and isinstance(expression.value, ast.Name):
        within, name = ".".join(IMPORTED[module].get(expression.value.id, ("", ""))), expression.attr
    elif isinstance(expression, ast.Name):
        within, name = module, expression.id
    else:
        return None
    while (within, name) not in CLASSES:
        if name not in IMPORTED.get(within, {}):
            return None
        within, name = IMPORTED[within][name]
    return within, name


def inherits_docstring(module: str, cls: ast.ClassDef, method: str) -> bool:
    """Whether a base class of nnlab's documents a method of this name."""
    for base in filter(None, (resolved(module, expression) for expression in cls.bases)):
        own = (node for node in CLASSES[base].body if isinstance(node, Function) and node.name == method)
        if any(map(ast.get_docstring, own)) or inherits_docstring(base[0], CLASSES[base], method):
            return True
    return False


def without_docstring(module: str, tree: ast.Module) -> Iterator[str]:
    """The public names of a module, itself included, that have no docstring."""
    if not ast.get_docstring(tree):
        yield f"{module}: the module"
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | Function) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield f"{module}.{node.name}"
        for method in node.body if isinstance(node, ast.ClassDef) else []:
            if not isinstance(method, Function) or method.name.startswith("_") or ast.get_docstring(method):
                continue
            if not inherits_docstring(module, node, method.name):
                yield f"{module}.{node.name}.{method.name}"


@pytest.mark.parametrize("module", sorted(TREES))
def test_public_names_have_docstrings(module: str) -> None:
    """A method that overrides a documented one of a base class needs none."""
    assert not list(without_docstring(module, TREES[module]))


def test_docstrings_of_base_classes_count() -> None:
    """And only those: a method that no base class documents is told."""
    base = "class A:\n    'A.'\n    def f(self): 'F.'\n"
    source = base + "class B(A):\n    'B.'\n    def f(self): ...\n    def g(self): ...\n"
    tree = ast.parse(source)
    IMPORTED["example"] = {}
    CLASSES.update({("example", node.name): node for node in tree.body})
    try:
        assert list(without_docstring("example", tree)) == ["example: the module", "example.B.g"]
    finally:
        del IMPORTED["example"], CLASSES["example", "A"], CLASSES["example", "B"]
