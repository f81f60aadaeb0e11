"""nnlab reconstruct: a picture of inputs and what the model makes of them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nnlab.commands.arguments import (
    add_data_changed,
    add_model,
    add_output,
    add_split,
    parse_override,
    parser,
    positive,
    seed,
    write_picture,
)
from nnlab.errors import BadInput, printable

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nnlab.data.spec import Batch
    from nnlab.data.split import Split
    from nnlab.experiment.loading import OpenRun
    from nnlab.model import Reconstructs

MEASURED = 1000  # images that the figures are of, at the most


def main(argv: list[str]) -> int:
    made = parser(
        "reconstruct",
        "A picture of inputs and what the model makes of them, corrupted as in training or by another noise. A model that can "
        "complete is told which values are lost. How near the outputs are is printed, of many images. Your own images are "
        "taken as they are, unless you type a noise.",
        "reconstruct last",
        "reconstruct last --split train -n 36",
        "reconstruct last --noise hole noise.size=0.5 -o filled.png",
        "reconstruct last --noise cut noise.side=bottom",
        "reconstruct last --input scans",
        "reconstruct last --input photo.jpg --noise gaussian noise.std=0.3",
    )
    made.add_argument("overrides", nargs="*", metavar="noise.KEY=VALUE", help="values of the noise")
    made.add_argument("-n", type=positive, default=24, help="how many images; by default 24")
    made.add_argument("--noise", metavar="NAME", help="another noise than the run's (nnlab list noise)")
    made.add_argument(
        "--input", type=Path, metavar="PATH", help="your own: a folder of images, an image, or an .npz with an array x"
    )
    made.add_argument("--seed", type=seed, default=0, help="of the noise")
    add_split(made, "test", use="instead of --input")
    add_output(made, "reconstruction")
    add_model(made)
    add_data_changed(made)
    asked = made.parse_intermixed_args(argv)
    if asked.input and asked.split:
        raise BadInput(f"--split {asked.split}: has no effect on {asked.input}, which is taken whole; leave one of them out")

    import torch

    from nnlab.commands.capability import require_image
    from nnlab.commands.trained import open_able
    from nnlab.config.build import build
    from nnlab.data.feed import Feed
    from nnlab.data.noise.base import Noise
    from nnlab.model import Reconstructs
    from nnlab.plotting.latent import reconstruction_picture
    from nnlab.training.randomness import aside

    run = open_able(asked, "reconstruct", Reconstructs)
    require_image(run.model, "reconstruct")
    as_it_is = asked.input and not asked.overrides
    node = noise_node(asked.noise or ("none" if as_it_is else None), run.config["noise"], asked.overrides)
    noise = build(node, Noise, run.model.spec, place="noise")
    with aside(asked.seed, run.device) as generator, torch.inference_mode():
        split, train, name = shown(run, asked, generator)
        feed = Feed(split, noise)
        batch = feed.batch(split.spread(asked.n), generator)
        picture = reconstruction_picture(run.model, batch, restored(run.model, batch, generator))
        n = min(MEASURED, len(split))
        figures = distances(run.model, feed.in_order(generator, split.spread(n)), train, generator)
    print(f"{n:,} of {printable(name)}: {summary(figures)}")
    figures = {**run.facts, "input": name, "n": n, "noise": node, "seed": asked.seed, **figures}
    return write_picture(picture, asked, run, "reconstruction", figures)


def shown(run: OpenRun, asked: Namespace, generator: torch.Generator) -> tuple[Split, Split | None, str]:
    """A split, that of training, and the name of what it is; of one's own images so many as are looked at, and no training
    split, which they need not be like.
    """
    import torch

    from nnlab.commands.trained import open_own, take
    from nnlab.data.split import Split

    if asked.input is None:
        data, name = run.data, asked.split or "test"
        return take(data, name), data.train, name
    inputs = open_own(run, asked.input, generator, max(asked.n, MEASURED))
    x = torch.cat([batch.input for batch in inputs.batches])
    return Split(x, None, torch.arange(len(x), device=x.device), 1.0), None, inputs.name


def restored(model: Reconstructs, batch: Batch, generator: torch.Generator) -> Tensor:
    """Outputs (N, *shape): completed by a model that can, where the noise left some values as they were and told which."""
    from nnlab.model import Completes, can

    if batch.mask is not None and can(model, Completes) and not batch.mask.all():
        return model.complete(batch.input, batch.mask, generator)
    return model.reconstruct(batch.input)


def distances(
    model: Reconstructs, batches: Iterable[Batch], train: Split | None, generator: torch.Generator
) -> dict[str, float]:
    """The mean PSNR, dB, of the outputs; of a noise also that of the inputs, and where there is a training split that of the
    inputs with its mean image where they were touched.
    """
    import torch

    from nnlab.metrics.reconstruction import mse, psnr
    from nnlab.model.data_init import mean_of

    found, mean = {}, None
    for batch in batches:
        outputs = {"psnr": restored(model, batch, generator)}
        if batch.mask is not None:
            outputs["input_psnr"] = batch.input
        if batch.mask is not None and train is not None:
            mean = mean_of(train) if mean is None else mean
            outputs["filled_psnr"] = torch.where(batch.mask, mean, batch.input)
        for name, output in outputs.items():
            found.setdefault(name, []).append(psnr(mse(output, batch.target), model.spec))
    return {name: torch.cat(parts).double().mean().item() for name, parts in found.items()}


def summary(figures: dict[str, float]) -> str:
    """The figures as a sentence."""
    names = {
        "psnr": "psnr {:.2f} dB",
        "input_psnr": "of the input {:.2f}",
        "filled_psnr": "of the input filled by the mean image {:.2f}",
    }
    return ", ".join(names[name].format(value) for name, value in figures.items())


def noise_node(name: str | None, trained: dict, overrides: list[str]) -> dict:
    """The config of the noise: the run's, or a shipped one, with the values typed; checked as in training."""
    from omegaconf import OmegaConf

    from nnlab.config import search, values
    from nnlab.errors import nearest

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
