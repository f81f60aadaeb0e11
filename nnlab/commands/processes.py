"""Several processes that train one run, started by `torchrun`: the first is the command, the others follow it."""

from __future__ import annotations

from argparse import Namespace

from nnlab.config import composition


def follow(args: Namespace) -> int:
    """Train together with the first process, which writes the run folder and says what there is to say."""
    from nnlab.checkpoints.reference import resolve_references
    from nnlab.experiment.run import build_experiment, follow_experiment
    from nnlab.nn.world import join

    lines = [line for line in args.overrides if not line.lstrip("+~").startswith("hydra")]
    config, _ = resolve_references(composition.to_dict(composition.compose_config(lines, args.config_dir)))
    follow_experiment(build_experiment({**config, "judge": "none"}, world=join()))
    return 0
