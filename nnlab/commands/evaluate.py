"""nnlab evaluate: the figures of a run on a split."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from nnlab.commands.arguments import add_data_changed, add_model, add_split, parser, several

if TYPE_CHECKING:
    from nnlab.training.trainer import Trainer


def main(argv: list[str]) -> int:
    made = parser(
        "evaluate",
        "The figures of a run on a split, in float32, printed as JSON.",
        "evaluate last",
        "evaluate last --split validation --checkpoint last",
        "evaluate last --judge auto",
        "evaluate last --samples 5000",
    )
    made.add_argument(
        "--judge",
        metavar="JUDGE",
        help="compares samples and reconstructions with data: auto (a classifier trained once a dataset), RUN or inception",
    )
    made.add_argument("--samples", type=several, metavar="K", help="codes an image by which a VAE's log p(x) is estimated")
    add_split(made, "test")
    add_model(made)
    add_data_changed(made)
    asked = made.parse_args(argv)

    from nnlab.commands.trained import take
    from nnlab.experiment.loading import open_run
    from nnlab.recording.console import Console
    from nnlab.recording.recorder import named

    run = open_run(asked.run, asked.checkpoint, asked.device, asked.data_changed)
    if asked.judge is not None:
        run.use_judge(asked.judge, Console(stream=sys.stderr))
    run.judged = True
    trainer = run.experiment.trainer
    if asked.samples is not None:
        choose_samples(trainer, asked.samples)
    n = len(take(trainer.data, asked.split))
    prefix = named(asked.split, trainer.stages[trainer.stage].name)
    figures = {prefix + name: value for name, value in trainer.evaluate(asked.split).items()}
    print(json.dumps({**run.facts, "n": n, **trainer.facts, **figures}, indent=2))
    return 0


def choose_samples(trainer: Trainer, samples: int) -> None:
    """Another number of samples than the run's own. Raises BadInput where its likelihood is not found by sampling codes."""
    from nnlab.errors import BadInput
    from nnlab.model import can
    from nnlab.training.trainer import EstimatesLikelihood

    if not can(trainer, EstimatesLikelihood):
        name = type(trainer.model).__name__
        raise BadInput(f"--samples: has no use, {name} has no likelihood that is estimated by sampling codes")
    try:
        trainer.estimate_by(samples)
    except BadInput as error:
        raise BadInput(
            *(problem.replace("trainer.likelihood.samples: ", "--samples: ") for problem in error.problems)
        ) from error
