"""nnlab decompress: the images, or the rows of a table, from a file of codes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nnlab.commands.arguments import add_model, make_parser
from nnlab.errors import BadInput, explain
from nnlab.runs.files import creating, harmless
from nnlab.runs.find import as_typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from nnlab.data.spec import DataSpec
    from nnlab.experiment.loading import LoadedRun
    from nnlab.latent.code_file import CodeFile


def main(argv: list[str]) -> int:
    """Decode a file of codes into an .npz or a folder of PNG. Returns the exit status."""
    parser = make_parser(
        "decompress",
        "Decode a file of nnlab compress: into an .npz with an array x, of images (N, C, H, W) or of rows "
        "in the units of the table, or into a folder of PNG with the names of the original files.",
        "decompress last codes.npz -o images.npz",
        "decompress last photos.npz -o photos_again",
    )
    parser.add_argument("codes", type=Path, metavar="CODES.npz", help="of nnlab compress, with the same run")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="FILE.npz, or a new folder")
    add_model(parser)
    args = parser.parse_intermixed_args(argv)
    check_output(args.output, args.codes)

    import torch

    from nnlab.commands.capability import require_image
    from nnlab.commands.run_access import load_capable
    from nnlab.data.inputs import together
    from nnlab.latent import code_file
    from nnlab.model import Decodes

    run = load_capable(args, "decompress", Decodes)
    file = code_file.read(args.codes)
    refuse_others(run, file)
    with torch.inference_mode():
        # the batch size of encoding: the last bits of a product depend on the number of rows
        parts = file.parts(together(run.model.spec))
        outputs = (code_file.restored(run.model, file.coding, part) for part in parts)
        if args.output.suffix.lower() == ".npz":
            write_array(args.output, outputs, run.model.spec, file)
        else:
            require_image(run.model, f"-o {args.output}")
            write_images(args.output, outputs, run.model.spec, file)
    print(as_typed(args.output))
    return 0


def check_output(path: Path, codes: Path) -> None:
    """Raise BadInput if that is neither the name of an .npz nor of a folder to be made."""
    if path.suffix.lower() not in ("", ".npz"):
        raise BadInput(f"-o {path}: expected a name that ends in .npz, or one without a suffix, of a folder of images")
    if path.absolute() == codes.absolute():
        raise BadInput(f"-o {path}: is the file of codes itself; give another name")
    if not path.suffix and path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BadInput(f"-o {path}: exists already; give the name of a new folder")


def refuse_others(run: LoadedRun, file: CodeFile) -> None:
    """Raise BadInput unless the weights that encoded a file are those that are to decode it."""
    from nnlab.checkpoints import checkpoint
    from nnlab.checkpoints.reference import fingerprint

    own, folder = fingerprint(run.state["trainer"]["model"]), run.folder.checkpoints
    if file.fingerprint != own:
        others = (name for name in checkpoint.available(folder) if checkpoint.is_whole(folder / f"{name}.pt"))
        states = ((name, checkpoint.load(folder, name)["trainer"]["model"]) for name in others)
        fits = [name for name, state in states if fingerprint(state) == file.fingerprint]
        remedy = f"add --checkpoint {fits[0]}" if fits else "give the run that encoded them"
        raise BadInput(
            f"{file.path}: its codes are of other weights (fingerprint {file.fingerprint}) than the checkpoint "
            f"'{run.checkpoint}' of {run.folder.path} ({own}); {remedy}"
        )
    if file.coding.alphabet not in (None, getattr(run.model, "alphabet", None)):
        raise BadInput(f"{file.path}: spelled with {file.coding.alphabet} symbols, which this model has not; encode once more")
    width = run.model.latent_dim if file.coding.alphabet is None else run.model.places
    if (file.width, file.shape) != (width, run.model.spec.shape):
        raise BadInput(
            f"{file.path}: {file.width} numbers of each example {file.shape}, but this model has {width} of "
            f"each {run.model.spec.shape}; encode once more"
        )


def write_array(path: Path, outputs: Iterator[Tensor], spec: DataSpec, file: CodeFile) -> None:
    """x (N, *shape), batch by batch: float32, or float64 in the units of a table that was standardised."""
    from nnlab.runs import npz_file

    with npz_file.archive(path) as into:
        npz_file.write_array(into, "x", file.count, (spec.original(some).cpu().numpy() for some in outputs))


def write_images(folder: Path, outputs: Iterator[Tensor], spec: DataSpec, file: CodeFile) -> None:
    """A PNG each, under the name of the file that was encoded, or its number; written by several threads."""
    from concurrent.futures import ThreadPoolExecutor

    from PIL import Image

    from nnlab.plotting.images import to_pixels

    names = png_names(file)

    def save(name: str, pixels) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with creating(path) as file:
            Image.fromarray(pixels).save(file, "PNG")

    start = 0
    try:
        with ThreadPoolExecutor() as pool:
            for some in outputs:
                pixels = to_pixels(some, spec)
                pixels = pixels[..., 0] if spec.shape[0] == 1 else pixels
                list(pool.map(save, names[start : start + len(pixels)], pixels))
                start += len(pixels)
    except OSError as error:
        raise BadInput(explain(error, folder)) from error


def png_names(file: CodeFile) -> list[str]:
    """Of each image the name of its file, with .png for its suffix unless two would be called the same.

    Raises BadInput if a name leads out of the folder.
    """
    if not file.names:
        return [f"{number:0{len(str(file.count - 1))}}.png" for number in range(file.count)]
    for name in file.names:
        if Path(name).is_absolute() or ".." in Path(name).parts or "\\" in name or not Path(name).name:
            raise BadInput(f"{file.path}: names an image {name!r}, which leads out of the folder; decode it to an .npz instead")
    shown = ["/".join(map(harmless, Path(name).parts)) for name in file.names]
    for names in ([str(Path(name).with_suffix(".png")) for name in shown], [f"{name}.png" for name in shown]):
        if len({name.lower() for name in names}) == len(names):
            return names
    raise BadInput(f"{file.path}: names two images alike; decode it to an .npz instead")
