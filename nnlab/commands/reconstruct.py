"""nnlab reconstruct: a picture of inputs and what the model makes of them."""

from __future__ import annotations

from nnlab.commands.arguments import add_model, add_output, add_split, parse_override, parser, positive, seed, write_picture


def main(argv: list[str]) -> int:
    made = parser(
        "reconstruct",
        "A picture of inputs and what the model makes of them, corrupted as in training or by another noise.",
        "reconstruct last",
        "reconstruct last --split train -n 36",
        "reconstruct last --noise hole noise.size=0.5 -o filled.png",
    )
    made.add_argument("overrides", nargs="*", metavar="noise.KEY=VALUE", help="values of the noise")
    made.add_argument("-n", type=positive, default=24, help="how many images; by default 24")
    made.add_argument("--noise", metavar="NAME", help="another noise than the run's (nnlab list noise)")
    made.add_argument("--seed", type=seed, default=0, help="of the noise")
    add_split(made, "test")
    add_output(made, "reconstruction")
    add_model(made)
    asked = made.parse_intermixed_args(argv)

    import torch

    from nnlab.commands.capability import require_image
    from nnlab.commands.trained import open_able, open_data, take
    from nnlab.config.build import build
    from nnlab.data.feed import Feed
    from nnlab.latent.show import reconstruction_picture
    from nnlab.model import Reconstructs
    from nnlab.noise import Noise

    run = open_able(asked, "reconstruct", Reconstructs)
    require_image(run.model, "reconstruct")
    node = noise_node(asked.noise, run.config["noise"], asked.overrides)
    noise = build(node, Noise, run.model.spec, place="noise")
    split = take(open_data(run), asked.split)
    generator = torch.Generator(run.device).manual_seed(asked.seed)
    with torch.inference_mode():
        batch = Feed(split, noise).batch(split.spread(asked.n), generator)
        picture = reconstruction_picture(run.model, batch)
    return write_picture(picture, asked.output, run.folder, "reconstruction")


def noise_node(name: str | None, trained: dict, overrides: list[str]) -> dict:
    """The config of the noise: the run's, or a shipped one, with the values typed; checked as in training."""
    from omegaconf import OmegaConf

    from nnlab.config import search, values
    from nnlab.config.names import nearest
    from nnlab.errors import BadInput

    choices = search.options("noise")
    if name is not None and name not in choices:
        raise BadInput(f"--noise {name}: no such noise; {nearest(name, choices)} (nnlab list noise)")
    node = OmegaConf.to_container(OmegaConf.load(choices[name])) if name else dict(trained)
    problems = []
    for line in overrides:
        key, value = parse_override(line, "noise.std=0.5 with --noise gaussian")
        if not key.startswith("noise."):
            problems.append(f"{line}: expected noise.KEY=VALUE, e.g. noise.std=0.5 with --noise gaussian")
        elif node["_target_"].endswith(".NoNoise"):
            problems.append(f"{line}: this run has no noise; add --noise NAME (nnlab list noise)")
        else:
            node[key.removeprefix("noise.")] = value
    problems += values.check_node(node, "noise")
    if problems:
        raise BadInput(*problems)
    return node
