"""nnlab outliers: the examples that are most unusual to a model, and how well it tells classes that it has never seen."""

from __future__ import annotations

import json
from argparse import Namespace
from contextlib import redirect_stdout
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from nnlab.commands.arguments import add_data_changed, add_model, add_output, add_split, make_parser, positive, write_picture
from nnlab.errors import BadInput, explain
from nnlab.runs.csv_file import write_csv
from nnlab.runs.text_formats import legible

if TYPE_CHECKING:
    import numpy as np

    from nnlab.data.split import Data
    from nnlab.experiment.loading import LoadedRun
    from nnlab.metrics.outliers import Scored

SHOWN = 5000  # points of a plane
COLUMNS = ("set", "index", "class", "score", "kept_out")


def main(argv: list[str]) -> int:
    """Score the examples of a split, write the scores, draw the most unusual and print metrics. Returns the exit status."""
    parser = make_parser(
        "outliers",
        "The examples that are most unusual to the model: a picture, all scores as outliers.csv, and metrics as JSON.",
        "outliers last",
        "outliers last --split train -n 48",
    )
    parser.add_argument("-n", type=positive, default=24, help="how many to show; by default 24")
    add_split(parser, "test")
    add_output(parser, "outliers")
    add_model(parser)
    add_data_changed(parser)
    args = parser.parse_args(argv)

    import torch

    from nnlab.commands.capability import require_same
    from nnlab.commands.run_access import load_capable
    from nnlab.model import Reconstructs, Scores, can
    from nnlab.training.randomness import fork_rng

    run = load_capable(args, "outliers", Scores)
    if can(run.model, Reconstructs):  # its score compares the two
        require_same(run.model, "outliers")
    check_output(run, args)
    with fork_rng(run.config["seed"], run.device), torch.inference_mode():
        data = run.data
        sets = score_all(run, data, args)
        write_rows(run.folder.path / "outliers.csv", sets)
        write_pictures(run, data, sets, args)
    print(legible(json.dumps(metadata(run, sets), indent=2, ensure_ascii=False)))
    return 0


def check_output(run: LoadedRun, args: Namespace) -> None:
    """Raise BadInput if a picture is asked for that cannot be."""
    spec = run.model.spec
    if args.output and spec.kind == "table" and spec.features != 2:
        raise BadInput(f"-o {args.output}: {spec.name} is a table of {spec.features} columns, so there is no picture")


def score_all(run: LoadedRun, data: Data, args: Namespace) -> list[Scored]:
    """The split, and beside the test split the test examples of the classes that were kept out."""

    from nnlab.commands.run_access import batches_of, nonempty_split
    from nnlab.metrics.outliers import scored

    splits = {args.split: (nonempty_split(data, args.split), data.spec.classes)}
    if args.split == "test" and len(data.held_out):
        splits["others"] = (data.held_out, data.held_out_classes)
    return [scored(run.model, name, batches_of(run, split), classes, args.n) for name, (split, classes) in splits.items()]


def write_rows(path: Path, sets: list[Scored]) -> None:
    """Every example, the most unusual first; `index` counts within its set, as --index of the other verbs does."""
    from nnlab.metrics.outliers import ranked

    try:
        rows = (
            [one.name, place, one.class_of(place), repr(float(one.score[place])), int(one.kept_out)]
            for one, place in ranked(sets)
        )
        write_csv(path, chain([COLUMNS], rows))
    except OSError as error:
        raise BadInput(explain(error, path)) from error


def write_pictures(run: LoadedRun, data: Data, sets: list[Scored], args: Namespace) -> None:
    """Write the pictures; their paths go to standard error, since the JSON goes to standard output."""
    import sys

    from nnlab.metrics.outliers import auc, meaning, ranked
    from nnlab.plotting import cards, charts

    worst = list(islice(ranked(sets), args.n))
    with redirect_stdout(sys.stderr):
        if run.model.spec.kind == "image":
            write_picture(cards.outlier_cards(run.model, worst), args, run, "outliers")
        elif run.model.spec.features == 2:
            write_picture(plane(data, sets, worst), args, run, "outliers")
        if len(sets) == 2:
            inside, outside = (one.score for one in sets)
            chart = charts.score_chart(inside, outside, auc(inside, outside), meaning(run.model))
            write_picture(chart, args, run, "outlier_scores", output=False)


def plane(data: Data, sets: list[Scored], worst: list[tuple[Scored, int]]) -> np.ndarray:
    """The points of the sets in the file's units, and which are the worst."""
    import torch

    from nnlab.plotting.axes import Points
    from nnlab.plotting.charts import outlier_plot

    spec, points = data.spec, []
    for one in sets:
        split = data.held_out if one.kept_out else data.split(one.name)
        rows = split.spread(SHOWN)
        labels = split.labels(rows)
        xy = spec.original(split.values(rows)).cpu().numpy()
        points.append(("kept out" if one.kept_out else one.name, Points(xy, None if labels is None else labels.cpu().numpy())))
    marked = torch.stack([one.worst[one.rank(place)] for one, place in worst])
    return outlier_plot(spec, points, spec.original(marked).cpu().numpy(), spec.classes)


def metadata(run: LoadedRun, sets: list[Scored]) -> dict:
    """The figures: of the split, and where classes were kept out of how they stand apart from it."""
    from nnlab.metrics.outliers import auc, meaning

    inside = sets[0]
    found = {
        **run.metadata,
        "split": inside.name,
        "score": meaning(run.model),
        "n": len(inside.score),
        "mean": float(inside.score.mean()),
    }
    if len(sets) == 2:
        outside = sets[1]
        found |= {
            "kept_out": {"classes": list(outside.classes), "n": len(outside.score), "mean": float(outside.score.mean())},
            "auc": auc(inside.score, outside.score),
        }
    return found
