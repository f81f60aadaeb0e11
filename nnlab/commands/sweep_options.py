"""What is said of a sweep besides its jobs: the metric that ranks them, where they run, and whether they run at all."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from nnlab.config import composition, names
from nnlab.errors import BadInput, nearest, printable, shortened
from nnlab.runs.sweep import Ranking, key_of

METRIC = "sweep.metric"
AUTO = "auto"  # the metric that chooses the weights of each run
FEW = 1000  # examples that the untrained model is measured on, to see which metrics there are
EXTRAS = {"joblib": "joblib", "submitit_local": "submitit", "submitit_slurm": "submitit", "ray": "ray"}  # by the launcher


def split_metric(words: Sequence[str], multirun: bool) -> tuple[list[str], str]:
    """The words without those of the sweep, and its metric. Raises BadInput for a key that a sweep does not have."""
    metric, left = AUTO, []
    for word in words:
        key, _, value = word.partition("=")
        if key.split(".")[0] != "sweep":
            left.append(word)
        elif key != METRIC or not value:
            raise BadInput(f"{shortened(word)}: of a sweep there is {METRIC}=METRIC, for example {METRIC}=validation/loss")
        elif not multirun:
            raise BadInput(f"{METRIC}: belongs to a sweep; add -m")
        else:
            metric = value
    return left, metric


def check_launcher(words: Sequence[str], multirun: bool) -> None:
    """Raise BadInput for a launcher without a sweep, for two of them, and for one whose extra is not installed."""
    chosen = [word for word in words if key_of(word) == "hydra/launcher"]
    if not chosen:
        return
    if not multirun:
        raise BadInput(f"{chosen[0]}: launches the jobs of a sweep; add -m")
    launchers = ",".join(word.partition("=")[2] for word in chosen).split(",")
    if len(launchers) > 1:
        raise BadInput(f"hydra/launcher: several launchers ({shortened(', '.join(launchers))}); give one of them")
    name = launchers[0]
    if name in EXTRAS:
        try:
            importlib.import_module(f"hydra_plugins.hydra_{EXTRAS[name]}_launcher")
        except ImportError as error:
            raise BadInput(f"hydra/launcher={name}: is not installed; pip install 'nnlab[{EXTRAS[name]}]'") from error


def ranking(metric: str, typed: names.CommandLine, config_dir: str | None) -> Ranking | None:
    """The metric and which of its values are better; None for `auto`.

    Each model on each dataset is built once, and measured without training. Raises BadInput if one does not record the metric.
    """
    if metric == AUTO:
        return None
    directions, seen = set(), set()
    for job in typed.jobs():
        config = composition.to_dict(composition.compose_config(job, config_dir))
        pair = tuple(config[node]["_target_"] for node in ("model", "data"))
        if pair not in seen:
            seen.add(pair)
            directions.add(direction(metric, config))
    if len(directions) > 1:
        raise BadInput(f"{METRIC}: of {printable(metric)} lower values are better for one model, and higher for another")
    return Ranking(metric, directions.pop() == "higher")


def direction(metric: str, config: Mapping) -> str:
    """Whether "lower" or "higher" values of a metric are better. Raises BadInput if runs of this config do not record it."""
    recorded = measured(config)
    ranked = [name for name, better in recorded.items() if better]
    split, _, name = metric.rpartition("/")
    if split not in ("validation", "test") or name not in recorded:
        known = [f"validation/{name}" for name in ranked]
        near = nearest(metric if split else f"validation/{metric}", known).rstrip(".")
        raise BadInput(f"{METRIC}: {shortened(metric)} is not recorded by these runs; {near}")
    if name not in ranked:
        known = ", ".join(f"validation/{name}" for name in ranked)
        raise BadInput(f"{METRIC}: neither lower nor higher values of {name} are better; these rank runs: {shortened(known)}")
    return recorded[name]


def measured(config: Mapping) -> dict[str, str | None]:
    """The metrics that a run of this config records of a split, with the better direction, or None if there is none."""
    from nnlab.checkpoints.reference import resolve_references
    from nnlab.experiment import judging
    from nnlab.experiment.run import build_experiment
    from nnlab.recording.console import Console

    config, problems = resolve_references(dict(config))
    if problems:
        raise BadInput(*problems)
    config = judging.with_judge(config, Console())
    few = {**config, "data": {**config["data"], "limit": FEW}} if config["data"].get("limit") in (None, "none") else config
    try:
        experiment = build_experiment(few)
    except BadInput:  # too few for something; what is wrong with all of them is told by this
        experiment = build_experiment(config)
    experiment.initialize()
    trainer = experiment.trainer
    split = "validation" if len(experiment.data.validation) else "test"
    found = [*trainer.evaluate_split(split), *trainer.evaluate_metrics(split)]
    judged = sorted(trainer.judge.lower | trainer.judge.higher) if trainer.judge else []
    better = {**dict.fromkeys(trainer.lower, "lower"), **dict.fromkeys(trainer.higher, "higher")}
    if trainer.monitor:
        better[trainer.monitor.name] = "higher" if trainer.monitor.higher_is_better else "lower"
    return {name: better.get(name) for name in dict.fromkeys([*found, *judged])}


def preview(jobs: Sequence[Sequence[str]], folder: Path | str) -> str:
    """The jobs that a command line stands for, a line each, and where they would lie."""
    count = f"{len(jobs)} job{'s' * (len(jobs) > 1)}"
    lines = [f"{number:>{len(str(len(jobs)))}}  {printable(' '.join(job))}" for number, job in enumerate(jobs)]
    return "\n".join([f"{count}; each would be a folder of {printable(folder)}", *lines, "--dry-run: nothing was trained"])
