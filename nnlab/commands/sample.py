"""nnlab sample: a picture of new examples."""

from __future__ import annotations

from nnlab.commands.arguments import add_model, add_output, parser, positive, write_picture


def main(argv: list[str]) -> int:
    made = parser("sample", "A picture of new examples.", "sample last", "sample last -n 100 --seed 7 -o samples.png")
    made.add_argument("-n", type=positive, default=64, help="how many; by default 64")
    made.add_argument("--seed", type=int, default=0, help="another seed, other examples")
    add_output(made, "sample")
    add_model(made)
    asked = made.parse_args(argv)

    import torch

    from nnlab.commands.capability import require, require_image
    from nnlab.latent.show import sample_picture
    from nnlab.loading import open_run
    from nnlab.model import Samples

    run = open_run(asked.run, asked.checkpoint, asked.device)
    require(run.model, Samples, "sample")
    require_image(run.model, "sample")
    generator = torch.Generator(run.device).manual_seed(asked.seed)
    with torch.inference_mode():
        picture = sample_picture(run.model, asked.n, generator)
    return write_picture(picture, asked.output, run.folder, "sample")
