"""nnlab compress: write images as codes into a small file, which nnlab decompress reads: the model as an archiver."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from nnlab.commands.arguments import (
    add_data_changed,
    add_look,
    add_model,
    add_split,
    check_archive,
    make_parser,
    write_figures,
    write_picture,
)
from nnlab.errors import BadInput, printable
from nnlab.runs.find import as_typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import torch

    from nnlab.data.inputs import Inputs
    from nnlab.data.spec import DataSpec
    from nnlab.experiment.loading import LoadedRun
    from nnlab.latent.code_file import Coding

SHOWN = 24  # images of the picture
KINDS = ("float32", "float16", "uint8", "symbols")  # as nnlab.latent.code_file has them, which imports torch


def arguments(argv: list[str]) -> Namespace:
    """The parsed command line of the verb. Exits with a message if it is wrong."""
    parser = make_parser(
        "compress",
        "Write your own images, or a split, as codes into a file. Also bytes in, bytes out, and the error of the images that "
        "nnlab decompress makes: metrics as JSON next to the file, and images/encoding.png of the run. To decompress you "
        "need the same run.",
        "compress last photos -o photos.npz",
        "compress last --split test -o codes.npz",
        "compress last mine.npz -o codes.npz --codes uint8",
    )
    parser.add_argument(
        "images", nargs="?", type=Path, metavar="IMAGES", help="a folder of images, an image, or an .npz with an array x"
    )
    parser.add_argument(
        "--codes",
        choices=KINDS,
        help="how a code is stored; float32, the default, decodes exactly to the reconstruction, uint8 takes a quarter; "
        "symbols, the default for a vq_vae, takes one or two bytes per place and is exact, too",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.npz", help="the file of codes")
    add_split(parser, "test", use="instead of IMAGES")
    add_look(parser)
    add_model(parser)
    add_data_changed(parser)
    return parser.parse_intermixed_args(argv)


def main(argv: list[str]) -> int:
    """Write the codes of images into a file, print the sizes and draw the decoded images. Returns the exit status."""
    args = arguments(argv)
    check(args)

    import torch

    from nnlab.checkpoints.reference import fingerprint
    from nnlab.commands.capability import require_same
    from nnlab.commands.run_access import load_capable, open_inputs, open_own
    from nnlab.data.inputs import spread
    from nnlab.latent import code_file
    from nnlab.model import Decodes, Encodes
    from nnlab.training.randomness import fork_rng

    run = load_capable(args, "compress", Encodes, Decodes)
    require_same(run.model, "compress")
    coding = chosen(args, run)
    with fork_rng(run.config["seed"], run.device) as generator, torch.inference_mode():
        own = args.images is not None
        inputs = open_own(run, args.images, generator) if own else open_inputs(run, args.split or "test", generator)
        decoded = Decoded(spread(len(inputs), SHOWN))
        mark = fingerprint(run.state["trainer"]["model"])
        names = inputs.keys.tolist() if inputs.keys.dtype.kind == "U" else []
        with tempfile.TemporaryFile() as kept:
            pairs = encoded(run, inputs, symbols=args.codes == "symbols")
            if args.codes == "uint8":
                coding, pairs = by_bytes(pairs, kept), again(inputs, kept)
            packed = packing(run, inputs, coding, pairs, decoded)
            code_file.write(args.output, packed, len(inputs), coding, run.model.spec.shape, mark, names)
    figures = {**run.metadata, "fingerprint": mark, **measured(run, args, inputs, decoded)}
    print(printable(summary(figures)))
    if run.model.spec.kind == "image":
        write_picture(decoded.picture(run), args, run, "encoding", output=False)
    write_figures(figures, args.output)
    print(as_typed(args.output))
    return 0


def chosen(args: Namespace, run: LoadedRun) -> Coding:
    """How codes are to be stored; `args` is told the default. Raises BadInput if this model has no symbols."""
    from nnlab.latent.code_file import Coding
    from nnlab.model import Tokenizes, can

    spells = can(run.model, Tokenizes)
    args.codes = args.codes or ("symbols" if spells else "float32")
    if args.codes == "symbols" and not spells:
        raise BadInput(f"--codes symbols: {type(run.model).__name__} has codes of numbers; leave it out")
    return Coding(args.codes, alphabet=run.model.alphabet if args.codes == "symbols" else None)


def check(args: Namespace) -> None:
    """Raise BadInput with all problems of the command line."""
    check_archive(args.output, "codes are")
    if args.images and args.split:
        raise BadInput(f"--split {args.split}: has no effect on {args.images}, which is used as a whole; leave one of them out")
    if args.images and args.output.absolute() == args.images.absolute():
        raise BadInput(f"-o {args.output}: is the input itself; give another name")


@dataclass
class Decoded:
    """What the stored codes decode to: the sums over all examples of the squared error a value and of the PSNR, dB, and some
    of the examples with their outputs, for a picture.

    places  (m,) which, ascending
    """

    places: np.ndarray
    mse: float = 0.0
    psnr: float = 0.0
    images: list[torch.Tensor] = field(default_factory=list)
    outputs: list[torch.Tensor] = field(default_factory=list)

    def add(self, images: torch.Tensor, outputs: torch.Tensor, start: int, spec: DataSpec) -> None:
        """Examples (n, *shape), the first of them at `start`."""
        import numpy as np

        from nnlab.metrics.reconstruction import mse, psnr

        error = mse(outputs, images)
        self.mse += error.double().sum().item()
        self.psnr += psnr(error, spec).double().sum().item()
        low, high = np.searchsorted(self.places, [start, start + len(images)])
        mine = (self.places[low:high] - start).tolist()
        self.images.append(images[mine])
        self.outputs.append(outputs[mine])

    def picture(self, run: LoadedRun) -> np.ndarray:
        """Some images over what they are decoded to."""
        import torch

        from nnlab.data.spec import Batch
        from nnlab.plotting.latent import reconstruction_picture

        images = torch.cat(self.images)
        return reconstruction_picture(run.model, Batch(images, images), torch.cat(self.outputs))


def encoded(run: LoadedRun, inputs: Inputs, symbols: bool) -> Iterator[tuple[torch.Tensor, np.ndarray]]:
    """Images and their codes (n, d) float32, or symbols (n, T), batch by batch. Raises BadInput if a code is not finite."""
    start = 0
    for batch in inputs.batches:
        if symbols:
            yield batch.input, run.model.encode_indices(batch.input).cpu().numpy()
            continue
        codes = run.model.encode(batch.input).float().cpu().numpy()
        check_finite(codes, inputs, start, "is not finite: are the inputs, or the weights, huge?")
        yield batch.input, codes
        start += len(batch)


def check_finite(codes: np.ndarray, inputs: Inputs, start: int, problem: str) -> None:
    """Raise BadInput if a code of a batch (N, d) is not finite, naming its input; the batch begins at input `start`."""
    import numpy as np

    whole = np.isfinite(codes).all(1)
    if not whole.all():
        raise BadInput(f"the code of {inputs.keys[start + int(whole.argmin())]} of {inputs.name} {problem}")


def by_bytes(pairs: Iterator[tuple[torch.Tensor, np.ndarray]], kept: IO[bytes]) -> Coding:
    """Bytes between the least and the greatest value of each coordinate, which a pass over all inputs finds.

    kept  takes in the codes (n, d) float32, which `again` reads: nothing is encoded twice, and memory stays flat
    """
    import numpy as np

    from nnlab.latent.code_file import Coding

    low, high = np.inf, -np.inf
    for _, codes in pairs:
        low, high = np.minimum(low, codes.min(0)), np.maximum(high, codes.max(0))
        kept.write(codes.tobytes())
    return Coding.of_bytes(low, high)


def again(inputs: Inputs, kept: IO[bytes]) -> Iterator[tuple[torch.Tensor, np.ndarray]]:
    """Images once more, with the codes that a first pass has kept."""
    import numpy as np

    width = kept.tell() // len(inputs)  # bytes of a code
    kept.seek(0)
    for batch in inputs.batches:
        yield batch.input, np.frombuffer(kept.read(width * len(batch)), np.float32).reshape(len(batch), -1)


def packing(
    run: LoadedRun, inputs: Inputs, coding: Coding, pairs: Iterator[tuple[torch.Tensor, np.ndarray]], decoded: Decoded
) -> Iterator[np.ndarray]:
    """Codes as they are stored, batch by batch; `decoded` takes in what becomes of them."""
    import numpy as np

    from nnlab.latent.code_file import restored

    start = 0
    for images, codes in pairs:
        packed = coding.pack(codes)
        if packed.dtype == np.float16:
            check_finite(packed, inputs, start, "goes beyond float16, which ends at 65,504; leave --codes out")
        output = restored(run.model, coding, packed)
        decoded.add(images, output, start, run.model.spec)
        start += len(images)
        yield packed


def measured(run: LoadedRun, args: Namespace, inputs: Inputs, decoded: Decoded) -> dict:
    """Bytes in, uncompressed at the model's size, and bytes out; also the bytes of the user's own files.

    Decoding also needs the model, once for all files: `model_bytes`.
    """
    n, spec = len(inputs), run.model.spec
    bytes_in, bytes_out = -(-n * spec.features * inputs.bits // 8), args.output.stat().st_size
    figures = {"input": inputs.name, "n": n, "codes": args.codes, "bytes_in": bytes_in, "bytes_out": bytes_out}
    figures["ratio"] = bytes_in / bytes_out
    if args.images is not None:
        one = args.images.is_file()
        paths = [args.images] if one else [args.images / name for name in inputs.keys]
        figures["bytes_of_files"] = sum(path.stat().st_size for path in paths)
    figures["model_bytes"] = sum(weight.numel() * weight.element_size() for weight in run.model.state_dict().values())
    return {**figures, "mse": decoded.mse / n, "psnr": decoded.psnr / n}


def summary(figures: dict) -> str:
    """One line: bytes before and after, their ratio and how near the decoded images come to the inputs."""
    files = f" (as files {figures['bytes_of_files']:,})" if "bytes_of_files" in figures else ""
    return (
        f"{figures['n']:,} of {figures['input']}: {figures['bytes_in']:,} bytes{files} → {figures['bytes_out']:,} bytes, "
        f"{figures['ratio']:.3g} : 1; decoded mse {figures['mse']:.5g}, psnr {figures['psnr']:.2f} dB"
    )
