"""nnlab probe: the accuracy of a linear classifier on a model's codes, from few labels."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nnlab.commands.arguments import (
    add_data_changed,
    add_look,
    add_model,
    make_parser,
    picture_file,
    positive,
    within,
    write_picture,
)
from nnlab.config.constraints import Between
from nnlab.errors import BadInput, explain, shortened
from nnlab.runs.find import as_typed

if TYPE_CHECKING:
    from nnlab.data.split import Data
    from nnlab.experiment.few_labels import Plan
    from nnlab.experiment.loading import LoadedRun
    from nnlab.metrics.probe import Result

SEEDS, MOST_SEEDS = 5, 1000
CODES = "codes of "  # with which the name of a row begins


def main(argv: list[str]) -> int:
    """Measure a linear classifier on few labels, on the model's codes, on raw inputs and on PCA. Returns the exit status."""
    parser = make_parser(
        "probe",
        "The accuracy of a linear classifier with few labels, on the model's codes, on the raw inputs and on PCA. Several runs "
        "of the same data stand in one table and one picture.",
        "probe last",
        "probe last --labels 20,200,all --seeds 10",
        "probe outputs/ae/mnist/* outputs/simclr/mnist/* -o labels.png",
        run=False,
    )
    parser.add_argument("run", nargs="+", metavar="RUN", help="run folders, or 'last'")
    parser.add_argument("--labels", type=counts, metavar="N,…", help="numbers of labelled examples; by default 10,100,1000,all")
    parser.add_argument(
        "--seeds", type=within(Between(1, MOST_SEEDS)), help=f"draws of the labelled examples; by default {SEEDS}"
    )
    parser.add_argument(
        "--fine-tune",
        type=positive,
        metavar="N",
        help="also train the whole encoder on the labels, for N updates, and the same network from random weights",
    )
    parser.add_argument(
        "-o", "--output", type=picture_file, metavar="FILE.png", help="the chart, needed for several runs; FILE.json beside it"
    )
    add_look(parser)
    add_model(parser)
    add_data_changed(parser)
    args = parser.parse_args(argv)
    if args.labels == [None] and args.seeds is not None:
        raise BadInput("--seeds: nothing is drawn where all examples are labelled; leave it out, or give --labels 100,all")
    if len(args.run) > 1 and args.output is None:
        raise BadInput("probe: for several runs give a file for the picture: -o labels.png")

    import torch

    from nnlab.commands.run_access import load_capable
    from nnlab.experiment.few_labels import check_memory, planned, probed, refuse_other_data, rivals
    from nnlab.model import Encodes
    from nnlab.training.randomness import fork_rng

    runs = [load_capable(Namespace(**{**vars(args), "run": each}), "probe", Encodes) for each in args.run]
    run, data = runs[0], runs[0].data
    refuse_other_data(runs)
    plan = planned(data, args.labels, args.seeds or SEEDS)
    check_memory(data, int(plan.wanted.sum()))
    learners = learning(runs) if args.fine_tune else []
    results: dict[str, dict[int, Result]] = {}
    with fork_rng(run.config["seed"], run.device), torch.inference_mode():
        for each, name in zip(runs, names_of(runs), strict=True):
            results |= probed(data, each.reshaping, {name: each.model.encode}, plan)
        results |= probed(data, run.reshaping, rivals(runs), plan)
    for each, name in learners:
        results |= tuned(each, name, data, plan, args.fine_tune)
    print(table(results, plan))
    if said := explained(results, plan):
        print(said)
    report(runs, plan, results, args)
    return 0


def names_of(runs: list[LoadedRun]) -> list[str]:
    """What the rows are called: by model and width, and those that are equal by their folder too."""
    from nnlab.model import code_width

    names = [f"{CODES}{type(run.model).__name__} ({code_width(run.model)})" for run in runs]
    short = len({run.folder.path.name for run in runs}) == len(runs)
    folders = [run.folder.path.name if short else as_typed(run.folder.path) for run in runs]
    return [f"{name}, {own}" if names.count(name) > 1 else name for name, own in zip(names, folders, strict=True)]


def short(name: str, names: Iterable[str]) -> str:
    """A row's name without "codes of", unless another row is called so: the codes of a PCA beside PCA."""
    return name if name.removeprefix(CODES) in names else name.removeprefix(CODES)


