"""The command line that makes a sweep or a search again."""

import json
from pathlib import Path

from nnlab.commands.search import arguments
from nnlab.commands.sweep_options import split_metric
from nnlab.runs.command import command_of
from nnlab.runs.objective import Objective
from nnlab.runs.search import Plan, write_plan
from nnlab.runs.shell import shelled
from nnlab.runs.sweep import PLAN
from tests.reports import sweep

WORDS = ["model=vae", "optimizer.lr=log(1e-4,1e-2)", "note='a b'"]


def test_the_command_of_a_sweep_names_what_ranks_it(own_folder: Path) -> None:
    path = sweep("sweep", [1, 4])
    command = "nnlab train -m model=beta_vae model.beta=1,4 \"note='a b'\""
    assert command_of(path) == command
    (path / PLAN).write_text(json.dumps({"jobs": [], "metric": "validation/psnr", "higher_is_better": True}))
    assert command_of(path) == f"{command} sweep.metric=validation/psnr:higher"
    assert split_metric(shelled(command_of(path))[3:], multirun=True)[1] == "validation/psnr:higher"
    (path / "multirun.yaml").unlink()
    assert command_of(path) is None


def test_the_command_of_a_search_gives_its_plan_again(own_folder: Path) -> None:
    several = [Objective("mse"), Objective("psnr", True)]
    for metrics, pruner in (([Objective("loss")], "hyperband"), (several, "none")):
        plan = Plan(WORDS, ["optimizer.lr"], metrics, "qmc", pruner, 7)
        write_plan(own_folder, plan)
        words = shelled(command_of(own_folder))
        args = arguments().parse_intermixed_args(words[2:])
        assert words[:2] == ["nnlab", "search"]
        assert (args.overrides, args.sampler, args.trials) == (WORDS, "qmc", 7)
        assert args.metric == [metric.typed for metric in metrics]
        assert args.pruner == (pruner if len(metrics) == 1 else None)
    (own_folder / "search.json").write_text("{}")
    assert command_of(own_folder) is None
