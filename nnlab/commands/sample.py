"""nnlab sample: new examples, as a picture; rows of a table as a file of numbers."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from nnlab.commands.arguments import (
    add_look,
    add_model,
    check_picture,
    check_place,
    make_parser,
    positive,
    reals,
    seed,
    write_picture,
)
from nnlab.errors import BadInput, explain, shortened
from nnlab.runs.csv_file import write_csv
from nnlab.runs.files import replacing
from nnlab.runs.find import as_typed

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nnlab.data.spec import DataSpec

MANY, FEW = 64, 8  # examples, and of each of several classes


def arguments(argv: list[str]) -> Namespace:
    """The parsed command line of the verb. Exits with a message if it is wrong."""
    parser = make_parser(
        "sample",
        "New examples: a picture of images, or the rows of a table in its own units.",
        "sample last",
        "sample last -n 100 --seed 7 -o samples.png",
        "sample last -n 1000 -o samples.csv",
        "sample last --label 3",
        "sample last --label 3,5 -n 12",
        'sample last --text "a small red three at the top left" --text "a large blue seven in the middle"',
        'sample last --text "a five" --box 4,4,20,20',
    )
    parser.add_argument(
        "-n", type=positive, help="how many (per class or text); by default 64, or 8 for several classes and for texts"
    )
    parser.add_argument("--label", metavar="CLASS,…", help="only these classes, by name or by number (from 0)")
    parser.add_argument("--text", action="append", metavar="TEXT", help="draw what this text says; repeat it for more rows")
    parser.add_argument(
        "--box",
        action="append",
        type=box,
        metavar="LEFT,TOP,WIDTH,HEIGHT",
        help="draw it in this box, in pixels, by a model that is given boxes; repeat it for one box per text",
    )
    parser.add_argument("--seed", type=seed, default=0, help="another seed, other examples")
    parser.add_argument(
        "-o",
        "--output",
        type=file,
        metavar="FILE",
        help="a .png of images, by default images/sample.png of the run; a .npz or .csv of a table, by default its samples.npz",
    )
    add_look(parser)
    add_model(parser)
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Draw new examples, as a picture or, of a table, as a file of numbers. Returns the exit status."""
    args = arguments(argv)

    import torch

    from nnlab.commands.capability import require
    from nnlab.commands.words import asked_parts, require_boxes, text_picture
    from nnlab.experiment.loading import open_run
    from nnlab.model import Samples, SamplesClasses, SamplesGiven, Varies, can
    from nnlab.plotting.latent import class_picture, sample_picture

    run = open_run(args.run, args.checkpoint, args.device)
    model, spec = run.model, run.model.spec
    if not can(model, Samples) and can(model, Varies):
        raise BadInput(
            f"sample: {type(model).__name__} makes other examples of an image, so it needs one; nnlab perturb RUN --index 3 "
            "shows some, and nnlab augment RUN -n 20 -o FILE.npz writes some of each image"
        )
    require(model, "sample", Samples)
    if args.text or args.box:
        if args.label is not None:
            raise BadInput(f"--label: says what to draw, and so does {'--text' if args.text else '--box'}; leave one out")
        if args.box:
            require_boxes(model)
        require(model, "sample --text", SamplesGiven)
        check_picture(args.output)
        n, generator = args.n or FEW, torch.Generator(run.device).manual_seed(args.seed)
        check_memory(n * max(len(args.text or []), len(args.box or [])), spec, run.device)
        with torch.inference_mode():
            titles, parts = asked_parts(model, args.text or [], args.box or [], n, generator)
            picture = text_picture(model, titles, parts, n, generator)
        return write_picture(picture, args, run, "sample")
    classes = None
    if args.label is not None:
        require(model, "sample --label", SamplesClasses)
        classes = classes_of(args.label, spec)
    n = args.n or (FEW if classes and len(classes) > 1 else MANY)
    check_memory(n * len(classes or [0]), spec, run.device)
    generator = torch.Generator(run.device).manual_seed(args.seed)
    with torch.inference_mode():
        if spec.kind == "table":
            label = torch.tensor(classes, device=run.device).repeat_interleave(n) if classes else None
            examples = model.sample_class(label, generator) if classes else model.sample(n, generator)
            return write_table(examples, label, spec, args.output or run.folder.path / "samples.npz")
        check_picture(args.output)
        picture = class_picture(model, n, generator, classes) if classes else sample_picture(model, n, generator)
    return write_picture(picture, args, run, "sample")


def check_memory(n: int, spec: DataSpec, device: torch.device) -> None:
    """Raise BadInput if so many examples, each there twice as float32, are more than the memory left."""
    from nnlab.data.dataset import free_memory

    need, free = 2 * 4 * n * spec.features, free_memory(device)
    if need > free:
        raise BadInput(
            f"-n: {n:,} examples take {need / 2**30:.1f} GiB, {device} has {free / 2**30:.1f} GiB free; ask for fewer"
        )


def box(text: str) -> list[float]:
    """The type of --box: left, top, width, height."""
    try:
        numbers = reals(text)
    except ArgumentTypeError:
        numbers = []
    if len(numbers) != 4:
        raise ArgumentTypeError(f"expected left,top,width,height such as 4,4,20,20, got '{shortened(text)}'")
    return numbers


def file(text: str) -> Path:
    """The type of -o: which of the endings suits is seen when the run is open."""
    path = Path(text)
    if path.suffix.lower() not in (".npz", ".csv"):
        check_picture(path)
    return check_place(path)


def classes_of(text: str, spec: DataSpec) -> list[int]:
    """Numbers of the classes in a text such as 3,sandal: a class's name, or else its number."""
    from nnlab.data.classes import class_indices

    words = [text] if text in spec.classes else [word.strip() for word in text.split(",")]  # a name may have a comma in it
    whole = [int(word) if word not in spec.classes and word.removeprefix("-").isdecimal() else word for word in words]
    return class_indices(whole, spec.classes, spec.name, "--label")


def write_table(examples: Tensor, label: Tensor | None, spec: DataSpec, path: Path) -> int:
    """(N, D) examples in the units of the file that was learned from, under the names of its columns; and say where.

    .npz  `x` (N, D) float64 and `columns` (D,); of classes that were asked for also `y` (N,) int64
    .csv  a header and a line an example, with the nine digits that float32 holds; then also a column `class`
    """
    import numpy as np

    x = spec.original(examples).cpu().double().numpy()
    try:
        if path.suffix.lower() not in (".npz", ".csv"):
            raise BadInput(f"-o {path}: {spec.name} is a table, written as numbers; give a name that ends in .npz or .csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".npz":
            with replacing(path) as file:
                labels = {} if label is None else {"y": label.cpu().numpy()}
                np.savez(file, x=x, columns=np.array(spec.column_names), **labels)
        else:
            names = [[]] * len(x) if label is None else [[spec.classes[number]] for number in label.tolist()]
            head = [*spec.column_names, *([] if label is None else ["class"])]
            rows = ([*(f"{value:.9g}" for value in row), *name] for row, name in zip(x.tolist(), names, strict=True))
            write_csv(path, chain([head], rows))
    except OSError as error:
        raise BadInput(explain(error, path)) from error
    print(as_typed(path))
    return 0
