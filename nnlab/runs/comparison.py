"""Runs beside each other: what differs in their configs, and their test figures. No torch."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnlab.config.constraints import is_none
from nnlab.config.glossary import glossary
from nnlab.runs.folder import RunFolder
from nnlab.runs.sweep import BESIDE, beside, by_what_differs, comparable, number

APART = ("outputs", "note", "tags", "judge", "data.root", "data._target_")  # of no effect on what a run learns


@dataclass(frozen=True)
class Comparison:
    """Several runs and what tells them apart.

    runs     by what was typed for one and not for all
    differs  a cell of each run by the key of a config, or by what a run was made with; "" where a run has no such key
    figures  test figures, parameters and seconds, a value or None of each run
    ranked   whether they are of one model and of the same examples
    """

    runs: Mapping[str, RunFolder]
    differs: Mapping[str, Sequence[str]]
    figures: Mapping[str, Sequence[float | None]]
    ranked: bool

    @classmethod
    def of(cls, folders: Sequence[RunFolder]) -> Comparison:
        """The comparison of two runs or more. Raises BadInput for a folder that is no run."""
        statuses = [folder.read_status() for folder in folders]
        values = [dict(said(folder, status)) for folder, status in zip(folders, statuses, strict=True)]
        keys = dict.fromkeys(key for each in values for key in each)
        cells = {key: [each.get(key, "") for each in values] for key in keys}
        differs = {key: row for key, row in cells.items() if len(set(row)) > 1}
        measured = [{**folder.read_test_figures(), **beside(folder)} for folder in folders]
        names = dict.fromkeys(name for each in measured for name in each if name not in BESIDE)
        figures = {name: [each.get(name) for each in measured] for name in (*names, *BESIDE)}
        ranked = comparable(list(zip(statuses, folders, strict=True)))
        return cls(by_what_differs(list(folders)), differs, figures, ranked)

    @property
    def folders(self) -> list[RunFolder]:
        """The runs without their names."""
        return list(self.runs.values())

    def letters(self) -> list[str]:
        """A short name of each of a few runs."""
        return list(string.ascii_uppercase[: len(self.runs)])

    def marked(self) -> dict[str, list[str]]:
        """The figures as text; the best of those of which lower or higher is better has a *, unless all are equal."""
        text = {}
        for name, values in self.figures.items():
            known = [value for value in values if value is not None]
            best = {"lower": min, "higher": max}.get(direction(name))
            at = best(known) if best and len(set(known)) > 1 else None
            text[name] = ["" if v is None else number(v) + ("*" if v == at else "") for v in values]
        return text

    def rows(self) -> list[tuple[str, ...]]:
        """A row per run below a head: its name, what differs, and its figures."""
        figures = {name: ["" if v is None else number(v) for v in values] for name, values in self.figures.items()}
        head = ("run", *self.differs, *(name if name in BESIDE else f"test/{name}" for name in figures))
        columns = [[str(folder.path) for folder in self.folders], *self.differs.values(), *figures.values()]
        return [head, *zip(*columns, strict=True)]


def said(folder: RunFolder, status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and value of a run: what was chosen, the values of its config, and what it was made with."""
    for key in ("model", "data", "status"):
        yield key, str(status.get(key, "?"))
    yield from flat(folder.read_config())
    commit = status.get("git", {})
    yield "git commit", f"{commit.get('commit', '')}{'' if commit.get('clean', True) else ', changed'}"
    yield "on", str(status.get("device", ""))
    yield "precision", str(status.get("precision", ""))
    for name, version in sorted(status.get("versions", {}).items()):
        yield f"version of {name}", str(version)


def flat(node: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    """The values below a node of a config by their full keys, without the names of classes, of which the choices tell."""
    for key, value in node.items():
        where = f"{place}{key}"
        if where in APART or key == "_target_":
            continue
        if isinstance(value, Mapping) and "fingerprint" in value:  # an earlier run
            yield where, str(value.get("run"))
        elif isinstance(value, Mapping):
            yield from flat(value, f"{where}.")
        else:
            yield where, "none" if is_none(value) else str(value)


def direction(name: str) -> str | None:
    """Whether "lower" or "higher" values of a figure are better, as its meaning says; None if neither, or if it depends."""
    texts = [meaning.text for meaning in glossary().get(name, ())]
    found = {way for way in ("lower", "higher") for text in texts if f"{way} is better" in text.lower()}
    return found.pop() if len(found) == 1 else None
