"""nnlab evaluate: the figures of a run on a split."""

from __future__ import annotations

import json

from nnlab.commands.arguments import add_model, add_split, parser


def main(argv: list[str]) -> int:
    made = parser(
        "evaluate",
        "The figures of a run on a split, in float32, printed as JSON.",
        "evaluate last",
        "evaluate last --split validation --checkpoint last",
    )
    add_split(made, "test")
    add_model(made)
    asked = made.parse_args(argv)

    from nnlab.errors import BadInput
    from nnlab.loading import open_run

    run = open_run(asked.run, asked.checkpoint, asked.device)
    trainer = run.experiment.trainer
    n = len(trainer.data.split(asked.split))
    if not n:
        raise BadInput(f"--split {asked.split}: it is empty in this run")
    figures = {f"{asked.split}/{name}": value for name, value in trainer.evaluate(asked.split).items()}
    facts = {"run": str(run.folder.path), "checkpoint": run.checkpoint, "step": run.state["progress"]["step"], "n": n}
    print(json.dumps({**facts, **trainer.facts, **figures}, indent=2))
    return 0
