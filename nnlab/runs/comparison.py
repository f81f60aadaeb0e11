"""Runs beside each other: what differs in their configs, and their test figures. No torch."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnlab.config.constraints import is_none
from nnlab.config.flat import bears, flat
from nnlab.config.meanings import direction, meanings
from nnlab.runs.folder import RunFolder
from nnlab.runs.objective import Objective
from nnlab.runs.sweep import BESIDE, beside, by_what_differs, comparable, number, same_examples

CHOSEN = ("model", "data", "status")  # which stand first
SIDE_BY_SIDE = 6  # runs that a table has as columns; of more each is a row


@dataclass(frozen=True)
class Comparison:
    """Several runs and what tells them apart.

    runs     by what was typed for one and not for all
    differs  a cell of each run by the key of a config, or by what a run was made with; "" where a run has no such key
    figures  test figures, parameters and seconds, a value or None of each run
    better   whether "lower" or "higher" values of a figure are better; None if neither, or if models mean different things
    ranked   whether they are of one model and on the same examples
    alike    whether they are on the same examples, so that their figures can be compared
    ranking  the metric that their sweep is ranked by, if one was chosen
    """

    runs: Mapping[str, RunFolder]
    differs: Mapping[str, Sequence[str]]
    figures: Mapping[str, Sequence[float | None]]
    better: Mapping[str, str | None]
    ranked: bool
    alike: bool
    ranking: Objective | None = None

    @classmethod
    def of(cls, folders: Sequence[RunFolder], ranking: Objective | None = None) -> Comparison:
        """The comparison of two runs or more, which a sweep may rank. Raises BadInput for a folder that is no run."""
        statuses = [folder.read_status() for folder in folders]
        configs = [folder.read_config() for folder in folders]
        made = [dict(facts(status)) for status in statuses]
        rows = {key: [each.get(key, "") for each in made] for key in dict.fromkeys(key for each in made for key in each)}
        apart = {key: row for key, row in rows.items() if len(set(row)) > 1}
        chosen = {key: apart.pop(key) for key in CHOSEN if key in apart}
        measured = [{**folder.read_test_figures(), **beside(folder)} for folder in folders]
        names = dict.fromkeys(name for each in measured for name in each if name not in BESIDE)
        figures = {name: [each.get(name) for each in measured] for name in (*names, *BESIDE)}
        known = [meanings(target) for target in dict.fromkeys(str(config["model"].get("_target_")) for config in configs)]
        better = {name: agreed([direction(of.get(name, "")) for of in known if name in of]) for name in names}
        runs = list(zip(statuses, folders, strict=True))
        differs = {**chosen, **differing_values(configs), **apart}
        return cls(
            by_what_differs(list(folders)), differs, figures, better, comparable(runs, ranking), same_examples(runs), ranking
        )

    @property
    def folders(self) -> list[RunFolder]:
        """The runs without their names."""
        return list(self.runs.values())

    def letters(self) -> list[str]:
        """A short name of each of a few runs."""
        return list(string.ascii_uppercase[: len(self.runs)])

    def marked(self) -> dict[str, list[str]]:
        """The figures as text; the best values have a * if lower or higher ones are better and the runs can be compared."""
        text = {}
        for name, values in self.figures.items():
            best = winners(values, self.better.get(name)) if self.alike else set()
            text[name] = ["" if value is None else number(value) + "*" * (i in best) for i, value in enumerate(values)]
        return text

    def rows(self) -> list[tuple[str, ...]]:
        """A row per run below a head: its name, what differs, and its figures."""
        figures = {name: ["" if v is None else number(v) for v in values] for name, values in self.figures.items()}
        head = ("run", *self.differs, *(name if name in BESIDE else f"test/{name}" for name in figures))
        columns = [[str(folder.path) for folder in self.folders], *self.differs.values(), *figures.values()]
        return [head, *zip(*columns, strict=True)]


def facts(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a run was made with, and what was chosen: names and values."""
    for key in ("model", "data", "status"):
        yield key, str(status.get(key, "?"))
    commit = status.get("git", {})
    yield "git commit", f"{commit.get('commit', '')}{'' if commit.get('clean', True) else ', changed'}"
    yield "on", str(status.get("device", ""))
    yield "precision", str(status.get("precision", ""))
    for name, version in sorted(status.get("versions", {}).items()):
        yield f"version of {name}", str(version)


def differing_values(configs: Sequence[Mapping[str, Any]], missing: str = "") -> dict[str, list[str]]:
    """The keys of configs whose values are not the same in all: the value of each run, `missing` where it has no such key."""
    found = [{place: text(value) for place, value in flat(config).items() if bears(place)} for config in configs]
    rows = {place: [each.get(place, missing) for each in found] for place in dict.fromkeys(p for each in found for p in each)}
    return {key: values for key, values in rows.items() if len(set(values)) > 1}


def text(value: object) -> str:
    """A value of a config as a cell of a table."""
    return "none" if is_none(value) else str(value)


def agreed(ways: Sequence[str | None]) -> str | None:
    """What all say; None if they do not say the same."""
    return ways[0] if len(set(ways)) == 1 else None


def winners(values: Sequence[float | None], better: str | None) -> set[int]:
    """The places of the best values; none if all are equal, or if it is not known whether "lower" or "higher" are better."""
    given = [value for value in values if value is not None]
    if not better or len(set(given)) < 2:
        return set()
    best = max(given) if better == "higher" else min(given)
    return {i for i, value in enumerate(values) if value == best}
