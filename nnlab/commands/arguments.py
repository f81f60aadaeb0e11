"""Shared by the verbs that take a run: their arguments. No torch."""

from __future__ import annotations

import argparse
import json
import math
import os
import textwrap
from argparse import Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nnlab.commands.parsing import Parser
from nnlab.config.constraints import SEED, AtLeast, Between, Constraint, complaint, describe, fits
from nnlab.errors import BadInput, explain, printable, shortened
from nnlab.runs.files import own, write_whole
from nnlab.runs.find import as_typed
from nnlab.runs.folder import picture_facts
from nnlab.runs.text_formats import legible

if TYPE_CHECKING:
    import numpy as np

    from nnlab.experiment.loading import LoadedRun


SPLITS = ("train", "validation", "test")
PICTURES = (".png", ".gif", ".pdf", ".svg")
WIDTH = 80  # of a paragraph of a page of help

MOST_STEPS = 100  # largest number of images side by side in a picture


def make_parser(verb: str, description: str, *examples: str, run: bool = True, keyed: bool = False) -> Parser:
    """A verb's parser, with its examples under --help; `keyed` if it takes KEY=VALUE."""
    shown = "\n".join(f"  nnlab {example}" for example in examples)
    parser = Parser(
        verb,
        example=examples[0],
        keyed=keyed,
        description=textwrap.fill(description, WIDTH),
        epilog=f"examples:\n{shown}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if run:
        parser.add_argument("run", metavar="RUN", help="a run folder, or 'last'")
    return parser


def add_checkpoint(parser: Parser, default: str = "best if there is one, else last") -> None:
    """Add --checkpoint, the name of the checkpoint to read; `default` says in the help what is read without it."""
    parser.add_argument("--checkpoint", metavar="NAME", help=f"best, last, step-000500, …; by default {default}")


def add_model(parser: Parser) -> None:
    """Options of every verb that uses the trained model."""
    add_checkpoint(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N, mps")


def add_data_changed(parser: Parser) -> None:
    """The option of every verb that reads the run's data."""
    parser.add_argument(
        "--data-changed", action="store_true", help="allow data that differ from those of the training, and record it"
    )


def add_split(parser: Parser, default: str, use: str = "", *, held_out: bool = False) -> None:
    """--split; where only another option gives it a `use`, None stands for the default, so that one sees what was typed.

    held_out  whether the test examples of the classes that `data.classes` leaves out may be chosen, too
    """
    said = f"{use}; by default {default}" if use else f"by default {default}"
    said += "; held_out: test examples of the classes that data.classes leaves out" if held_out else ""
    choices = (*SPLITS, "held_out") if held_out else SPLITS
    parser.add_argument("--split", choices=choices, default=None if use else default, help=said)


def add_output(parser: Parser, name: str, scale: str = "--scale") -> None:
    """Add -o, the file of a picture, and the options of its look; `name` is the picture's name in images/ of the run."""
    by_default = f"{', '.join(PICTURES)}; by default images/{name}.png of the run"
    parser.add_argument("-o", "--output", type=picture_file, metavar="FILE.png", help=by_default)
    add_look(parser, scale)


def add_look(parser: Parser, scale: str = "--scale") -> None:
    """Options of every verb that makes a picture; `scale` is called otherwise where a verb has another scale."""
    parser.add_argument("--no-title", action="store_true", help="without the title above the picture")
    parser.add_argument(scale, dest="enlarge", metavar="N", type=within(Between(1, 16)), default=1, help="each pixel as N by N")
    dpi = within(Between(10, 2400))
    parser.add_argument("--dpi", type=dpi, default=120, help="pixels per inch on paper, by default 120")


def within(*constraints: Constraint) -> Callable[[str], int]:
    """The type of an option that is a whole number, of these ranges."""
    annotation = Annotated[(int, *constraints)] if constraints else int

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:  # also of more digits than Python reads
            raise argparse.ArgumentTypeError(f"expected {describe(annotation)}, got '{shortened(text)}'") from None
        if trouble := complaint(annotation, value):
            raise argparse.ArgumentTypeError(trouble)
        return value

    return number


positive, several, natural = within(AtLeast(1)), within(AtLeast(2)), within(AtLeast(0))
seed, port, whole = within(SEED), within(Between(1, 65535)), within()


def real(text: str) -> float:
    """The type of an option that is a finite number."""
    found = reals(text)
    if len(found) > 1:
        raise argparse.ArgumentTypeError(f"expected one number, got '{shortened(text)}'")
    return found[0]


def reals(text: str) -> list[float]:
    """Finite numbers with commas between them. Raises ArgumentTypeError, which the parser turns into a message."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = [math.nan]
    if not all(map(math.isfinite, found)):
        raise argparse.ArgumentTypeError(f"expected numbers such as 0.1,0.5,1, got '{shortened(text)}'")
    return found


def numbers(text: str) -> list[int]:
    """Whole numbers with commas between them. Raises ArgumentTypeError, which the parser turns into a message."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = [None]
    if not all(fits(int, number) for number in found):
        raise argparse.ArgumentTypeError(f"expected whole numbers such as 3,0,7, got '{shortened(text)}'")
    return found


def parse_override(line: str, example: str) -> tuple[str, object]:
    """The key and the value of a KEY=VALUE, read as YAML. Raises BadInput."""
    from omegaconf import OmegaConf

    from nnlab.config.sentences import UNREADABLE, sentence

    key, equals, value = line.partition("=")
    if not equals or not key:
        raise BadInput(f"{shortened(line)}: expected KEY=VALUE, e.g. {example}")
    try:
        parsed = OmegaConf.create(f"value: {value}")
        return key, OmegaConf.to_container(parsed, resolve=False)["value"]
    except UNREADABLE as error:
        raise BadInput(f"{shortened(line)}: {sentence(error)}; write lists as [1,2] and quote texts") from error


def check_archive(path: Path | None, what: str) -> None:
    """Raise BadInput if that is not the name of an .npz."""
    if path and path.suffix.lower() != ".npz":
        raise BadInput(f"-o {path}: {what} written as NumPy's .npz; give a name that ends in .npz")
    if path:
        check_place(path)


def picture_file(text: str) -> Path:
    """The type of an option with the name of a picture; it is checked before torch is imported."""
    check_picture(Path(text))
    return check_place(Path(text))


def check_picture(path: Path | None) -> None:
    """Raise BadInput if that is not the name of a picture."""
    if path and path.suffix.lower() not in PICTURES:
        raise BadInput(f"-o {printable(path)}: pictures are written as {', '.join(PICTURES)}; end the name so")


def check_place(path: Path) -> Path:
    """The path itself. Raises BadInput if it is already clear that no file can be written there."""
    if path.is_dir():
        raise BadInput(f"-o {printable(path)}: is a folder; give the name of a file in it")
    parent = next(parent for parent in path.absolute().parents if parent.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise BadInput(f"-o {printable(path)}: cannot write into {printable(parent)}; choose another folder")
    return path


def check_folder(path: Path, files: Iterable[str], what: str) -> None:
    """Raise BadInput unless that is the name of a folder to be made, or an empty one. So no file is ever overwritten.

    files  endings that nobody gives a folder; `what` is written into it, such as "images are"
    """
    if path.suffix.lower() in files:
        raise BadInput(f"-o {printable(path)}: {what} written into a folder; give a name without {path.suffix}")
    if not os.path.lexists(path):
        check_place(path)
    elif not path.is_dir() or any(path.iterdir()):
        raise BadInput(f"-o {printable(path)}: exists already; give the name of a new folder")


def write_picture(
    picture: np.ndarray, args: Namespace, run: LoadedRun, name: str, figures: dict | None = None, output: bool = True
) -> int:
    """Save a picture, and its metrics as JSON next to it, and print where.

    asked   the options of `add_output`, or of `add_look` alone
    output  whether it is the picture that -o names; another one always goes to images/ of the run
    """
    from nnlab.plotting.picture import enlarged, headed, save

    step, given = run.state["progress"]["step"], args.output if output else None
    path = given or run.folder.images / f"{name}.png"
    title, epoch = run.folder.title(), run.folder.epoch_of(step)
    whole = picture if args.no_title else headed(picture, title, f"epoch {epoch:.4g}" if epoch else "")
    shown = enlarged(whole, args.enlarge)
    try:
        if not given:
            own(run.folder.images)
        if figures is not None:
            write_figures(figures, path)
        save(shown, path, args.dpi, picture_facts(run.folder, title, step))
    except OSError as error:
        raise BadInput(explain(error, path)) from error
    print(as_typed(path))
    return 0


def write_figures(figures: dict, path: Path) -> None:
    """Write metrics as JSON next to their file, and print where."""
    beside = path.with_suffix(".json")
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        write_whole(beside, legible(json.dumps(figures, indent=2, ensure_ascii=False)) + "\n")
    except OSError as error:
        raise BadInput(explain(error, beside)) from error
    print(as_typed(beside))
