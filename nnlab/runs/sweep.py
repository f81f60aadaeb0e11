"""A sweep: a table of its jobs, as sweep.csv and sweep.md; if the jobs can be compared, the best one is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from nnlab.errors import BadInput, printable, shortened
from nnlab.runs.csv_file import write_csv
from nnlab.runs.files import write_whole
from nnlab.runs.find import as_typed, find
from nnlab.runs.folder import RunFolder
from nnlab.runs.text_formats import as_json, read_json, read_yaml
from nnlab.runs.trust import trouble

PLAIN = re.compile(r"[A-Za-z_][\w./@]*")  # a key without the signs by which Hydra adds and removes
PLAN = "sweep.json"  # which jobs a sweep has, in the order of their numbers: also those that have not begun
TABLES = ("sweep.csv", "sweep.md")
BESIDE = ("parameters", "seconds")  # what a table holds besides the test figures


class SweepFolder(Callback):
    """Hydra calls it when a sweep begins; remembers where the sweep is, and writes down its jobs."""

    path: Path | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Remember the sweep's folder, and write its jobs into sweep.json, each as the words that were typed for it."""
        from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
        from hydra.core.override_parser.overrides_parser import OverridesParser

        SweepFolder.path = Path(config.hydra.sweep.dir)
        SweepFolder.path.mkdir(parents=True, exist_ok=True)
        typed = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
        jobs = [list(job) for batch in BasicSweeper.split_arguments(typed, None) for job in batch]  # as Hydra numbers them
        write_whole(SweepFolder.path / PLAN, as_json({"jobs": [[word for word in job if not elsewhere(word)] for job in jobs]}))

    def on_job_end(self, config: DictConfig, job_return: Any, **kwargs: Any) -> None:
        """Rewrite the table of the jobs that are done, so that an interrupted sweep has one."""
        if SweepFolder.path and (table := compared(apart(SweepFolder.path))):
            keep(SweepFolder.path, table)  # an interrupted sweep has the table of what was done


def elsewhere(word: str) -> bool:
    """Whether a word of a job says where it lies, which a sweep that goes on knows by itself."""
    return key_of(word).split(".")[0] in ("hydra", "outputs")


def key_of(word: str) -> str:
    """The key of a word KEY=VALUE."""
    return word.partition("=")[0]


def refuse_foreign(path: Path, jobs: list[list[str]], plan: str = PLAN) -> None:
    """Raise BadInput if jobs, which a stranger may have written, hold more than plain KEY=VALUE of nnlab's own keys.

    Nor may they say where data lie: data are downloaded there, and a judge is kept there.

    plan  the file of the folder that holds them
    """
    for word in (word for job in jobs for word in job):
        if key_of(word) == "data.root":
            raise BadInput(
                f"{printable(path / plan)}: '{shortened(word)}': say yourself where the data lie: add data.root=FOLDER"
            )
        if (
            "=" not in word
            or not PLAIN.fullmatch(key_of(word))
            or key_of(word).split(".")[0].split("/")[0] in ("hydra", "outputs")
        ):
            raise BadInput(f"{printable(path / plan)}: '{shortened(word)}' is no plain KEY=VALUE; train the sweep again")
    for number in range(len(jobs)):
        if (path / str(number)).is_symlink():
            raise BadInput(f"{printable(path / str(number))}: is a link; nnlab writes into none")


def planned(path: Path) -> list[list[str]] | None:
    """What was typed for each job of a sweep, in order; None if the folder is no sweep."""
    plan = read_json(path / PLAN)
    jobs = plan.get("jobs") if isinstance(plan, dict) else None
    if not isinstance(jobs, list) or not all(isinstance(job, list) and all(isinstance(w, str) for w in job) for job in jobs):
        return None
    return jobs


def members(path: Path) -> list[tuple[dict, RunFolder]]:
    """The jobs of a sweep that have begun, in the order of their numbers, each with its status. Raises BadInput for a link."""
    runs = []
    for folder in find(path):
        if problem := trouble(folder.path):
            raise BadInput(problem)
        runs.append((folder.read_status(), folder))
    return sorted(runs, key=lambda run: (len(run[1].path.name), run[1].path.name))


def comparable(runs: list[tuple[dict, RunFolder]]) -> bool:
    """Whether runs can be ranked: one monitored metric, of one model, on the same examples, spoilt by the same noise."""
    having = [(status, folder) for status, folder in runs if status.get("best")]
    return len({(s.get("model"), s.get("data"), *s["best"], *measured_on(folder)) for s, folder in having}) <= 1


def measured_on(folder: RunFolder) -> list[str]:
    """What was typed of the examples that a run is measured on. That it learns from few of them leaves these as they are."""
    named = [word for word in typed(folder) if key_of(word).split(".")[0] in ("data", "noise")]
    return sorted(word for word in named if key_of(word) not in ("data.train_size", "data.root"))


def keep(path: Path, table: list[tuple[str, ...]]) -> None:
    """The table as sweep.csv, and as sweep.md for a report."""
    write_csv(path / TABLES[0], table)
    write_whole(path / TABLES[1], as_markdown(table))


def as_markdown(table: list[tuple[str, ...]]) -> str:
    """A table as Markdown."""
    head, *rows = [[printable(cell).replace("|", "\\|").replace("<", "&lt;") for cell in line] for line in table]
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def typed(folder: RunFolder) -> list[str]:
    """What was typed for a job of a sweep."""
    path = folder.path / ".hydra" / "overrides.yaml"
    try:
        words, _ = read_yaml(path)
    except (OSError, ValueError):
        return []
    return [str(word) for word in words] if isinstance(words, list) else []


def apart(sweep: Path) -> dict[str, RunFolder]:
    """The jobs of a sweep that are complete, in the order of their numbers, by what tells them apart."""
    return by_what_differs([folder for status, folder in members(sweep) if status.get("status") == "completed"])


def by_what_differs(folders: list[RunFolder]) -> dict[str, RunFolder]:
    """Runs by what tells them apart: what was typed for one and not for all; their folder where that does not."""
    said = [typed(folder) for folder in folders]
    common = set.intersection(*map(set, said)) if said else set()
    names = [" ".join(word for word in words if word not in common) for words in said]
    return {
        name if name and names.count(name) == 1 else str(as_typed(folder.path)): folder
        for name, folder in zip(names, folders, strict=True)
    }


def compared(jobs: dict[str, RunFolder]) -> list[tuple[str, ...]]:
    """One line per job with its test metrics, parameters and seconds; empty for fewer than two jobs."""
    figures_of = {name: {**folder.read_test_figures(), **beside(folder)} for name, folder in jobs.items()}
    keys = list(dict.fromkeys(key for figures in figures_of.values() for key in figures if key not in BESIDE))
    if len(figures_of) < 2 or not keys:
        return []
    shown = [*keys, *BESIDE]
    lines = [(name, *(f"{of[key]:.5g}" if key in of else "" for key in shown)) for name, of in figures_of.items()]
    return [("test", *shown), *lines]


def beside(folder: RunFolder) -> dict[str, float]:
    """The parameters and seconds of a run."""
    summary = folder.read_summary()
    return {key: summary[key] for key in BESIDE if isinstance(summary.get(key), int | float)}
