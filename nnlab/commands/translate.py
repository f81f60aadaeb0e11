"""nnlab translate: what a model makes of one's own images, each of its own size, as files."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from nnlab.commands.arguments import PICTURES, add_model, check_folder, make_parser, seed
from nnlab.errors import BadInput, explain, printable, shortened
from nnlab.runs.files import all_or_none, creating
from nnlab.runs.find import as_typed

if TYPE_CHECKING:
    import numpy as np

    from nnlab.data.spec import Part
    from nnlab.experiment.loading import LoadedRun
    from nnlab.model import Translates

FILES = (*PICTURES, ".jpg", ".jpeg", ".npz")  # endings of what is no folder


def arguments(argv: list[str]) -> Namespace:
    """The parsed command line of the verb. Exits with a message if it is wrong."""
    parser = make_parser(
        "translate",
        "Translate your own images: each becomes a PNG of the same name in a new folder. They are given to the model as they "
        "are, in their own size, so they must be what it takes: small images if it enlarges, drawings if it paints. "
        "To make the model's input of clean images, use nnlab reconstruct --input.",
        "translate last scans -o cleaned",
        "translate last small.png other.png -o large",
        "translate last photos -o painted --to b",
    )
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGES", help="folders of images, or images")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="a new folder")
    parser.add_argument("--to", metavar="DOMAIN", help="which images to make, if the model can make several kinds: a, b, …")
    parser.add_argument("--seed", type=seed, default=0, help="of a model that draws random numbers; each image gets the same")
    add_model(parser)
    return parser.parse_intermixed_args(argv)


def main(argv: list[str]) -> int:
    """Translate image files into a folder of PNG, and say how many. Returns the exit status."""
    args = arguments(argv)
    check_folder(args.output, FILES, "images are")

    import torch
    from PIL import Image

    from nnlab.commands.run_access import load_capable
    from nnlab.model import Translates

    run = load_capable(args, "translate", Translates)
    to = direction(run.model, args.to)
    check_parts(run.model, *run.model.directions()[to])
    files = files_of(args.images)
    try:
        with torch.inference_mode(), all_or_none(args.output) as folder:
            for name, file in files.items():
                pixels = translated(run, file, to, args.seed)
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                with creating(folder / name) as into:
                    Image.fromarray(pixels).save(into, "PNG")
    except OSError as error:
        raise BadInput(explain(error, args.output)) from error
    source = " or ".join(name for name in run.model.directions() if name != to) or "input"
    print(f"{len(files):,} image{'s' * (len(files) > 1)}, {source} → {to}: {printable(as_typed(args.output))}")
    return 0


def direction(model: Translates, typed: str | None) -> str:
    """The name of what is to be made. Raises BadInput if it is not known, or missing where there are several."""
    known = model.directions()
    able = f"{type(model).__name__} translates to {' or '.join(known)}"
    if typed is None and len(known) > 1:
        raise BadInput(f"--to: missing; {able}")
    if typed is not None and typed not in known:
        raise BadInput(f"--to {shortened(typed)}: there is no such domain; {able}")
    return typed or next(iter(known))


def check_parts(model: Translates, taken: Part, made: Part) -> None:
    """Raise BadInput unless image files can hold what the model takes and what it makes."""
    for verb, part in (("takes", taken), ("makes", made)):
        if part.kind != "image":
            kind = f"a {part.kind} of {part.features} values"
        elif part.shape[0] not in (1, 3):
            kind = f"images of {part.shape[0]} channels"
        elif part is taken and not part.in_unit_interval:  # what is made is written from its least value to its greatest
            kind = f"images of values {part.low:g} … {part.high:g}"
        else:
            continue
        raise BadInput(
            f"translate: {type(model).__name__} {verb} {kind}; image files hold 1 or 3 channels of bytes, which become 0 … 1"
        )


def files_of(given: list[Path]) -> dict[str, Path]:
    """The image files, each by the name of what it becomes: its name, or its path in its folder, with .png for its suffix.

    Raises BadInput if there is no image, or if two would become the same file.
    """
    from nnlab.data.image_files import FORMATS, images_under, is_image

    files, known = {}, {}
    for path in given:
        if path.is_dir():
            folder, found = path, images_under(path)
            if not found:
                raise BadInput(f"{printable(path)}: holds no image. Known formats: {FORMATS}")
        elif not path.is_file():
            raise BadInput(f"{printable(path)}: no such folder or file")
        elif not is_image(path):
            raise BadInput(f"{printable(path)}: expected a folder of images, or an image. Known formats: {FORMATS}")
        else:
            folder, found = path.parent, [path]
        for file in found:
            name = file.relative_to(folder).with_suffix(".png").as_posix()
            other = known.get(name.lower())  # some file systems make no difference between A and a
            if other:
                raise BadInput(f"{printable(other)}, {printable(file)}: both would become {printable(name)}; rename one")
            files[name] = known[name.lower()] = file
    return files


def translated(run: LoadedRun, file: Path, to: str, seed: int) -> np.ndarray:
    """The pixels that the model makes of an image file: (H', W', 3) uint8, or (H', W') of one channel.

    Each image is translated by itself, with the same random numbers: what it becomes does not depend on the others.

    Raises BadInput if the file cannot be read, or if the model does not take its size.
    """
    import torch

    from nnlab.data.image_files import read_image
    from nnlab.plotting.images import to_pixels
    from nnlab.training.randomness import fork_rng

    taken, made = run.model.directions()[to]
    x = torch.tensor(read_image(file, None, grayscale=taken.shape[0] == 1))[None].float() * (1 / 255)
    try:
        with fork_rng(seed, run.device):
            output = run.model.translate(x.to(run.device), to)
    except BadInput as error:
        raise BadInput(*(f"{printable(file)}: {problem}" for problem in error.problems)) from error
    pixels = to_pixels(output[0], made)
    return pixels[..., 0] if made.shape[0] == 1 else pixels
