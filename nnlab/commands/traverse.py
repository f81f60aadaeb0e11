"""nnlab traverse: a picture of motion along the latent coordinates."""

from __future__ import annotations

import argparse

from nnlab.commands.arguments import add_model, add_output, add_split, parser, positive, write_picture


def main(argv: list[str]) -> int:
    made = parser(
        "traverse",
        "A picture of motion along the latent coordinates: a row a coordinate, the most informative first.",
        "traverse last",
        "traverse last --coordinates 3,0,7 --reach 2 --steps 15",
        "traverse last --index 42 -o bag.png",
    )
    made.add_argument("--coordinates", metavar="I,J,…", type=numbers, help="these alone, in this order; by default all")
    made.add_argument("--reach", type=float, default=3.0, help="how far, in standard deviations; by default 3")
    made.add_argument("--steps", type=positive, default=11, help="images a row; by default 11")
    made.add_argument("--index", type=int, metavar="I", help="start from image I of the split instead of the middle")
    add_split(made, "test")
    add_output(made, "traversal")
    add_model(made)
    asked = made.parse_args(argv)

    import torch

    from nnlab.commands.capability import require, require_image
    from nnlab.errors import BadInput
    from nnlab.latent.show import traversal_picture
    from nnlab.loading import open_run
    from nnlab.model import Decodes

    run = open_run(asked.run, asked.checkpoint, asked.device)
    require(run.model, Decodes, "traverse")
    require_image(run.model, "traverse")
    absent = [i for i in asked.coordinates or [] if not 0 <= i < run.model.latent_dim]
    if absent:
        raise BadInput(f"--coordinates {absent[0]}: the latent space has coordinates 0 … {run.model.latent_dim - 1}")
    if not 0 < asked.reach <= 100:
        raise BadInput(f"--reach: expected a number > 0 and at most 100, got {asked.reach:g}")
    trainer = run.experiment.trainer
    model, split = trainer.model, trainer.data.split(asked.split)
    if asked.index is not None and not 0 <= asked.index < len(split):
        raise BadInput(f"--index {asked.index}: the {asked.split} split has images 0 … {len(split) - 1}")
    with trainer.viewing() as view:
        latent = model.latent(view.batches)
        base = None if asked.index is None else model.encode(split.values(split.rows[asked.index : asked.index + 1]))[0]
        values = torch.linspace(-asked.reach, asked.reach, asked.steps, device=run.device)
        picture = traversal_picture(model, latent, base, asked.coordinates, values)
    return write_picture(picture, asked.output, run.folder, "traversal")


def numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected whole numbers such as 3,0,7, got '{text}'") from None
