"""A sweep: its plan, its jobs, what ranks them, and a table of them as sweep.csv and sweep.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from nnlab.errors import BadInput, printable, shortened
from nnlab.runs.csv_file import write_csv
from nnlab.runs.files import read, write_whole
from nnlab.runs.find import as_typed, find
from nnlab.runs.folder import RunFolder
from nnlab.runs.lock import locked
from nnlab.runs.objective import Objective, measured
from nnlab.runs.table import number, worst_first
from nnlab.runs.text_formats import as_json, read_json, read_yaml
from nnlab.runs.trust import trouble

PLAIN = re.compile(r"[A-Za-z_][\w./@]*")  # a key without the signs by which Hydra adds and removes
PLAN = "sweep.json"  # which jobs a sweep has, in the order of their numbers: also those that have not begun
TABLES = ("sweep.csv", "sweep.md")
REPORT = "report.html"  # of nnlab report, in a run's folder or in that of a sweep
REFUSED = ".refused"  # the end of the name of a file with the reason why a job could not be built
BESIDE = ("parameters", "seconds")  # what a table holds besides the test figures
TEXTS = ("run", "overrides", "status", "reason")  # columns that are no numbers


class SweepFolder(Callback):
    """Hydra calls it when a sweep begins; locks its folder, remembers it, and writes down the jobs and what ranks them."""

    path: Path | None = None
    ranking: Objective | None = None
    lock = ExitStack()

    @classmethod
    def forget(cls) -> None:
        """Forget the sweep before, of the same process."""
        cls.path, cls.ranking = None, None
        cls.lock.close()

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Remember the sweep's folder, and write its jobs into sweep.json, each as the words that were typed for it."""
        SweepFolder.path = Path(config.hydra.sweep.dir)
        SweepFolder.path.mkdir(parents=True, exist_ok=True)
        SweepFolder.lock.enter_context(locked(SweepFolder.path))
        ranked = {"metric": self.ranking.place, "higher_is_better": self.ranking.higher_is_better} if self.ranking else {}
        write_whole(SweepFolder.path / PLAN, as_json({"jobs": jobs_of(list(config.hydra.overrides.task)), **ranked}))

    def on_job_end(self, config: DictConfig, job_return: Any, **kwargs: Any) -> None:
        """Rewrite the table of the jobs that are done, so that an interrupted sweep has one."""
        if SweepFolder.path and config.hydra.mode == RunMode.MULTIRUN:  # a launcher's processes have no path
            keep(SweepFolder.path)


