"""nnlab reconstruct: a picture of inputs and what the model makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nnlab.commands.arguments import add_model, add_output, add_split, parse_override, parser, positive, seed, write_picture

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nnlab.data.dataset import Data
    from nnlab.data.spec import Batch
    from nnlab.model import Reconstructs

MEASURED = 1000  # images that the figures are of, at the most


def main(argv: list[str]) -> int:
    made = parser(
        "reconstruct",
        "A picture of inputs and what the model makes of them, corrupted as in training or by another noise. A model that can "
        "complete is told which values are lost; with a noise the figures of many images are printed.",
        "reconstruct last",
        "reconstruct last --split train -n 36",
        "reconstruct last --noise hole noise.size=0.5 -o filled.png",
        "reconstruct last --noise cut noise.side=bottom",
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
    from nnlab.training.randomness import aside

    run = open_able(asked, "reconstruct", Reconstructs)
    require_image(run.model, "reconstruct")
    node = noise_node(asked.noise, run.config["noise"], asked.overrides)
    noise = build(node, Noise, run.model.spec, place="noise")
    data = open_data(run)
    feed = Feed(take(data, asked.split), noise)
    with aside(asked.seed, run.device) as generator, torch.inference_mode():
        batch = feed.batch(feed.split.spread(asked.n), generator)
        picture = reconstruction_picture(run.model, batch, restored(run.model, batch, generator))
        if batch.mask is not None:
            batches = feed.in_order(generator, feed.split.spread(MEASURED))
            print(f"{min(MEASURED, len(feed.split)):,} of {asked.split}: {damage(run.model, batches, data, generator)}")
    return write_picture(picture, asked.output, run.folder, "reconstruction")


def restored(model: Reconstructs, batch: Batch, generator: torch.Generator) -> Tensor:
    """Outputs (N, *shape): completed by a model that can, where the noise left some values as they were and told which."""
    from nnlab.model import Completes, can

    if batch.mask is not None and can(model, Completes) and not batch.mask.all():
        return model.complete(batch.input, batch.mask, generator)
    return model.reconstruct(batch.input)


def damage(model: Reconstructs, batches: Iterable[Batch], data: Data, generator: torch.Generator) -> str:
    """The mean PSNR of outputs, of inputs, and of inputs with the training set's mean image where they were touched."""
    import torch

    from nnlab.evaluation.reconstruction import mse, psnr
    from nnlab.nn.start import mean_of

    mean, found = mean_of(data.train), []
    for batch in batches:
        filled = torch.where(batch.mask, mean, batch.input)
        outputs = (restored(model, batch, generator), batch.input, filled)
        found.append(torch.stack([psnr(mse(output, batch.target), data.spec) for output in outputs]))
    output, given, filled = torch.cat(found, 1).double().mean(1).tolist()
    return f"psnr {output:.2f} dB, of the input {given:.2f}, of the input filled by the mean image {filled:.2f}"


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
