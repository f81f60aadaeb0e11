"""nnlab augment: generated examples with their classes, as a file that a training set takes."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nnlab.commands.arguments import add_data_changed, add_model, add_split, check_archive, make_parser, positive, seed
from nnlab.errors import BadInput, printable
from nnlab.runs.find import as_typed

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    from nnlab.data.spec import DataSpec
    from nnlab.experiment.loading import LoadedRun

MOST = 2**31  # examples in a file
INTEGERS = ("uint8", "uint16", "int16", "int32", "int64")  # the first that holds all levels of the data is written
LEAST_LEVELS = 255  # of data of fewer, or of a range such as 0 … 0.1, real numbers are written


def arguments(argv: list[str]) -> Namespace:
    """The parsed command line of the verb. Exits with a message if it is wrong."""
    parser = make_parser(
        "augment",
        "Generated examples with their classes, in a file. A model that draws examples of a class makes so many of each class. "
        "A model that makes another example of the class of an image makes so many of each image. "
        "A classifier learns from them beside its own examples: nnlab train model=cnn data=… data.extra=FILE.npz",
        "augment last -n 500 -o more.npz",
        "augment last -n 5000 --label bag -o bags.npz",
        "augment last -n 20 --of mine.npz -o more.npz",
    )
    parser.add_argument("-n", type=positive, required=True, help="how many of each class, or of each image")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.npz", help="the file: x_train and y_train")
    parser.add_argument("--label", metavar="CLASS,…", help="only these classes, by name or by number (from 0)")
    parser.add_argument(
        "--of", type=Path, metavar="PATH", help="your own images to make others of: an .npz with y_train, or class folders"
    )
    parser.add_argument("--seed", type=seed, default=0, help="another seed, other examples")
    add_split(parser, "train", "the images to make others of", held_out=True)
    add_model(parser)
    add_data_changed(parser)
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Write generated examples with their classes. Returns the exit status."""
    args = arguments(argv)
    check_archive(args.output, "examples are")

    import numpy as np
    import torch

    from nnlab.commands.capability import require_one_of
    from nnlab.commands.run_access import load_capable
    from nnlab.data.extra import MADE_OF_TEST
    from nnlab.model import SamplesClasses, Varies, can
    from nnlab.runs.npz_file import archive, write_array

    run = load_capable(args, "augment")
    varies = can(run.model, Varies)
    require_one_of(run.model, "augment", (Varies,), (SamplesClasses,))
    refuse_useless(args, run, varies)
    generator = torch.Generator(run.device).manual_seed(args.seed)
    labels, parts = of_images(args, run, generator) if varies else of_classes(args, run, generator)
    tested = varies and args.split in ("test", "held_out")
    with torch.inference_mode(), archive(args.output) as file:
        write_array(file, "x_train", len(labels), (stored(x, run.model.spec) for x in parts))
        write_array(file, "y_train", len(labels), [labels])
        if tested:
            write_array(file, MADE_OF_TEST, 1, [np.array([run.model.spec.name])])
    names, counts = np.unique(labels, return_counts=True)
    shown = ", ".join(f"{name}: {count:,}" for name, count in zip(names[:10], counts[:10], strict=True))
    print(f"{len(labels):,} examples ({printable(shown)}{', …' if len(names) > 10 else ''})")
    print(as_typed(args.output))
    if tested:
        told = f"these are made of test images of {run.model.spec.name}; test what learns from them on other images"
        print(f"nnlab: {told}", file=sys.stderr)
    print(f"to learn from them, too: nnlab train model=cnn data=… data.extra={printable(args.output.absolute())}")
    return 0


def refuse_useless(args: Namespace, run: LoadedRun, varies: bool) -> None:
    """Raise BadInput for options without effect on this model."""
    name, problems = type(run.model).__name__, []
    if varies and args.label is not None:
        problems.append(f"--label: {name} makes other examples of images, whose classes it keeps; choose images by --of")
    for option, value in (("--of", args.of), ("--split", args.split)):
        if not varies and value is not None:
            problems.append(f"{option}: {name} draws examples of classes, not of images; leave it out")
    if args.of is not None and args.split is not None:
        problems.append("--split, --of: two sources of images; give one of them")
    if problems:
        raise BadInput(*problems)


def of_classes(args: Namespace, run: LoadedRun, generator: torch.Generator) -> tuple[np.ndarray, Iterator[Tensor]]:
    """The classes' names (M,), and as many examples in parts (n, *shape): -n of each class."""
    import numpy as np
    import torch

    from nnlab.commands.sample import classes_of
    from nnlab.data.inputs import together

    spec = run.model.spec
    numbers = list(range(len(spec.classes))) if args.label is None else classes_of(args.label, spec)
    check_number(args.n * len(numbers))
    label = torch.tensor(numbers, device=run.device).repeat_interleave(args.n)
    parts = (run.model.sample_class(part, generator) for part in label.split(together(spec)))
    return np.array(spec.classes)[label.cpu().numpy()], parts


def of_images(args: Namespace, run: LoadedRun, generator: torch.Generator) -> tuple[np.ndarray, Iterator[Tensor]]:
    """The classes' names (M,), and as many examples in parts (n, *shape): -n of each image, one image after another."""
    import numpy as np
    import torch

    from nnlab.commands.run_access import open_inputs, open_own
    from nnlab.data.inputs import together

    fixed = torch.Generator(run.device).manual_seed(0)
    given = open_own(run, args.of, fixed) if args.of else open_inputs(run, args.split or "train", fixed)
    if given.labels is None:
        raise BadInput(
            f"--of {printable(args.of)}: the images have no classes; put them into a folder per class, or add class names"
        )
    check_number(args.n * len(given))
    model, size = run.model, together(run.model.spec)

    def parts() -> Iterator[Tensor]:
        for batch in given.batches:
            for some in batch.target.split(max(1, size // args.n)):
                for copies in some.repeat_interleave(args.n, 0).split(size):
                    z = torch.randn((len(copies), model.latent_dim), device=run.device, generator=generator)
                    yield model.vary(copies, z)

    return np.array(given.classes)[given.labels].repeat(args.n), parts()


def check_number(n: int) -> None:
    """Raise BadInput if so many examples are more than a file should hold."""
    if n > MOST:
        raise BadInput(f"-n: {n:,} examples in all are more than a file should hold; ask for fewer")


def stored(x: Tensor, spec: DataSpec) -> np.ndarray:
    """Examples (n, *shape) as `data=npz` and `data.extra` read them.

    Images that come from integers become integers again, others float32 within 0 … 1: (n, H, W) of one channel, else
    (n, H, W, C). Rows of a table get the units of their file.
    """
    import numpy as np

    if spec.kind == "table":
        return spec.original(x).cpu().double().numpy()
    pixels = x.float().movedim(1, -1).cpu().numpy()
    pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    low, high = spec.range or (0.0, 1.0)
    fits = (kind for kind in INTEGERS if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    kind = next(fits, None) if high - low >= LEAST_LEVELS else None
    return pixels if kind is None else np.rint(pixels.clip(0, 1).astype(np.float64) * (high - low) + low).astype(kind)
