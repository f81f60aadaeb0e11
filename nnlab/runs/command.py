"""The command lines that make a sweep or a search again. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from nnlab.errors import BadInput
from nnlab.runs.search import is_search, read_plan
from nnlab.runs.shell import line
from nnlab.runs.sweep import ranked_by
from nnlab.runs.text_formats import read_yaml


def command_of(path: Path) -> str | None:
    """The command line that makes a sweep or a search again; None if nothing in its folder says it."""
    words = search_words(path) if is_search(path) else sweep_words(path)
    return line(["nnlab", *words]) if words else None


def sweep_words(path: Path) -> list[str]:
    """The words of a sweep, from what Hydra wrote down, with the metric that ranks it; [] if Hydra did not."""
    try:
        config, _ = read_yaml(path / "multirun.yaml")
        words = config["hydra"]["overrides"]["task"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    if not isinstance(words, list) or not words:
        return []
    metric = ranked_by(path)
    return ["train", "-m", *map(str, words), *([f"sweep.metric={metric.typed}"] if metric else [])]


def search_words(path: Path) -> list[str]:
    """The words of a search, from its plan; [] if that cannot be read."""
    try:
        plan = read_plan(path)
    except BadInput:
        return []
    metrics = [word for metric in plan.metrics for word in ("--metric", metric.typed)]
    pruner = ["--pruner", plan.pruner] if len(plan.metrics) == 1 else []  # trials are not pruned by several metrics
    return ["search", *plan.words, *metrics, "--sampler", plan.sampler, *pruner, "--trials", str(plan.trials)]
