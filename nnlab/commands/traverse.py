"""nnlab traverse: a picture of motion along the latent coordinates."""

from __future__ import annotations

from nnlab.commands.arguments import MOST_STEPS, add_model, add_output, add_split, numbers, parser, positive, write_picture
from nnlab.errors import BadInput


def main(argv: list[str]) -> int:
    made = parser(
        "traverse",
        "A picture of motion along the latent coordinates: a row a coordinate, the most informative first.",
        "traverse last",
        "traverse last --coordinates 3,0,7 --reach 2 --steps 15",
        "traverse last --index 42 --split train -o bag.png",
    )
    made.add_argument(
        "--coordinates", metavar="I,J,…", type=numbers, help="these alone, in this order; by default the 32 most informative"
    )
    made.add_argument("--reach", type=float, default=3.0, help="how far, in standard deviations; by default 3")
    made.add_argument("--steps", type=positive, default=11, help="images a row; by default 11")
    made.add_argument("--index", type=int, metavar="I", help="start from image I of the split instead of the middle")
    add_split(made, "test", use="which --index counts in")
    add_output(made, "traversal")
    add_model(made)
    asked = made.parse_args(argv)
    if asked.split and asked.index is None:
        raise BadInput(f"--split {asked.split}: has no effect without --index; add --index I, or leave it out")

    import torch

    from nnlab.commands.capability import require_image
    from nnlab.commands.trained import images_at, open_able
    from nnlab.latent.show import traversal_picture
    from nnlab.model import Decodes, Encodes

    run = open_able(asked, "traverse", Decodes, *([] if asked.index is None else [Encodes]))
    require_image(run.model, "traverse")
    absent = [i for i in asked.coordinates or [] if not 0 <= i < run.model.latent_dim]
    if absent:
        raise BadInput(f"--coordinates {absent[0]}: the latent space has coordinates 0 … {run.model.latent_dim - 1}")
    if asked.steps > MOST_STEPS:
        raise BadInput(f"--steps: expected a whole number between 1 and {MOST_STEPS}, got {asked.steps}")
    if not 0 < asked.reach <= 100:
        raise BadInput(f"--reach: expected a number > 0 and at most 100, got {asked.reach:g}")
    trainer = run.experiment.trainer
    model = trainer.model
    start = None if asked.index is None else images_at(trainer.data, asked.split or "test", [asked.index], "--index")
    with trainer.viewing() as view:
        latent = model.latent(view.batches)
        base = None if start is None else model.encode(start.input)[0]
        values = torch.linspace(-asked.reach, asked.reach, asked.steps, device=run.device)
        picture = traversal_picture(model, latent, base, asked.coordinates, values)
    return write_picture(picture, asked.output, run.folder, "traversal")
