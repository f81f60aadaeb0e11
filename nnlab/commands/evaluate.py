"""nnlab evaluate: the figures of a run on a split."""

from __future__ import annotations

import json
import sys

from nnlab.commands.arguments import add_model, add_split, parser


def main(argv: list[str]) -> int:
    made = parser(
        "evaluate",
        "The figures of a run on a split, in float32, printed as JSON.",
        "evaluate last",
        "evaluate last --split validation --checkpoint last",
        "evaluate last --judge auto",
    )
    made.add_argument(
        "--judge",
        metavar="JUDGE",
        help="compares samples and reconstructions with data: auto (a classifier trained once a dataset), RUN or inception",
    )
    add_split(made, "test")
    add_model(made)
    asked = made.parse_args(argv)

    from nnlab.errors import BadInput
    from nnlab.loading import open_run

    run = open_run(asked.run, asked.checkpoint, asked.device)
    if asked.judge:
        choose_judge(run, asked.judge)
    trainer = run.experiment.trainer
    n = len(trainer.data.split(asked.split))
    if not n:
        raise BadInput(f"--split {asked.split}: it is empty in this run")
    figures = {f"{asked.split}/{name}": value for name, value in trainer.evaluate(asked.split).items()}
    facts = {"run": str(run.folder.path), "checkpoint": run.checkpoint, "step": run.state["progress"]["step"], "n": n}
    print(json.dumps({**facts, **trainer.facts, **figures}, indent=2))
    return 0


def choose_judge(run, judge: str) -> None:
    """Another judge than the run's own. Raises BadInput if it has no use for the model, or cannot be had."""
    from nnlab import judges
    from nnlab.config import values
    from nnlab.earlier import resolved
    from nnlab.errors import BadInput
    from nnlab.recording.console import Console

    run.config, problems = resolved({**run.config, "judge": judge})
    problems = problems or values.check(run.config)
    if problems:
        raise BadInput(*(problem.replace("judge: ", "--judge: ") for problem in problems))
    run.config = judges.resolved({**run.config, "device": str(run.device)}, Console(stream=sys.stderr))
    run.state["trainer"].pop("judge", None)  # the weights of the run's own
