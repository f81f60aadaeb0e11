"""nnlab embed: the codes of many inputs, as numbers, in TensorBoard's projector, and as pictures."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from nnlab.commands.arguments import (
    add_data_changed,
    add_look,
    add_model,
    add_split,
    check_archive,
    make_parser,
    natural,
    write_picture,
)
from nnlab.errors import BadInput, explain
from nnlab.recording.projector import POINTS
from nnlab.runs.find import as_typed

if TYPE_CHECKING:
    from nnlab.data.inputs import Inputs
    from nnlab.experiment.loading import LoadedRun
    from nnlab.plotting.embedding import Sample

NEIGHBOURS = 2000  # number of codes for t-SNE: seconds on two cores


def main(argv: list[str]) -> int:
    """Write the codes of many inputs as numbers, as pictures and for TensorBoard's projector. Returns the exit status."""
    parser = make_parser(
        "embed",
        "The codes of a split, or of your own images: as numbers, in TensorBoard's projector, and as pictures.",
        "embed last",
        "embed last --split train --tsne 0 -o codes.npz",
        "embed last --input faces",
    )
    parser.add_argument("--input", type=Path, metavar="PATH", help="your own images: a folder, or an .npz with an array x")
    parser.add_argument(
        "--tsne", type=natural, metavar="N", help=f"number of codes for t-SNE; by default {NEIGHBOURS}; 0: no t-SNE"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE.npz", help="file of the codes; by default codes.npz of the run"
    )
    add_split(parser, "test", use="instead of --input")
    add_look(parser)
    add_model(parser)
    add_data_changed(parser)
    args = parser.parse_args(argv)
    check(args)

    import torch

    from nnlab.commands.run_access import load_capable, open_inputs, open_own
    from nnlab.data.inputs import spread
    from nnlab.model import Encodes
    from nnlab.plotting.embedding import Sample
    from nnlab.training.randomness import fork_rng

    run = load_capable(args, "embed", Encodes)
    output = args.output or run.folder.path / "codes.npz"
    with fork_rng(run.config["seed"], run.device) as generator, torch.inference_mode():
        own = args.input is not None
        inputs = open_own(run, args.input, generator) if own else open_inputs(run, args.split or "test", generator)
        neighbours = check_tsne(args.tsne, len(inputs), run)
        sample = Sample(spread(len(inputs), POINTS))
        write_codes(output, run, inputs, sample)
    write_pictures(run, inputs, sample, neighbours, args)
    write_projector(run, inputs, sample)
    return 0


def check(args: Namespace) -> None:
    """Raise BadInput with all problems of the command line."""
    problems = []
    if args.input and args.split:
        problems.append(f"--split {args.split}: has no effect on --input, which is used as a whole; leave one of them out")
    if args.tsne is not None and not 0 <= args.tsne <= POINTS:
        problems.append(f"--tsne: expected a whole number between 0 and {POINTS}, got {args.tsne}")
    try:
        check_archive(args.output, "codes are")
    except BadInput as error:
        problems += error.problems
    if args.output and args.input and args.output.absolute() == args.input.absolute():
        problems.append(f"-o {args.output}: is the input itself; give another name")
    if problems:
        raise BadInput(*problems)


def check_tsne(typed: int | None, n: int, run: LoadedRun) -> int:
    """The number of codes for t-SNE: typed, or a default. Raises BadInput if the typed number does not fit."""
    from nnlab.model import code_width
    from nnlab.plotting.embedding import FEWEST

    count = min(NEIGHBOURS if typed is None else typed, n)
    dimensions = code_width(run.model)
    problem = None
    if dimensions <= 2:
        problem = f"--tsne: codes of {dimensions} coordinates are drawn without t-SNE; leave it out"
    elif count < FEWEST:
        problem = f"--tsne: {count} codes are too few; t-SNE needs {FEWEST}"
    if problem and typed:
        raise BadInput(problem)
    return 0 if problem else count


def write_codes(path: Path, run: LoadedRun, inputs: Inputs, sample: Sample) -> None:
    """codes (N, d) float32, and of each its index in the split (or its file) and where it is known its label.

    indices (N,) int64 are what --index and --from take; files (N,) are relative to the folder; labels (N,) int64 count in
    the names `classes`.
    """
    import numpy as np

    from nnlab.plotting.embedding import encoded
    from nnlab.runs.npz_file import archive, write_array

    with archive(path) as into:
        write_array(into, "codes", len(inputs), encoded(run.model, inputs, sample))
        known = {"files" if inputs.keys.dtype.kind == "U" else "indices": inputs.keys}
        if inputs.labels is not None:
            known |= {"labels": inputs.labels, "classes": np.array(inputs.classes)}
        for name, array in known.items():
            write_array(into, name, len(array), [array])
    print(as_typed(path))


def write_pictures(run: LoadedRun, inputs: Inputs, sample: Sample, neighbours: int, args: Namespace) -> None:
    """Draw the codes of a sample in a plane, and `neighbours` of them by t-SNE, into images/ of the run."""
    import numpy as np

    from nnlab.data.inputs import spread
    from nnlab.plotting.embedding import code_plot, tsne_plot

    codes, labels = sample.codes, None if inputs.labels is None else inputs.labels[sample.places]
    name = "embedding_pca" if codes.shape[1] > 2 else "embedding"
    write_picture(code_plot(codes, labels, inputs.classes), args, run, name, output=False)
    few = spread(len(codes), neighbours)
    if len(few) and np.ptp(codes[few], axis=0).any():  # equal codes have no t-SNE
        picture = tsne_plot(codes[few], None if labels is None else labels[few], inputs.classes)
        write_picture(picture, args, run, "embedding_tsne", output=False)


def write_projector(run: LoadedRun, inputs: Inputs, sample: Sample) -> None:
    """Write the codes of a sample, their labels and thumbnails, for TensorBoard's projector. Raises BadInput if it fails."""
    from nnlab.recording import projector

    columns = {}
    if inputs.labels is not None:
        columns["label"] = [inputs.classes[label] for label in inputs.labels[sample.places]]
    columns["file" if inputs.keys.dtype.kind == "U" else "index"] = inputs.keys[sample.places].tolist()
    try:
        projector.write(run.folder.path, inputs.name, sample.codes, columns, sample.thumbnails)
    except OSError as error:
        raise BadInput(explain(error, run.folder.path)) from error
    print(as_typed(run.folder.path / "projector"))
