"""nnlab reconstruct: a picture of inputs and their reconstructions."""

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
    make_parser,
    parse_override,
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
    from nnlab.experiment.loading import LoadedRun
    from nnlab.model import Reconstructs

MEASURED = 1000  # the metrics use at most this many images


def arguments(argv: list[str]) -> Namespace:
    """The parsed command line of the verb. Exits with a message if it is wrong."""
    parser = make_parser(
        "reconstruct",
        "A picture of inputs and their reconstructions, corrupted as in training or by another noise. A model that can "
        "complete gets the mask of lost values. Prints the error over many images. Your own images are "
        "not corrupted, unless you type a noise.",
        "reconstruct last",
        "reconstruct last --split train -n 36",
        "reconstruct last --noise hole noise.size=0.5 -o filled.png",
        "reconstruct last --noise cut noise.side=bottom",
        "reconstruct last --input scans",
        "reconstruct last --input photo.jpg --noise gaussian noise.std=0.3",
    )
    parser.add_argument("overrides", nargs="*", metavar="noise.KEY=VALUE", help="values of the noise")
    parser.add_argument("-n", type=positive, default=24, help="how many images; by default 24")
    parser.add_argument("--noise", metavar="NAME", help="another noise than the run's (nnlab list noise)")
    parser.add_argument(
        "--input", type=Path, metavar="PATH", help="your own images: a folder, an image, or an .npz with an array x"
    )
    parser.add_argument("--seed", type=seed, default=0, help="of the noise")
    add_split(parser, "test", use="instead of --input")
    add_output(parser, "reconstruction")
    add_model(parser)
    add_data_changed(parser)
    return parser.parse_intermixed_args(argv)


def main(argv: list[str]) -> int:
    """Draw inputs and their reconstructions, and measure the error. Returns the exit status."""
    args = arguments(argv)
    if args.input and args.split:
        raise BadInput(f"--split {args.split}: has no effect on {args.input}, which is used as a whole; leave one of them out")

    import torch

    from nnlab.commands.capability import require_image
    from nnlab.commands.run_access import load_capable
    from nnlab.config.build import build
    from nnlab.data.feed import BatchBuilder
    from nnlab.data.noise.base import Noise
    from nnlab.model import Reconstructs
    from nnlab.plotting.latent import reconstruction_picture
    from nnlab.training.randomness import fork_rng

    run = load_capable(args, "reconstruct", Reconstructs)
    require_image(run.model, "reconstruct")
    as_it_is = args.input and not args.overrides and run.reshaping is None
    node = noise_node(args.noise or ("none" if as_it_is else None), run.config["noise"], args.overrides)
    noise = build(node, Noise, run.model.spec, place="noise")
    other = type(run.reshaping or noise) is not type(noise) or (noise.replaces and run.reshaping is None)
    if other or noise.output.shape != run.model.spec.input.shape:
        trained = "images without it" if run.reshaping is None else f"those of {type(run.reshaping).__name__}"
        raise BadInput(
            f"--noise: {type(noise).__name__} makes other inputs than this model learned from, {trained}; "
            "leave it out, for the noise of its training"
        )
    with fork_rng(args.seed, run.device) as generator, torch.inference_mode():
        split, train, name = shown(run, args, generator)
        feed, known = BatchBuilder(split, noise), args.input is None or "input" not in run.model.spec.parts
        batch = feed.batch(split.spread(args.n), generator)
        picture = reconstruction_picture(run.model, batch, restored(run.model, batch, generator), known)
        n = min(MEASURED, len(split))
        figures = distances(run.model, feed.sequential(generator, split.spread(n)), train, generator) if known else {}
    print(f"{n:,} of {printable(name)}: {summary(figures) if known else 'their targets are not known'}")
    figures = {**run.metadata, "input": name, "n": n, "noise": node, "seed": args.seed, **figures}
    return write_picture(picture, args, run, "reconstruction", figures)


def shown(run: LoadedRun, args: Namespace, generator: torch.Generator) -> tuple[Split, Split | None, str]:
    """A split, that of training, and the name of what it is; of one's own images so many as are looked at, and no training
    split, which they need not be like.
    """
    import torch

    from nnlab.commands.run_access import nonempty_split, open_own
    from nnlab.data.split import Split

    if args.input is None:
        data, name = run.data, args.split or "test"
        return nonempty_split(data, name), data.train, name
    inputs = open_own(run, args.input, generator, max(args.n, MEASURED))
    x = torch.cat([batch.target for batch in inputs.batches])
    return Split.of(x), None, inputs.name


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
    from nnlab.nn.resize import enlarged, fits

    found, mean = {}, None
    for batch in batches:
        outputs = {"psnr": restored(model, batch, generator)}
        if batch.mask is not None or (model.spec.paired and fits(batch.input, model.spec.shape)):
            outputs["input_psnr"] = enlarged(batch.input, model.spec.shape)
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
    from nnlab.config.build import target
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
        elif target(node["_target_"], "noise").identity:
            problems.append(f"{line}: this run has no noise; add --noise NAME (nnlab list noise)")
        else:
            node[key.removeprefix("noise.")] = value
    problems += values.check_node(node, "noise")
    if problems:
        raise BadInput(*problems)
    return node