def counts(text: str) -> list[int | None]:
    """10,100,all → [10, 100, None]."""
    parts = text.split(",")
    if not all(part == "all" or part.lstrip("-").isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"expected numbers of labels such as 10,100,all, got '{shortened(text)}'")
    return [None if part == "all" else positive(part) for part in parts]


def learning(runs: list[LoadedRun]) -> list[tuple[LoadedRun, str]]:
    """The runs whose encoders learn by gradient, with their names; it prints the others. Raises BadInput if there is none."""
    from nnlab.experiment.fine_tuning import learns

    learners = [(run, name.removeprefix(CODES)) for run, name in zip(runs, names_of(runs), strict=True) if learns(run)]
    others = ", ".join(dict.fromkeys(type(run.model).__name__ for run in runs if not learns(run)))
    if not learners:
        raise BadInput(f"--fine-tune: {others} has no weights that learn by gradient; leave it out")
    if others:
        print(f"without weights that learn by gradient, so not fine-tuned: {others}")
    return learners


def tuned(run: LoadedRun, name: str, data: Data, plan: Plan, updates: int) -> dict[str, dict[int, Result]]:
    """The accuracy of an encoder that is trained further with the labels, and of the same network from random weights."""
    from nnlab.experiment.fine_tuning import fine_tuned

    return {
        f"{name}, fine-tuned": fine_tuned(run, data, plan.draws, updates),
        f"{name}, random start": fine_tuned(run, data, plan.draws, updates, "random"),
    }


def table(results: dict[str, dict[int, Result]], plan: Plan) -> str:
    """One row per encoder, one column per number of labels: test accuracy in %, mean ± standard deviation over draws."""
    head = ["test accuracy in % by labels", *(plan.name(n) for n in plan.draws)]
    rows = [head, *([name, *map(str, of.values())] for name, of in results.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "   ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )


def explained(results: dict[str, dict[int, Result]], plan: Plan) -> str:
    """The explanation of the table's cells, and the cells whose fit has not converged."""
    several = f"mean ± standard deviation over {plan.seeds} draws of the labelled examples"
    single = f"all {plan.all:,}: one fit, since there is nothing to draw"
    cells = [several] if plan.seeds > 1 and set(plan.draws) != {plan.all} else []
    if plan.all in plan.draws:
        cells.append(single)
    early = [
        f"{name} by {plan.name(n)}" for name, of in results.items() for n, one in of.items() if not all(one.converged or ())
    ]
    lines = ["; ".join(cells)] if cells else []
    if early:
        lines.append(f"the fit did not converge, and the accuracy may be too low: {', '.join(early)}")
    return "\n".join(lines)


def report(runs: list[LoadedRun], plan: Plan, results: dict[str, dict[int, Result]], args: Namespace) -> None:
    """Write probe.json with every metric, and the chart."""
    from nnlab.metrics import probe
    from nnlab.plotting.label_efficiency import probe_chart
    from nnlab.runs.files import write_whole
    from nnlab.runs.text_formats import as_json

    run, data = runs[0], runs[0].data
    metadata = {
        **(run.metadata if len(runs) == 1 else {"runs": [each.metadata for each in runs]}),
        "n_train": plan.all,
        "n_test": len(data.test),
        "seeds": plan.seeds,
        "C": probe.C,
        "scaling": "less the mean of the training features, by one factor that makes their mean variance 1",
    }
    figures = {
        name: {str(n) if n < plan.all else "all": {"labels": n, **one.metadata} for n, one in of.items()}
        for name, of in results.items()
    }
    path = args.output.with_suffix(".json") if args.output else run.folder.path / "probe.json"
    try:
        write_whole(path, as_json({**metadata, "encoders": figures}))
    except OSError as error:
        raise BadInput(explain(error, path)) from error
    print(as_typed(path))
    found = {short(name, results): [(n, one.mean, one.std) for n, one in of.items()] for name, of in results.items()}
    # the title of a picture is that of one run
    look = Namespace(**{**vars(args), "no_title": args.no_title or len(runs) > 1})
    write_picture(probe_chart(found, data.spec.name), look, run, "probe")
