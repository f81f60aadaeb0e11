"""nnlab walk: an animation of a closed walk through the latent space."""

from __future__ import annotations

from argparse import Namespace

from nnlab.commands.arguments import (
    add_data_changed,
    add_model,
    add_output,
    add_split,
    make_parser,
    numbers,
    positive,
    seed,
    write_picture,
)
from nnlab.errors import BadInput

MOST_STOPS, MOST_STEPS, MOST_WALKS = 50, 100, 100
MOST_FRAMES, MOST_IMAGES = 1000, 10_000  # of a film that a browser still plays


def arguments(argv: list[str]) -> Namespace:
    """The parsed command line of the verb. Exits with a message if it is wrong."""
    parser = make_parser(
        "walk",
        "An animated PNG of a walk through the latent space, from stop to stop along great circles and back to the first.",
        "walk last",
        "walk last --stops 8 --steps 20 --walks 16 --seed 3 -o walk.png",
        "walk last --through 3,5,8 --split train",
    )
    parser.add_argument("--stops", type=positive, help="number of random codes to walk through; by default 6")
    parser.add_argument("--steps", type=positive, default=12, help="pictures from one stop to the next; by default 12")
    parser.add_argument("--walks", type=positive, help="number of walks side by side; by default 9")
    parser.add_argument("--seed", type=seed, help="another seed, other stops; by default 0")
    parser.add_argument(
        "--through", metavar="I,J,…", type=numbers, help="walk through the codes of these images of the split instead"
    )
    add_split(parser, "test", use="which --through counts in")
    add_output(parser, "walk")
    add_model(parser)
    add_data_changed(parser)
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Draw an animation of a closed walk through the latent space. Returns the exit status."""
    args = arguments(argv)
    if args.split and args.through is None:
        raise BadInput(f"--split {args.split}: has no effect without --through; add --through I,J, or leave it out")
    idle = [name for name in ("stops", "walks", "seed") if args.through is not None and getattr(args, name) is not None]
    if idle:
        raise BadInput(f"--{idle[0]}: has no effect with --through, which sets the only walk; leave one of them out")
    n, walks = args.stops or 6, args.walks or 9
    count = n if args.through is None else len(args.through)
    if not 2 <= count <= MOST_STOPS:
        raise BadInput(f"--{'stops' if args.through is None else 'through'}: expected 2 … {MOST_STOPS} stops, got {count}")
    if args.steps > MOST_STEPS or count * args.steps > MOST_FRAMES:
        raise BadInput(
            f"--steps: expected at most {MOST_STEPS}, and at most {MOST_FRAMES} pictures in all, got {count} × {args.steps}"
        )
    if walks > MOST_WALKS:
        raise BadInput(f"--walks: expected 1 … {MOST_WALKS}, got {walks}")
    if args.through is None and walks * count * args.steps > MOST_IMAGES:
        raise BadInput(f"--walks: expected at most {MOST_IMAGES:,} images in all, got {walks} × {count} × {args.steps}")

    import torch

    from nnlab.commands.capability import require_image
    from nnlab.commands.run_access import load_capable, select_examples
    from nnlab.latent.walk import closed_walk, waypoints
    from nnlab.model import Decodes, Encodes
    from nnlab.plotting.walk import walk_film

    run = load_capable(args, "walk", Decodes, *([] if args.through is None else [Encodes]))
    require_image(run.model, "walk")
    trainer = run.experiment.trainer
    model = trainer.model
    images = None if args.through is None else select_examples(run, args.split or "test", args.through, "--through")
    with trainer.preview() as view:
        latent = model.latent(view.batches)
        if images is None:
            generator = torch.Generator(run.device).manual_seed(args.seed or 0)
            codes = waypoints(model, latent, walks * n, generator).unflatten(0, (walks, n))
        else:
            codes = model.encode(images.input)[None]
        film = walk_film(model, torch.stack([closed_walk(each, latent, args.steps) for each in codes]))
    return write_picture(film, args, run, "walk")
