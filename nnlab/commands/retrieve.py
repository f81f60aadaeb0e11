"""nnlab retrieve: the images whose codes are nearest to an image's code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnlab.commands.arguments import (
    MOST_STEPS,
    SPLITS,
    add_data_changed,
    add_model,
    add_output,
    add_split,
    make_parser,
    numbers,
    positive,
    write_picture,
)
from nnlab.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

    from nnlab.data.split import Split
    from nnlab.experiment.loading import LoadedRun

DISTANCES = ("euclidean", "cosine")


def main(argv: list[str]) -> int:
    """Show the nearest images by code, and print how near they are. Returns the exit status."""
    parser = make_parser(
        "retrieve",
        "The images of a split whose codes are nearest to the code of an image: the images that the model finds similar. An "
        "image is never its own neighbour. Neighbours of another class get a red frame.",
        "retrieve last --index 3",
        "retrieve last --index 3,14,15 -n 12 --among train --distance cosine",
    )
    parser.add_argument("--index", type=numbers, required=True, metavar="I,…", help="images of the split, one row each")
    add_split(parser, "test")
    parser.add_argument("--among", choices=SPLITS, help="the split to search; by default the same")
    parser.add_argument("-n", type=positive, default=8, help="neighbours of each; by default 8")
    parser.add_argument(
        "--distance",
        choices=DISTANCES,
        help=f"of codes; by default the one by which the model compares them, or else {DISTANCES[0]}",
    )
    add_output(parser, "neighbours_of")
    add_model(parser)
    add_data_changed(parser)
    args = parser.parse_args(argv)
    for option, count in (("--index", len(args.index)), ("-n", args.n)):
        if count > MOST_STEPS:
            raise BadInput(f"{option}: expected at most {MOST_STEPS} for a picture, got {count}")

    import torch

    from nnlab.commands.capability import require_image
    from nnlab.commands.run_access import batches_of, load_capable, nonempty_split, select_examples, titles
    from nnlab.model import Encodes
    from nnlab.nn import distances
    from nnlab.nn.float64 import to_float64
    from nnlab.plotting.images import input_pixels, neighbours_sheet

    run = load_capable(args, "retrieve", Encodes)
    require_image(run.model, "retrieve")
    searched = nonempty_split(run.data, args.among or args.split)
    given = select_examples(run, args.split, args.index, "--index")
    same = (args.among or args.split) == args.split
    if args.n > len(searched) - same:
        raise BadInput(f"-n {args.n}: the {args.among or args.split} split has {len(searched) - same} other images")
    kind = args.distance or getattr(run.model, "compared_by", DISTANCES[0])
    with torch.inference_mode():
        codes = torch.cat([run.model.encode(batch.input).float() for batch in batches_of(run, searched)])
        distance = getattr(distances, kind)(to_float64(run.model.encode(given.input)), to_float64(codes))
        if same:
            distance[torch.arange(len(args.index)), torch.tensor(args.index)] = torch.inf
        found = distance.topk(args.n, dim=1, largest=False)
        shown = inputs_at(run, searched, found.indices.flatten()).unflatten(0, found.indices.shape)
        tiles = input_pixels(torch.cat([given.input[:, None], shown], 1), run.model.spec)
    names = titles(args.index, given, run.data.spec)
    labels = searched.labels(searched.at(found.indices.flatten().cpu()))
    classes = run.data.spec.classes
    of = None if labels is None or not classes else [classes[c] for c in labels.tolist()]
    others, rows = None, []  # others: the neighbours of another class
    if of is not None and given.label is not None:
        others = labels.reshape(found.indices.shape).cpu().numpy() != given.label[:, None].cpu().numpy()
    for i, name in enumerate(names):
        places, values = found.indices[i].tolist(), found.values[i].tolist()
        row = {"index": args.index[i], "neighbours": places, "distances": values}
        if of is not None:
            row["classes"] = of[i * args.n : (i + 1) * args.n]
        if others is not None:
            row["of_its_class"] = 1 - float(others[i].mean())
        rows.append(row)
        print(f"{name}: " + ", ".join(titled(row, k) for k in range(args.n)))
    print(f"in brackets: the distance of the codes, {kind}")
    asked = {"split": args.split, "among": args.among or args.split, "n": args.n, "distance": kind}
    picture = neighbours_sheet(tiles, names, others)
    return write_picture(picture, args, run, "neighbours_of", {**run.metadata, **asked, "queries": rows})


def inputs_at(run: LoadedRun, split: Split, places: Tensor) -> Tensor:
    """(n, *shape) what the model sees of the images at these places of a split."""
    import torch

    from nnlab.commands.run_access import batches_of

    return torch.cat([batch.input for batch in batches_of(run, split, split.at(places.cpu()))])


def titled(row: dict, k: int) -> str:
    """A neighbour as text: its place, its class if there are classes, and its distance."""
    name = f" {row['classes'][k]}" if "classes" in row else ""
    return f"{row['neighbours'][k]}{name} ({row['distances'][k]:.3g})"
