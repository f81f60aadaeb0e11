"""nnlab walk: a film of a closed walk through the latent space."""

from __future__ import annotations

from nnlab.commands.arguments import (
    add_data_changed,
    add_model,
    add_output,
    add_split,
    numbers,
    parser,
    positive,
    seed,
    write_picture,
)
from nnlab.errors import BadInput

MOST_STOPS, MOST_STEPS, MOST_WALKS = 50, 100, 100
MOST_FRAMES, MOST_IMAGES = 1000, 10_000  # of a film that a browser still plays


def main(argv: list[str]) -> int:
    made = parser(
        "walk",
        "An animated PNG of a walk through the latent space, from stop to stop along great circles and back to the first.",
        "walk last",
        "walk last --stops 8 --steps 20 --walks 16 --seed 3 -o walk.png",
        "walk last --through 3,5,8 --split train",
    )
    made.add_argument("--stops", type=positive, help="codes drawn at random to walk through; by default 6")
    made.add_argument("--steps", type=positive, default=12, help="pictures from a stop to the next; by default 12")
    made.add_argument("--walks", type=positive, help="how many at once, side by side; by default 9")
    made.add_argument("--seed", type=seed, help="another seed, other stops; by default 0")
    made.add_argument("--through", metavar="I,J,…", type=numbers, help="the codes of these images of the split instead")
    add_split(made, "test", use="which --through counts in")
    add_output(made, "walk")
    add_model(made)
    add_data_changed(made)
    asked = made.parse_args(argv)
    if asked.split and asked.through is None:
        raise BadInput(f"--split {asked.split}: has no effect without --through; add --through I,J, or leave it out")
    idle = [name for name in ("stops", "walks", "seed") if asked.through is not None and getattr(asked, name) is not None]
    if idle:
        raise BadInput(f"--{idle[0]}: has no effect with --through, which says where the one walk leads; leave one of them out")
    n, walks = asked.stops or 6, asked.walks or 9
    count = n if asked.through is None else len(asked.through)
    if not 2 <= count <= MOST_STOPS:
        raise BadInput(f"--{'stops' if asked.through is None else 'through'}: expected 2 … {MOST_STOPS} stops, got {count}")
    if asked.steps > MOST_STEPS or count * asked.steps > MOST_FRAMES:
        raise BadInput(
            f"--steps: expected at most {MOST_STEPS}, and at most {MOST_FRAMES} pictures in all, got {count} × {asked.steps}"
        )
    if walks > MOST_WALKS:
        raise BadInput(f"--walks: expected 1 … {MOST_WALKS}, got {walks}")
    if asked.through is None and walks * count * asked.steps > MOST_IMAGES:
        raise BadInput(f"--walks: expected at most {MOST_IMAGES:,} images in all, got {walks} × {count} × {asked.steps}")

    import torch

    from nnlab.commands.capability import require_image
    from nnlab.commands.trained import images_at, open_able
    from nnlab.latent.walk import closed_walk, stops
    from nnlab.model import Decodes, Encodes
    from nnlab.plotting.walk import walk_film

    run = open_able(asked, "walk", Decodes, *([] if asked.through is None else [Encodes]))
    require_image(run.model, "walk")
    trainer = run.experiment.trainer
    model = trainer.model
    images = None if asked.through is None else images_at(trainer.data, asked.split or "test", asked.through, "--through")
    with trainer.viewing() as view:
        latent = model.latent(view.batches)
        if images is None:
            generator = torch.Generator(run.device).manual_seed(asked.seed or 0)
            codes = stops(model, latent, walks * n, generator).unflatten(0, (walks, n))
        else:
            codes = model.encode(images.target)[None]
        film = walk_film(model, torch.stack([closed_walk(each, latent, asked.steps) for each in codes]))
    return write_picture(film, asked, run, "walk")
