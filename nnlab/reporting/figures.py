"""The figures of runs as tables, and what differs between their configs. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnlab.config.meanings import direction, meanings
from nnlab.reporting.facts import Figures, Run, apart, label
from nnlab.reporting.markup import Markup, element, listed, section, table, text
from nnlab.reporting.words import Words
from nnlab.runs.comparison import SIDE_BY_SIDE, differing_values, winners
from nnlab.runs.sweep import comparable
from nnlab.runs.table import number


def ranked(runs: Sequence[Run]) -> bool:
    """Whether the figures of runs can be compared: one model, one dataset, the same examples."""
    rankings = {run.ranking for run in runs}
    return comparable([(run.status, run.folder) for run in runs], rankings.pop() if len(rankings) == 1 else None)


def figures(runs: Sequence[Run], words: Words) -> Markup:
    """The figures of a run with their meanings; of several runs side by side."""
    every = [run.figures() for run in runs]
    if not any(every):
        return section(words["figures"], element("p", words["no_figures"]))
    note = None if any(run.test for run in runs) else element("p", words["so_far"])
    if len(runs) == 1:
        return section(words["figures"], note, of_one(runs[0], every[0], words), measured(runs, words))
    return section(words["figures"], note, *of_several(runs, every, words), measured(runs, words))


def of_one(run: Run, its: Figures, words: Words) -> Markup:
    """A row for each figure: of each split, and what it means."""
    splits = [split for split in ("test", "validation", "train") if any(split in of for of in its.values())]
    told = [name for name, of in its.items() if "test" in of or "validation" in of] or list(its)
    told.sort(key=lambda name: "test" not in its[name])
    known = meanings(run.target)
    first = {local(name): name for name in reversed(told)}  # a figure of several stages is explained once
    meant = [meaning(name, known) if first[local(name)] == name else "" for name in told]
    rows = [[name, *(value(its[name].get(split)) for split in splits), said] for name, said in zip(told, meant, strict=True)]
    return table([words["figure"], *(words[split] for split in splits), words["meaning"]], rows, class_="figures meant")


def of_several(runs: Sequence[Run], every: Sequence[Figures], words: Words) -> list[Markup | None]:
    """The test figures of several runs (without any, those of validation): few runs as columns, many as rows."""
    split = next((s for s in ("test", "validation", "train") if any(s in of for its in every for of in its.values())), "test")
    names = list(dict.fromkeys(name for its in every for name, of in its.items() if split in of))
    known = shared_meanings(runs, every)
    values = {name: [its.get(name, {}).get(split) for its in every] for name in names}
    order = ranked(runs)
    bold = {name: winners(values[name], better(name, split, known, runs)) if order else set() for name in names}
    cells = {name: [value(v, i in bold[name]) for i, v in enumerate(values[name])] for name in names}
    what = [label(i, run) for i, run in enumerate(runs)]
    title = element("h3", words[split])
    note = element("p", words["best_marked"] if order else words["not_ranked"])
    if len(runs) <= SIDE_BY_SIDE:
        body = table([words["figure"], *what], [[name, *cells[name]] for name in names], class_="figures")
    else:
        rows = [[name, *(cells[key][i] for key in names)] for i, name in enumerate(what)]
        body = table([words["run"], *names], rows, class_="figures")
    explained = {local(name): meaning(name, known) for name in names if known.get(local(name))}
    return [
        title,
        body,
        note,
        element("h3", words["meanings"]) if explained else None,
        listed(explained) if explained else None,
    ]


def shared_meanings(runs: Sequence[Run], every: Sequence[Figures]) -> dict[str, str]:
    """What the figures of several runs mean; one that models use differently has each meaning after its model."""
    texts: dict[str, dict[str, str]] = {}  # name → meaning → model
    for run, its in zip(runs, every, strict=True):
        known = meanings(run.target)
        for name in {local(name) for name in its} & known.keys():
            texts.setdefault(name, {}).setdefault(known[name], str(run.status.get("model", "?")))
    return {
        name: next(iter(said)) if len(said) == 1 else "; ".join(f"{model}: {text}" for text, model in said.items())
        for name, said in texts.items()
    }


def local(name: str) -> str:
    """The name of a metric without that of its stage."""
    return name.rpartition("/")[2]


def meaning(name: str, known: Mapping[str, str]) -> Markup:
    """What a figure means; the texts are English."""
    return element("span", known.get(local(name), ""), lang="en")


def value(amount: float | None, best: bool = False) -> Markup:
    """A figure with five significant digits."""
    shown = text("" if amount is None else number(float(amount)))
    return element("b", shown) if best else shown


def better(name: str, split: str, known: Mapping[str, str], runs: Sequence[Run]) -> str | None:
    """Which values of a figure are better: as the monitored one says, or as its meaning does."""
    for run in runs:
        if f"validation/{name}" in run.status.get("best", {}) and "higher_is_better" in run.status:
            return "higher" if run.status["higher_is_better"] else "lower"
    return direction(known.get(local(name), ""))


def measured(runs: Sequence[Run], words: Words) -> Markup | None:
    """How the test figures were measured, if all runs did it in the same way."""
    ways = [run.measured() for run in runs if run.test]
    alike, _ = apart(ways) if ways else ({}, [])
    told = ", ".join(f"{key} {fact}" for key, fact in alike.items())
    return element("p", f"{words['measured']}: {told}") if told else None


def differing(runs: Sequence[Run], words: Words) -> Markup | None:
    """The keys of the configs whose values differ; the longer side of the table goes down the page."""
    if len(runs) == 1:
        return None
    found = differing_values([run.config for run in runs], missing="—")
    if not found:
        return section(words["differs"], element("p", words["alike"]))
    what = [label(i, run) for i, run in enumerate(runs)]
    if len(found) < len(runs):
        rows = [[name, *(values[i] for values in found.values())] for i, name in enumerate(what)]
        return section(words["differs"], table([words["run"], *found], rows))
    return section(words["differs"], table([words["key"], *what], [[key, *values] for key, values in found.items()]))
