"""nnlab interpolate: a picture of the way from one image to another through the latent space."""

from __future__ import annotations

from nnlab.commands.arguments import (
    MOST_STEPS,
    add_data_changed,
    add_model,
    add_output,
    add_split,
    numbers,
    parser,
    positive,
    write_picture,
)
from nnlab.errors import BadInput


def main(argv: list[str]) -> int:
    made = parser(
        "interpolate",
        "A picture of the way from image A to image B: what the codes (1 − α)·e(A) + α·e(B) decode to, or those on the "
        "great circle between the two.",
        "interpolate last --from 3 --to 4",
        "interpolate last --from 3,5,8 --to 4,9,1 --steps 9 -o ways.png",
        "interpolate last --from 3 --to 4 --blend",
        "interpolate last --from 3 --to 4 --spherical",
    )
    one = {"metavar": "I,J,…", "type": numbers, "required": True}
    made.add_argument("--from", dest="start", **one, help="where rows begin: images of the split, by their numbers")
    made.add_argument("--to", dest="end", **one, help="where they end: as many")
    made.add_argument("--steps", type=positive, default=11, help="values of α, from 0 to 1; by default 11")
    made.add_argument("--blend", action="store_true", help="under each row the pixels (1 − α)·A + α·B, to compare with")
    made.add_argument(
        "--spherical", action="store_true", help="along a great circle about the middle of the latent space, not straight"
    )
    add_split(made, "test")
    add_output(made, "interpolation")
    add_model(made)
    add_data_changed(made)
    asked = made.parse_args(argv)
    if len(asked.start) != len(asked.end):
        raise BadInput(f"--from, --to: {len(asked.start)} and {len(asked.end)} images; a row needs one of each")
    if not 2 <= asked.steps <= MOST_STEPS:
        raise BadInput(f"--steps: expected a whole number between 2 and {MOST_STEPS}, got {asked.steps}")

    import torch

    from nnlab.commands.capability import require_image
    from nnlab.commands.trained import images_at, open_able, titles
    from nnlab.latent.interpolation import about, between
    from nnlab.model import Decodes, Encodes
    from nnlab.plotting.latent import interpolation_picture

    run = open_able(asked, "interpolate", Encodes, Decodes)
    require_image(run.model, "interpolate")
    path, data = between, run.experiment.data if asked.spherical else run.data
    if asked.spherical:
        with run.experiment.trainer.viewing() as view:
            path = about(run.experiment.model.latent(view.batches))
    start, end = images_at(data, asked.split, asked.start, "--from"), images_at(data, asked.split, asked.end, "--to")
    ends = zip(titles(asked.start, start, data.spec), titles(asked.end, end, data.spec), strict=True)
    rows = [f"A: {a}\nB: {b}" for a, b in ends]
    shares = torch.linspace(0, 1, asked.steps, device=run.device)
    with torch.inference_mode():
        picture = interpolation_picture(run.model, start.target, end.target, shares, rows, asked.blend, path)
    return write_picture(picture, asked, run, "interpolation")
