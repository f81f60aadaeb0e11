"""The folder of a search: what is searched, and its trials as a table. Imports no torch and no Optuna.

search.json     what was typed, and how it is searched: metrics, sampler, pruner, number of trials
journal.log     the study of Optuna, to which each process of the search appends
sweep.json      the trials as jobs of a sweep, for the verbs that take one
trials.csv, trials.md    the table of the trials
images/         history.png, importance.png, values.png
0, 1, 2, …      the trials, each a run folder
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nnlab.errors import BadInput, printable
from nnlab.runs.files import write_whole
from nnlab.runs.folder import RunFolder
from nnlab.runs.objective import Objective, measured
from nnlab.runs.sweep import members, planned, refuse_foreign, typed, write_tables
from nnlab.runs.text_formats import as_json, read_json

SEARCH, JOURNAL = "search.json", "journal.log"
TABLES = ("trials.csv", "trials.md")
LOCKS = ("claim.lock", f"{JOURNAL}.lock")  # while a process writes; a kill leaves one
FILES = (SEARCH, JOURNAL, *TABLES, *LOCKS)  # beside those of a sweep
MOST = 100_000  # trials


@dataclass(frozen=True)
class Plan:
    """What is searched, and how.

    words    what was typed: KEY=VALUE, where some values are spaces
    keys     those that are searched
    metrics  one, or several for a front of trials of which none is worse in all
    trials   how many the search makes
    """

    words: list[str]
    keys: list[str]
    metrics: list[Objective]
    sampler: str
    pruner: str
    trials: int


@dataclass(frozen=True)
class Result:
    """A trial as its run folder shows it.

    values  of the metrics, with the weights that the run keeps; [] if it has none yet
    """

    folder: RunFolder
    status: dict[str, Any]
    values: list[float]

    @property
    def number(self) -> int:
        """The number of the trial, which is the name of its folder."""
        return int(self.folder.path.name)

    @property
    def complete(self) -> bool:
        """Whether it was trained to its end."""
        return self.status.get("status") == "completed" and bool(self.values)


def is_search(path: Path) -> bool:
    """Whether a folder is that of a search."""
    return (path / SEARCH).is_file()


def begun(path: Path) -> list[RunFolder] | None:
    """The runs of a sweep or of a search that have begun; None if the folder is neither.

    Raises BadInput if none has.
    """
    if planned(path) is None and not is_search(path):
        return None
    found = [folder for _, folder in members(path)]
    if not found:
        verb = "search -o" if is_search(path) else "resume"
        raise BadInput(f"{printable(path)}: none of its runs has begun; go on with: nnlab {verb} {printable(path)}")
    return found


def read_plan(path: Path) -> Plan:
    """The plan of a search, which a stranger may have written. Raises BadInput if there is none that can be followed."""
    found = read_json(path / SEARCH)
    try:
        plan = Plan(**{**found, "metrics": [Objective(**metric) for metric in found["metrics"]]})
        texts = [*plan.words, *plan.keys, plan.sampler, plan.pruner, *(metric.name for metric in plan.metrics)]
        legal = plan.metrics and plan.keys and all(isinstance(text, str) for text in texts)
        legal = legal and isinstance(plan.trials, int) and 0 < plan.trials <= MOST
    except (TypeError, KeyError, AttributeError):
        legal = False
    if not legal:
        raise BadInput(f"{printable(path / SEARCH)}: not the plan of a search; search again, in another folder")
    return plan


def write_plan(path: Path, plan: Plan) -> None:
    """Rewrite search.json. Raises OSError."""
    write_whole(path / SEARCH, as_json(asdict(plan)))


def refuse_foreign_words(path: Path, words: list[str]) -> None:
    """Raise BadInput if the words of a plan hold more than plain KEY=VALUE."""
    refuse_foreign(path, [words], SEARCH)


def refuse_links(path: Path) -> None:
    """Raise BadInput if a link lies where a trial is to lie, or the study."""
    for entry in path.iterdir():
        if entry.is_symlink():
            raise BadInput(f"{printable(entry)}: is a link; nnlab writes into none")


def results(path: Path, plan: Plan) -> list[Result]:
    """The trials that have begun, from the worst to the best; those that were pruned stand before those that are complete.

    Of several metrics the trials on the front come last, in the order of the first metric.
    """
    runs = [(status, folder) for status, folder in members(path) if folder.path.parent == path and folder.path.name.isdigit()]
    found = [Result(folder, status, measured(folder, plan.metrics)) for status, folder in runs]
    best = {result.number for result in front(found, plan.metrics)}

    def order(result: Result) -> tuple:
        if not result.values:
            return (False, False, False, 0.0, -result.number)
        first = plan.metrics[0].worse_first(result.values[0])
        last = len(plan.metrics) > 1 and result.number in best
        return (True, result.complete, last, first, -result.number)

    return sorted(found, key=order)


def front(trials: Sequence[Result], metrics: Sequence[Objective]) -> list[Result]:
    """The complete trials that no other beats: as good in each metric, and better in one. Of one metric: the best trials."""
    points = {t.number: [m.worse_first(v) for m, v in zip(metrics, t.values, strict=True)] for t in trials if t.complete}

    def beaten(point: list[float]) -> bool:
        return any(other != point and all(a >= b for a, b in zip(other, point, strict=True)) for other in points.values())

    return [trial for trial in trials if trial.number in points and not beaten(points[trial.number])]


def chosen(result: Result, keys: Sequence[str]) -> list[str]:
    """The values of the searched keys in a trial."""
    return values_of(typed(result.folder), keys)


def values_of(words: Sequence[str], keys: Sequence[str]) -> list[str]:
    """The value of each key among words KEY=VALUE, "" if it has none."""
    said = dict(word.partition("=")[::2] for word in words)
    return [said.get(key, "") for key in keys]


def table(path: Path, plan: Plan) -> list[tuple[str, ...]]:
    """A line for each trial that has begun: its number, status, searched values, metrics, epochs and seconds; the best last."""
    shown = [*plan.keys, *(metric.place for metric in plan.metrics)]
    lines, found = [("trial", "status", *shown, "epoch", "seconds")], results(path, plan)
    begun = {result.number for result in found}
    for number, job in enumerate(planned(path) or []):  # what could not be built has no folder
        if number not in begun:
            lines.append((str(number), "no run", *values_of(job, plan.keys), *[""] * len(plan.metrics), "", ""))
    for result in found:
        values = [f"{value:.5g}" for value in result.values] or [""] * len(plan.metrics)
        status = result.status
        after = (f"{status.get('epoch', 0):.4g}", f"{status.get('seconds', 0):.4g}")
        lines.append((str(result.number), status.get("status", "?"), *chosen(result, plan.keys), *values, *after))
    return lines


def keep_table(path: Path, lines: list[tuple[str, ...]]) -> None:
    """The table as trials.csv, and as trials.md for a report. Raises OSError."""
    write_tables(lines, *(path / name for name in TABLES))