def jobs_of(words: Sequence[str]) -> list[list[str]]:
    """The words of each job of a sweep, in the order of Hydra's numbers, without those that say where a job lies.

    Hydra must have begun.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())  # which glob(*) asks
    overrides = parser.parse_overrides([word for word in words if not elsewhere(word)])
    return [list(job) for batch in BasicSweeper.split_arguments(overrides, None) for job in batch]


def elsewhere(word: str) -> bool:
    """Whether a word of a job says where it lies, which a sweep that goes on knows by itself."""
    return key_of(word).split(".")[0].split("/")[0] in ("hydra", "outputs")


def key_of(word: str) -> str:
    """The key of a word KEY=VALUE."""
    return word.partition("=")[0]


def refuse_foreign(path: Path, jobs: list[list[str]], plan: str = PLAN) -> None:
    """Raise BadInput if jobs, which a stranger may have written, hold more than plain KEY=VALUE of nnlab's own keys.

    Nor may they say where data lie: data are downloaded there, and a judge is kept there; nor to whom results are sent.

    plan  the file of the folder that holds them
    """
    for word in (word for job in jobs for word in job):
        if key_of(word).startswith("recorder."):
            raise BadInput(f"{printable(path / plan)}: '{shortened(word)}': if that is yours, add {key_of(word)}=…")
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
    for i in range(len(jobs)):
        if (path / str(i)).is_symlink():
            raise BadInput(f"{printable(path / str(i))}: is a link; nnlab writes into none")


def planned(path: Path) -> list[list[str]] | None:
    """What was typed for each job of a sweep, in order; None if the folder is no sweep."""
    plan = read_json(path / PLAN)
    jobs = plan.get("jobs") if isinstance(plan, dict) else None
    if not isinstance(jobs, list) or not all(isinstance(job, list) and all(isinstance(w, str) for w in job) for job in jobs):
        return None
    return jobs


def ranked_by(path: Path) -> Objective | None:
    """The metric that was chosen to rank the jobs of a sweep; None if none was."""
    plan = read_json(path / PLAN)
    metric, higher = (plan.get(key) if isinstance(plan, dict) else None for key in ("metric", "higher_is_better"))
    if not isinstance(metric, str) or not isinstance(higher, bool):
        return None
    return Objective(metric.removeprefix("validation/"), higher)


def name_of(run: Path, outputs: Path) -> tuple[str, str]:
    """A run's name among others, and its sweep: empty if it is no job of one.

    The name of a job is its number and what was typed for it and not for all; that of another run its folder, below `outputs`.
    """
    jobs, number = planned(run.parent), run.name
    if not jobs or not number.isdigit() or int(number) >= len(jobs):
        return below(run, outputs), ""
    common = set.intersection(*map(set, jobs))
    return " ".join([number, *(word for word in jobs[int(number)] if word not in common)]), below(run.parent, outputs)


def below(path: Path, outputs: Path) -> str:
    """A folder as it is called inside another; its last two parts if it is not inside."""
    path, outputs = path.absolute(), outputs.absolute()
    return path.relative_to(outputs).as_posix() if path.is_relative_to(outputs) else "/".join(path.parts[-2:])


def members(path: Path) -> list[tuple[dict, RunFolder]]:
    """The jobs of a sweep that have begun, in the order of their numbers, each with its status. Raises BadInput for a link."""
    runs = []
    for folder in find(path):
        if problem := trouble(folder.path):
            raise BadInput(problem)
        runs.append((folder.read_status(), folder))
    return sorted(runs, key=lambda run: (len(run[1].path.name), run[1].path.name))


def comparable(runs: list[tuple[dict, RunFolder]], ranking: Objective | None = None) -> bool:
    """Whether runs can be ranked: by one metric, on the same examples, spoilt by the same noise.

    By the metric that each run monitors they can if they are of one model, too; by a chosen one also if they are not.
    """
    if ranking:
        return same_examples(runs)
    having = [(status, folder) for status, folder in runs if status.get("best")]
    return len({(s.get("model"), s.get("data"), *s["best"], *measured_on(folder)) for s, folder in having}) <= 1


def same_examples(runs: list[tuple[dict, RunFolder]]) -> bool:
    """Whether runs are measured on the same examples, spoilt by the same noise."""
    return len({(status.get("data"), *measured_on(folder)) for status, folder in runs}) <= 1


def measured_on(folder: RunFolder) -> list[str]:
    """What was typed of the examples that a run is measured on. That it learns from few of them leaves these as they are."""
    named = [word for word in typed(folder) if key_of(word).split(".")[0] in ("data", "noise")]
    return sorted(word for word in named if key_of(word) not in ("data.train_size", "data.root"))


def keep(path: Path) -> None:
    """The table of all jobs of a sweep as sweep.csv, and as sweep.md for a report."""
    write_tables(whole_table(path), *(path / name for name in TABLES))


def write_tables(table: list[tuple[str, ...]], csv: Path, markdown: Path) -> None:
    """A table, whose first line is its head, as CSV and as Markdown."""
    write_csv(csv, table)
    head, *rows = [[printable(cell).replace("|", "\\|").replace("<", "&lt;") for cell in line] for line in table]
    lines = [head, ["---" if name in TEXTS else "---:" for name in head], *rows]
    write_whole(markdown, "".join(f"| {' | '.join(line)} |\n" for line in lines))


def whole_table(path: Path) -> list[tuple[str, ...]]:
    """A line for each job, whatever became of it: its words, status, metric, test metrics, parameters and seconds.

    A metric that a job does not have is blank.
    """
    ranking, begun = ranked_by(path), {folder.path.name: (status, folder) for status, folder in members(path)}
    jobs = planned(path) or [typed(folder) for _, folder in begun.values()]
    common = set.intersection(*map(set, jobs)) if len(jobs) > 1 else set()
    rows = []
    for i, job in enumerate(jobs):
        row = {"job": str(i), "overrides": " ".join(word for word in job if word not in common)}
        if str(i) in begun:
            row |= told(*begun[str(i)], ranking)
        elif reason := refusal(path, i):
            row |= {"status": "failed", "reason": reason}
        else:
            row |= {"status": "not begun"}
        rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    last = [name for name in (*BESIDE, "reason") if name in names]
    names = [*(name for name in names if name not in last), *last]
    return [tuple(names), *(tuple(row.get(name, "") for name in names) for row in rows)]


def told(status: dict, folder: RunFolder, ranking: Objective | None) -> dict[str, str]:
    """The cells of a job that has begun: status, metric, test metrics, parameters and seconds; the reason if it failed."""
    tested = {f"test/{name}": value for name, value in folder.read_test_figures().items()}
    numbers = {**measure(status, folder, ranking), **tested, **beside(folder)}
    reason = {"reason": status["reason"]} if "reason" in status else {}
    return {"status": status.get("status", "?"), **{name: number(value) for name, value in numbers.items()}, **reason}


def measure(status: dict, folder: RunFolder, ranking: Objective | None) -> dict[str, float]:
    """The metric of a run that ranks it: the chosen one, or the best of the one that it monitors; {} if it has none."""
    if ranking is None:
        return dict(status.get("best") or {})
    values = measured(folder, [ranking])
    return {ranking.place: values[0]} if values else {}


def worst_to_best(status: dict, folder: RunFolder, ranking: Objective | None) -> tuple[bool, float, float]:
    """A key that sorts the jobs of a sweep; those without the metric come first."""
    if ranking is None:
        return worst_first(status)
    values = measured(folder, [ranking])
    return (bool(values), ranking.worse_first(values[0]) if values else 0.0, status.get("began", 0.0))


def refuse(path: Path, i: int, reason: str) -> None:
    """Write down why job i of a sweep could not be built, which left no folder of a run."""
    write_whole(path / f"{i}{REFUSED}", reason)


def refusal(path: Path, i: int) -> str:
    """Why job i of a sweep could not be built; "" if it could, or was not tried."""
    try:
        return read(path / f"{i}{REFUSED}", 10_000).decode(errors="replace")
    except OSError:
        return ""


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
    lines = [(name, *(number(of[key]) if key in of else "" for key in shown)) for name, of in figures_of.items()]
    return [("test", *shown), *lines]


def beside(folder: RunFolder) -> dict[str, float]:
    """The parameters and seconds of a run."""
    summary = folder.read_summary()
    return {key: summary[key] for key in BESIDE if isinstance(summary.get(key), int | float)}
