"""What is said of a sweep besides its jobs: the metric that ranks them, where they run, and whether they run at all."""

from __future__ import annotations

from collections.abc import Sequence

from nnlab.config import composition, names
from nnlab.errors import BadInput, shortened
from nnlab.extras import require
from nnlab.runs.objective import Objective
from nnlab.runs.sweep import key_of

METRIC = "sweep.metric"
AUTO = "auto"  # the metric that chooses the weights of each run
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
        extra = EXTRAS[name]
        require(f"hydra/launcher={name}", extra, f"hydra_plugins.hydra_{extra}_launcher")


def ranking(metric: str, typed: names.CommandLine, config_dir: str | None) -> Objective | None:
    """The metric that ranks the jobs of a sweep; None for `auto`.

    Each model, dataset and judge is built once, beside the first of the others, and measured without training. Raises BadInput
    if one does not record the metric on the validation split.
    """
    if metric == AUTO:
        return None
    from nnlab.checkpoints.reference import resolve_references
    from nnlab.experiment.objectives import objectives

    configs = {}
    for job in typed.jobs():
        config, problems = resolve_references(composition.to_dict(composition.compose_config(job, config_dir)))
        if problems:
            raise BadInput(*problems)
        configs.setdefault(repr([config["model"]["_target_"], config["data"]["_target_"], config["judge"]]), config)
    return objectives(list(configs.values()), [metric], f"{METRIC}=")[0]
