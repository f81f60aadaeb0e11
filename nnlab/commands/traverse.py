"""nnlab traverse: a picture of motion along the latent coordinates."""

from __future__ import annotations

from argparse import Namespace

from nnlab.commands.arguments import (
    MOST_STEPS,
    add_data_changed,
    add_model,
    add_output,
    add_split,
    make_parser,
    numbers,
    positive,
    real,
    whole,
    write_picture,
)
from nnlab.errors import BadInput


def arguments(argv: list[str]) -> Namespace:
    """The parsed command line of the verb. Exits with a message if it is wrong."""
    parser = make_parser(
        "traverse",
        "A picture of motion along the latent coordinates: one row per coordinate, the most informative first.",
        "traverse last",
        "traverse last --coordinates 3,0,7 --reach 2 --steps 15",
        "traverse last --index 42 --split train -o bag.png",
        "traverse last --manifold",
    )
    parser.add_argument(
        "--coordinates",
        metavar="I,J,…",
        type=numbers,
        help="only these coordinates, in this order; by default the 32 most informative",
    )
    parser.add_argument("--reach", type=real, help="how far, in standard deviations; by default 3")
    parser.add_argument("--steps", type=positive, help="images per row; by default 11, or 20 for the plane")
    parser.add_argument("--index", type=whole, metavar="I", help="start from image I of the split instead of the middle")
    parser.add_argument(
        "--manifold", action="store_true", help="the whole plane of a latent space of two coordinates, by the prior's quantiles"
    )
    add_split(parser, "test", use="which --index counts in")
    add_output(parser, "traversal")
    add_model(parser)
    add_data_changed(parser)
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Draw motion along the latent coordinates, or the plane of two of them. Returns the exit status."""
    args = arguments(argv)
    if args.split and args.index is None:
        raise BadInput(f"--split {args.split}: has no effect without --index; add --index I, or leave it out")

    idle = [f"--{name}" for name in ("coordinates", "reach", "index") if args.manifold and getattr(args, name) is not None]
    if idle:
        raise BadInput(f"{idle[0]}: has no effect with --manifold, which is the whole plane; leave one of them out")
    steps, reach = args.steps or (20 if args.manifold else 11), 3.0 if args.reach is None else args.reach

    import torch

    from nnlab.commands.capability import require_image
    from nnlab.commands.run_access import load_capable, select_examples
    from nnlab.model import Decodes, Encodes
    from nnlab.plotting.latent import manifold_picture, traversal_picture

    run = load_capable(args, "traverse", Decodes, *([] if args.index is None else [Encodes]))
    require_image(run.model, "traverse")
    if args.manifold and run.model.latent_dim != 2:
        raise BadInput(
            f"--manifold: the plane needs a latent space of 2 coordinates, this one has {run.model.latent_dim}; leave it out "
            "for motion along each, or train with model.latent_dim=2"
        )
    absent = [i for i in args.coordinates or [] if not 0 <= i < run.model.latent_dim]
    if absent:
        raise BadInput(f"--coordinates {absent[0]}: the latent space has coordinates 0 … {run.model.latent_dim - 1}")
    if steps > MOST_STEPS:
        raise BadInput(f"--steps: expected a whole number between 1 and {MOST_STEPS}, got {steps}")
    if not 0 < reach <= 100:
        raise BadInput(f"--reach: expected a number > 0 and at most 100, got {reach:g}")
    trainer = run.experiment.trainer
    model = trainer.model
    start = None if args.index is None else select_examples(run, args.split or "test", [args.index], "--index")
    with trainer.preview() as view:
        latent = model.latent(view.batches)
        if args.manifold:
            return write_picture(manifold_picture(model, latent, steps), args, run, "manifold")
        base = None if start is None else model.encode(start.input)[0]
        values = torch.linspace(-reach, reach, steps, device=run.device)
        picture = traversal_picture(model, latent, base, args.coordinates, values, start)
    return write_picture(picture, args, run, "traversal")
