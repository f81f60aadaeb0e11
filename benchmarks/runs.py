"""Shared by the benchmarks that compare whole runs: a run is made by its command line, once, and its figures are read.

The figures of each run are also kept in benchmarks/figures/GROUP.json. With `--made` no run is made (`TRAINS`): a table has
the rows of the runs that are in outputs/ and of those whose figures are kept, and names the others. So the runs of a long table
may be made on several days and on several machines.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.measure import NNLAB, ROOT, table
from nnlab.config.composition import compose_config, to_dict
from nnlab.config.constraints import is_none
from nnlab.experiment.judging import WORDS, says_words
from nnlab.runs.folder import RunFolder

TRAINS = True


class NotMade(Exception):
    """A run is not there, and none is to be made."""


def run_of(group: str, name: str, chosen: Sequence[str]) -> RunFolder:
    """The run outputs/<group>/<name> of these arguments of `nnlab train`, made if it is not there, complete and the same.

    What of the name is no letter and no digit becomes _ in that of the folder. Raises NotMade if it would have to be made and
    TRAINS is False.
    """
    folder = RunFolder(ROOT / "outputs" / group / re.sub(r"[^A-Za-z0-9]+", "_", name))
    if folder.read_status().get("status") != "completed" or not same(folder, chosen):
        if not TRAINS:
            raise NotMade(f"{group}/{folder.path.name}")
        print(f"nnlab train {' '.join(chosen)}", file=sys.stderr)
        subprocess.run([*NNLAB, "train", *chosen, f"hydra.run.dir={folder.path}"], cwd=ROOT, check=True, env=os.environ)
    return folder


def figures_of(group: str, chosen: Mapping[str, Sequence[str]]) -> tuple[dict[str, dict], str]:
    """The test figures of runs by name, and their epochs; and a sentence about the runs that --made leaves out, or nothing."""
    found, missing = {}, []
    for name, typed in chosen.items():
        try:
            found[name] = measured(group, name, typed, figures_and_epochs)
        except NotMade:
            missing.append(name)
    if not found:
        raise NotMade(f"all of {group}")
    return found, left_out(missing)


def figures_and_epochs(folder: RunFolder) -> dict:
    """The test figures of a run, and its epochs."""
    return {**folder.read_test_figures(), "epochs": folder.read_config()["trainer"]["epochs"]}


def measured(group: str, name: str, chosen: Sequence[str], figures: Callable[[RunFolder], dict]) -> dict:
    """The figures of a run, which are then kept; if it would have to be made and TRAINS is False, those that are kept.

    Raises NotMade if there are none.
    """
    try:
        folder = run_of(group, name, chosen)
    except NotMade:
        if (kept := kept_figures(group, name, chosen)) is None:
            raise
        return kept
    found = figures(folder)
    keep_figures(group, name, chosen, found, folder)
    return found


def left_out(missing: Sequence[str]) -> str:
    """A sentence under a table about the runs that it is without, or nothing."""
    return f"\n\nNot made yet: {'; '.join(missing)}." if missing else ""


def keep_figures(group: str, name: str, chosen: Sequence[str], figures: dict, folder: RunFolder) -> None:
    """Write the figures of a run into the file of its group, with its command, and when and by what it was made."""
    kept, (day, by) = kept_of(group), made_by(folder.read_status())
    kept[name] = {
        "command": " ".join(["nnlab train", *chosen]),
        "config": digest(chosen),
        "made": day,
        "by": by,
        "figures": figures,
    }
    file_of(group).parent.mkdir(exist_ok=True)
    file_of(group).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def kept_figures(group: str, name: str, chosen: Sequence[str]) -> dict | None:
    """The figures that are kept of a run of this config; None if there are none."""
    kept = kept_of(group).get(name)
    return kept["figures"] if kept and kept["config"] == digest(chosen) else None


def kept_of(group: str) -> dict[str, dict]:
    """All that is kept of a group, by the names of its runs."""
    return json.loads(file_of(group).read_text(encoding="utf-8")) if file_of(group).exists() else {}


def file_of(group: str) -> Path:
    """Where the figures of a group are kept."""
    return ROOT / "benchmarks" / "figures" / f"{group}.json"


def digest(chosen: Sequence[str]) -> str:
    """Of a config: what bears on the figures."""
    config = bearing(to_dict(compose_config(list(chosen))))
    return hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()[:12]


def compared(group: str, chosen: Mapping[str, Sequence[str]], columns: Mapping[str, tuple[str, str]]) -> str:
    """A table of runs, each by its name with the arguments of `nnlab train`: the test figures of each, and its epochs.

    columns  by its title, the figure and how it is written
    """
    found, missing = figures_of(group, chosen)
    return table(("", *columns), [(name, *cells(figures, columns)) for name, figures in found.items()]) + missing


def cells(figures: Mapping[str, float], columns: Mapping[str, tuple[str, str]]) -> list[str]:
    """The figures of a row; empty where the run has none."""
    return [form.format(figures[key]) if key in figures else "" for key, form in columns.values()]


def made(group: str) -> str:
    """When the runs of a group were made, and by what."""
    found = [(each["made"], each["by"]) for each in kept_of(group).values()]
    if not found:
        statuses = [RunFolder(path).read_status() for path in sorted((ROOT / "outputs" / group).iterdir())]
        found = [made_by(status) for status in statuses if status.get("status") == "completed"]
    days, by = (sorted(set(each)) for each in zip(*found, strict=True))
    return f"Runs of {' … '.join(dict.fromkeys([days[0], days[-1]]))} on {'; '.join(by)}."


def made_by(status: Mapping) -> tuple[str, str]:
    """When a run was made, and by what, of its status.json."""
    return str(datetime.date.fromtimestamp(status["time"])), f"{status['device']}, torch {status['versions']['torch']}"


def same(folder: RunFolder, chosen: Sequence[str]) -> bool:
    """Whether a run is of this config, wherever its data lie and however often one looked."""
    mine, other = to_dict(compose_config(list(chosen))), folder.read_config()
    typed = {word.partition("=")[0] for word in str(folder.read_status().get("command", "")).split()}
    for key, own, earlier in pretrained(mine["trainer"], other.get("trainer", {})):
        if own.get("epochs") == "auto" and f"{key}.epochs" not in typed:  # it has become a number in the run's own config
            own["epochs"] = earlier.get("epochs")
    for key, value in mine["model"].items():
        if value == "auto" and isinstance(other["model"].get(key), Mapping):  # the classifier that it has become
            mine["model"][key] = other["model"][key]
        earlier = other["model"].get(key)
        if isinstance(value, str) and isinstance(earlier, Mapping) and ROOT / value == ROOT / earlier.get("run", ""):
            mine["model"][key] = earlier  # the same run, by its folder
    return bearing(mine) == bearing(other)


def pretrained(mine: dict, other: Mapping) -> list[tuple[str, dict, Mapping]]:
    """Two `trainer` nodes with their key, and their `pretraining` if both have it."""
    key = "pretraining"
    both = isinstance(mine.get(key), dict) and isinstance(other.get(key), Mapping)
    return [("trainer", mine, other), *([(f"trainer.{key}", mine[key], other[key])] if both else [])]


def bearing(config: dict) -> dict:
    """What of a config bears on the figures."""
    trainer = {key: value for key, value in config["trainer"].items() if not key.endswith("_every")}
    data = {key: value for key, value in without_idle(config["data"]).items() if key not in {"root", "repeats"}}
    data |= {"repeats": config["data"]["repeats"]} if config["data"].get("repeats", 1) != 1 else {}
    data |= {"extra": Path(data["extra"]).name} if "extra" in data else {}  # wherever it lies, as the data
    parts = {part: config[part] for part in ("noise", "augmentation", "optimizer", "seed")}
    return {**parts, "model": without_idle(config["model"]), "trainer": trainer, "data": data, "judged": judges_of(config)}


def judges_of(config: dict) -> bool | list[str]:
    """Whether a run is judged; of captions the names of the judges, which once were one per label."""
    judge = config["judge"]
    if judge == "auto" and says_words(config):
        return [WORDS]
    return sorted(judge["judges"]) if isinstance(judge, Mapping) and "judges" in judge else judge != "none"


def without_idle(node: Mapping) -> dict:
    """A node without keys that are absent or false: they are no other than keys that an older run does not have."""
    kept = {key: value for key, value in node.items() if not (is_none(value) or value is False)}
    return {key: without_idle(value) if isinstance(value, Mapping) else value for key, value in kept.items()}
