"""What a search prints and draws: before it begins, and of the trials that there are. No torch."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nnlab.config import composition
from nnlab.config.spaces import Numbers, Search
from nnlab.errors import RunFailed, explain, printable
from nnlab.plotting.picture import save
from nnlab.runs.files import own
from nnlab.runs.find import as_typed
from nnlab.runs.search import Plan, Result, chosen, front, keep_table, read_plan, results, table
from nnlab.runs.sweep import typed
from nnlab.runs.table import aligned

if TYPE_CHECKING:
    from nnlab.experiment.study import Study

FEW = 5  # commands to paste


def preview(plan: Plan, found: Search, config_dir: str | None) -> None:
    """Print what would be searched: the values to try, the metrics, and the config of all trials."""
    from omegaconf import OmegaConf

    print(f"{plan.trials} trials, sampler {plan.sampler}, pruner {plan.pruner}")
    for metric in plan.metrics:
        print(f"{metric.place}: {'higher' if metric.higher_is_better else 'lower'} is better")
    print("\nvalues to try")
    width = max(len(space.key) for space in found.spaces)
    for space in found.spaces:
        print(f"  {printable(space.key):<{width}}  {printable(space)}")
    config = composition.compose_config(found.fixed, config_dir)
    for space in found.spaces:
        if OmegaConf.select(config, space.key, default=None) is not None:
            OmegaConf.update(config, space.key, f"<{space}>", merge=False)
    print(f"\nconfig of each trial\n{printable_lines(OmegaConf.to_yaml(config))}", end="")


def printable_lines(text: str) -> str:
    """A text of several lines, each made harmless."""
    return "".join(f"  {printable(line)}\n" for line in text.splitlines())


def show(path: Path, study: Study | None = None, config_dir: str | None = None) -> None:
    """Print the table of a search and the command of its best trial; with its study, also write and draw them.

    config_dir  the folder of the user's own configs, if some are used

    Raises RunFailed where that cannot be written.
    """
    plan = study.plan if study else read_plan(path)
    lines, found = table(path, plan), results(path, plan)
    if len(lines) > 1:
        print(f"\n{printable(as_typed(path))}, the best last\n{aligned(lines)}\n")
    for best in front(found, plan.metrics)[-FEW:]:
        values = "  ".join(f"{m.place} {value:.5g}" for m, value in zip(plan.metrics, best.values, strict=True))
        print(f"{'best' if len(plan.metrics) == 1 else 'on the front'}: trial {best.number}, {printable(values)}")
        print(f"  nnlab train {printable(shlex.join([*(['-cd', config_dir] if config_dir else []), *typed(best.folder)]))}")
    if study is None:
        return
    try:
        keep_table(path, lines)
        drawn = pictures(study, found)
        for name, picture in drawn.items():
            save(picture, own(path / "images") / f"{name}.png")
    except OSError as error:
        raise RunFailed(explain(error, path)) from error
    if drawn:
        print(f"pictures: {printable(as_typed(path))}/images ({', '.join(drawn)})")
    if study.made < plan.trials:
        others = [f"another process makes trial {number}" for number in study.running]
        after = others or [f"go on with: nnlab search -o {printable(as_typed(path))}"]
        print("; ".join([f"{study.made} of {plan.trials} trials are made", *after]))


def pictures(study: Study, found: list[Result]) -> dict[str, np.ndarray]:
    """The charts of a search, by their names; none for fewer than two trials with values."""
    from nnlab.plotting import search as charts

    plan = study.plan
    trials = sorted((result for result in found if result.values), key=lambda result: result.number)
    if len(trials) < 2 or not any(result.complete for result in trials):
        return {}
    number = np.array([result.number for result in trials])
    pruned = np.array([not result.complete for result in trials])
    column = np.array([result.values[0] for result in trials])
    first = charts.Trials(number, column, pruned, plan.metrics[0].place, plan.metrics[0].higher_is_better)
    drawn = {"history": charts.history(first)}
    shares = study.importances()
    if shares:
        drawn["importance"] = charts.importance(shares, [metric.place for metric in plan.metrics])
    spaces = sorted(study.spaces, key=lambda space: -sum(shares.get(space.key, [0.0])))
    said = [dict(zip(plan.keys, chosen(result, plan.keys), strict=True)) for result in trials]
    tried = {
        space.key: [float(words[space.key]) if isinstance(space, Numbers) else words[space.key] for words in said]
        for space in spaces
    }
    log = [space.key for space in spaces if isinstance(space, Numbers) and space.log]
    drawn["values"] = charts.values(tried, log, first)
    if len(plan.metrics) > 1:
        complete = [result for result in trials if result.complete]
        best = {result.number for result in front(complete, plan.metrics)}
        points = np.array([result.values[:2] for result in complete])
        on = np.array([result.number in best for result in complete])
        places = (plan.metrics[0].place, plan.metrics[1].place)
        drawn["front"] = charts.front(points, [result.number for result in complete], on, places)
    return drawn
