"""nnlab evaluate: the metrics of a run on a split."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from nnlab.commands.arguments import add_data_changed, add_model, add_split, make_parser, several

if TYPE_CHECKING:
    from nnlab.training.trainer import Trainer


def main(argv: list[str]) -> int:
    """Print the metrics of a run on a split as JSON. Returns the exit status."""
    parser = make_parser(
        "evaluate",
        "The metrics of a run on a split, in float32, printed as JSON.",
        "evaluate last",
        "evaluate last --split validation --checkpoint last",
        "evaluate last --judge auto",
        "evaluate last --samples 5000",
    )
    parser.add_argument(
        "--judge",
        metavar="JUDGE",
        help="compares samples and reconstructions with data: auto (a classifier trained once per dataset), RUN or inception",
    )
    parser.add_argument("--samples", type=several, metavar="K", help="codes per image for the estimate of a VAE's log p(x)")
    add_split(parser, "test")
    add_model(parser)
    add_data_changed(parser)
    args = parser.parse_args(argv)

    from nnlab.commands.run_access import nonempty_split
    from nnlab.experiment.loading import open_run
    from nnlab.recording.console import Console
    from nnlab.recording.recorder import named

    run = open_run(args.run, args.checkpoint, args.device, args.data_changed)
    if args.judge is not None:
        run.use_judge(args.judge, Console(stream=sys.stderr))
    run.judged = True
    trainer = run.experiment.trainer
    if args.samples is not None:
        choose_samples(trainer, args.samples)
    n = len(nonempty_split(trainer.data, args.split))
    prefix = named(args.split, trainer.stages[trainer.stage].name)
    figures = {prefix + name: value for name, value in trainer.evaluate(args.split).items()}
    print(json.dumps({**run.metadata, "n": n, **trainer.metadata, **figures}, indent=2))
    return 0


def choose_samples(trainer: Trainer, samples: int) -> None:
    """Another number of samples than the run's own. Raises BadInput where its likelihood is not found by sampling codes."""
    from nnlab.errors import BadInput
    from nnlab.model import can
    from nnlab.training.trainer import EstimatesLikelihood

    if not can(trainer, EstimatesLikelihood):
        name = type(trainer.model).__name__
        raise BadInput(f"--samples: not used, since {name} has no likelihood that is estimated by sampling codes")
    try:
        trainer.estimate_by(samples)
    except BadInput as error:
        raise BadInput(
            *(problem.replace("trainer.likelihood.samples: ", "--samples: ") for problem in error.problems)
        ) from error
