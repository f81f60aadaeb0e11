"""What a report says of a run, read from the small files of its folder. No torch."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nnlab.config import search
from nnlab.reporting.words import Words
from nnlab.runs.find import as_typed
from nnlab.runs.folder import RunFolder
from nnlab.runs.objective import Objective
from nnlab.runs.sweep import ranked_by
from nnlab.runs.table import number, recipe, seconds
from nnlab.runs.text_formats import is_number

NO_METRIC = frozenset({"step", "epoch", "split", "stage"})  # fields of a record of metrics.jsonl
MEASURING = frozenset({"n", "samples", "checkpoint_step", "judge_pairs", "judge_examples", "critic_examples"})  # nor these
PICTURES_AND_VALUES = re.compile("; images/|; then nnlab| Published: ")  # what a header says of them is no fact of a run
LARGEST = 1e100  # a recorded value beyond it cannot be drawn
Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Run:
    """A run as a report reads it.

    name     what tells it apart from the others
    records  of metrics.jsonl, with their numbers alone, but for split and stage
    test     the record of the test split, also with how it was measured; {} if there is none
    ranking  the metric that its sweep is ranked by, if one was chosen
    """

    name: str
    folder: RunFolder
    config: dict[str, Any]
    status: dict[str, Any]
    summary: dict[str, Any]
    records: list[dict[str, Any]]
    test: dict[str, Any]
    ranking: Objective | None = None

    @property
    def complete(self) -> bool:
        """Whether it came to its end."""
        return self.status.get("status") == "completed"

    @cached_property
    def by_split(self) -> dict[str, list[dict[str, Any]]]:
        """The records of each split."""
        splits: dict[str, list[dict[str, Any]]] = {}
        for record in self.records:
            splits.setdefault(record["split"], []).append(record)
        return splits

    @property
    def target(self) -> str:
        """The class of its model."""
        return str(self.config["model"].get("_target_", ""))

    def title(self, words: Words) -> str:
        """The model and the data."""
        return words("on", model=self.status.get("model", "?"), data=self.status.get("data", "?"))

    def figures(self) -> Figures:
        """name → split → value: the final metrics, or the newest of a run that has no summary.

        The name of a metric of an earlier stage has the stage before it, layer_1/loss.
        """
        final = self.summary.get("final") or {
            f"{record['split']}/{f'{stage}/' if (stage := record.get('stage')) else ''}{name}": value
            for record in self.records
            for name, value in record.items()
            if name not in NO_METRIC | MEASURING
        }
        found: Figures = {}
        for key, value in final.items():
            split, _, name = key.partition("/")
            found.setdefault(name, {})[split] = value
        return found

    def measured(self) -> dict[str, str]:
        """How the test figures were measured: the fields of their record that are no figures."""
        figures = self.figures()
        return {key: number(value) for key, value in self.test.items() if key not in figures and key not in NO_METRIC}


def read(name: str, folder: RunFolder) -> Run:
    """A run from its folder, and from that of its sweep if it is a job. Raises BadInput if it is none."""
    config = folder.read_config()
    records = folder.read_metrics()
    tests = [record for record in records if record.get("split") == "test"]
    test = {key: value for key, value in tests[-1].items() if isinstance(value, str) or is_number(value)} if tests else {}
    return Run(
        name, folder, config, folder.read_status(), folder.read_summary(), sound(records), test, ranked_by(folder.path.parent)
    )


def sound(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Records of a split at a step, with the numbers that can be drawn; anybody may have written the file."""
    kept = []
    for record in records:
        numbers = {key: value for key, value in record.items() if is_number(value) and abs(value) < LARGEST}
        if isinstance(record.get("split"), str) and {"step", "epoch"} <= numbers.keys():
            stage = {"stage": record["stage"]} if isinstance(record.get("stage"), str) else {}
            kept.append({**numbers, "split": record["split"], **stage})
    return kept


def facts(run: Run, words: Words) -> dict[str, str]:
    """What was run, where and when, each fact under its name, in short; what is not known is left out."""
    s = run.status
    place = [s.get("device"), s.get("precision"), f"{words['threads']}: {s['threads']:g}" if "threads" in s else None]
    versions = [f"{name} {version}" for name, version in s.get("versions", {}).items()]
    rate, tags = run.summary.get("images_per_second"), s.get("tags", [])
    known = {
        "status": words.state(s.get("status", "?")),
        "model": s.get("model"),
        "data": s.get("data"),
        "recipe": recipe(s),
        "tags": ", ".join(tags),
        "note": s.get("note"),
        "began": moment(s["began"]) if "began" in s else None,
        "time": seconds(s["seconds"]) if "seconds" in s else None,
        "epochs": f"{s['epoch']:.4g} ({words['steps']}: {words.number(s.get('step', 0))})" if "epoch" in s else None,
        "device": ", ".join(str(fact) for fact in place if fact),
        "parameters": words.number(s["parameters"]) if "parameters" in s else None,
        "rate": words.number(rate) if is_number(rate) else None,
        "seed": run.config.get("seed"),
        "versions": ", ".join(versions),
        "commit": commit(s.get("git", {}), words),
        "folder": as_typed(run.folder.path),
    }
    return {name: str(fact) for name, fact in known.items() if fact not in (None, "")}


def described(run: Run, facts: Mapping[str, str]) -> dict[str, str]:
    """The same facts; the model and the data with what the headers of their configs say, if they are nnlab's own."""
    told = dict(facts)
    for group in facts.keys() & {"model", "data"}:
        path = search.options(group).get(str(run.status.get("choices", {}).get(group, facts[group])))
        about = PICTURES_AND_VALUES.split(search.header(path)[1])[0].rstrip(".") if path else ""
        told[group] = f"{facts[group]} — {about}." if about else facts[group]
    return told


def commit(git: Mapping[str, Any], words: Words) -> str | None:
    """The commit of a run's code; None if it is not known."""
    if not git.get("commit"):
        return None
    return f"{git['commit']}{'' if git.get('clean') else ', ' + words['changed']}"


def moment(seconds: float) -> str:
    """A time as year, month, day, hour and minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def apart(known: Sequence[Mapping[str, str]]) -> tuple[dict[str, str], list[str]]:
    """The facts that are the same for all runs, and the names of the others, in order."""
    names = list(dict.fromkeys(itertools.chain.from_iterable(known)))
    alike = {name: known[0][name] for name in names if len({facts.get(name) for facts in known}) == 1}
    return alike, [name for name in names if name not in alike]


def label(i: int, run: Run) -> str:
    """The number and the name of one of several runs."""
    return f"{i + 1}. {run.name}"
