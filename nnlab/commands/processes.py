"""Several processes that train one run, started by `torchrun`: the first is the command, the others follow it."""

from __future__ import annotations

import os
from argparse import Namespace

from nnlab.config import composition


def several_processes() -> bool:
    """Whether `torchrun` has started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_follower() -> bool:
    """Whether this is one of several processes, and not the first."""
    return several_processes() and os.environ.get("RANK", "0") != "0"


def follow(args: Namespace) -> int:
    """Train together with the first process, which writes the run folder and says what there is to say."""
    from nnlab.checkpoints.reference import resolve_references
    from nnlab.experiment.run import build_experiment, follow_experiment

    lines = [line for line in args.overrides if not line.lstrip("+~").startswith("hydra")]
    config, _ = resolve_references(composition.to_dict(composition.compose_config(lines, args.config_dir)))
    follow_experiment(build_experiment({**config, "judge": "none"}))
    return 0
