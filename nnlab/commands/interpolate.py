"""nnlab interpolate: a picture of the way from one image to another through the latent space."""

from __future__ import annotations

from nnlab.commands.arguments import (
    MOST_STEPS,
    add_data_changed,
    add_model,
    add_output,
    add_split,
    make_parser,
    numbers,
    positive,
    write_picture,
)
from nnlab.errors import BadInput


def main(argv: list[str]) -> int:
    """Draw the way from one image to another through the latent space. Returns the exit status."""
    parser = make_parser(
        "interpolate",
        "A picture of the way from image A to image B: decoded codes (1 − α)·e(A) + α·e(B), or codes on the "
        "great circle between the two.",
        "interpolate last --from 3 --to 4",
        "interpolate last --from 3,5,8 --to 4,9,1 --steps 9 -o ways.png",
        "interpolate last --from 3 --to 4 --blend",
        "interpolate last --from 3 --to 4 --spherical",
    )
    one = {"metavar": "I,J,…", "type": numbers, "required": True}
    parser.add_argument("--from", dest="start", **one, help="first images of the rows, by their index in the split")
    parser.add_argument("--to", dest="end", **one, help="last images of the rows, as many as --from")
    parser.add_argument("--steps", type=positive, default=11, help="values of α, from 0 to 1; by default 11")
    parser.add_argument("--blend", action="store_true", help="under each row the pixels (1 − α)·A + α·B, for comparison")
    parser.add_argument(
        "--spherical", action="store_true", help="along a great circle about the middle of the latent space, not straight"
    )
    add_split(parser, "test")
    add_output(parser, "interpolation")
    add_model(parser)
    add_data_changed(parser)
    args = parser.parse_args(argv)
    if len(args.start) != len(args.end):
        raise BadInput(f"--from, --to: {len(args.start)} and {len(args.end)} images; each row needs one of both")
    if not 2 <= args.steps <= MOST_STEPS:
        raise BadInput(f"--steps: expected a whole number between 2 and {MOST_STEPS}, got {args.steps}")

    import torch

    from nnlab.commands.capability import require_image
    from nnlab.commands.run_access import load_capable, select_examples, titles
    from nnlab.latent.interpolation import about, between
    from nnlab.model import Decodes, Encodes
    from nnlab.plotting.latent import interpolation_picture

    run = load_capable(args, "interpolate", Encodes, Decodes)
    require_image(run.model, "interpolate")
    path = between
    if args.spherical:
        with run.experiment.trainer.preview() as view:
            path = about(run.experiment.model.latent(view.batches))
    start, end = select_examples(run, args.split, args.start, "--from"), select_examples(run, args.split, args.end, "--to")
    ends = zip(titles(args.start, start, run.data.spec), titles(args.end, end, run.data.spec), strict=True)
    rows = [f"A: {a}\nB: {b}" for a, b in ends]
    shares = torch.linspace(0, 1, args.steps, device=run.device)
    with torch.inference_mode():
        picture = interpolation_picture(run.model, start.input, end.input, shares, rows, args.blend, path)
    return write_picture(picture, args, run, "interpolation")
