"""nnlab probe: the accuracy of a linear classifier on a model's codes, from few labels."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import dataclass
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
    import torch

    from nnlab.data.noise.base import Noise
    from nnlab.data.split import Data
    from nnlab.experiment.loading import LoadedRun
    from nnlab.families.ae.pca import PCA
    from nnlab.metrics.probe import Encoder, Result

SEEDS, MOST_SEEDS = 5, 1000
USUAL = (10, 100, 1000)  # the default numbers of labels, as far as there are enough
CODES = "codes of "  # with which the name of a row begins
WIDEST = 4096  # up to this width PCA uses all examples; for wider inputs it uses this many examples


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
    print(explained(results, plan))
    report(runs, plan, results, args)
    return 0


def refuse_other_data(runs: list[LoadedRun]) -> None:
    """Raise BadInput unless all runs have the same examples in the same splits. No data but the first run's are opened."""
    first, folders = runs[0], [run.folder.path.resolve() for run in runs]
    for run in runs[1:]:
        if folders.count(run.folder.path.resolve()) > 1:
            raise BadInput(f"probe: {as_typed(run.folder.path)} is given twice; give each run once")
        mine, other = first.model.spec, run.model.spec
        if (mine.digest, mine.splits, mine.shape) != (other.digest, other.splits, other.shape):
            raise BadInput(
                f"probe: {as_typed(run.folder.path)} has other examples, or others in its splits, than "
                f"{as_typed(first.folder.path)}; compare runs of the same data, data.seed, data.limit and data.validation"
            )
        if seen_values(first) != seen_values(run):
            raise BadInput(
                f"probe: {as_typed(run.folder.path)} sees its examples as other values than {as_typed(first.folder.path)}; "
                "compare runs of the same data.binarize and data.standardize"
            )


def seen_values(run: LoadedRun) -> tuple:
    """What decides how the bytes of an example become the values that a run's model sees."""
    spec = run.model.spec
    return spec.low, spec.high, spec.mean, spec.std, run.config["data"].get("binarize", "none")


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


@dataclass
class Plan:
    """Which examples are labelled: for each number of labels the draws, each (n,) places in the training split."""

    draws: dict[int, list[torch.Tensor]]
    all: int  # how many all are
    seeds: int

    @property
    def wanted(self) -> torch.Tensor:
        """(all,) bool: the examples that are labelled in any of the draws."""
        import torch

        wanted = torch.zeros(self.all, dtype=torch.bool)
        wanted[torch.cat([places for drawn in self.draws.values() for places in drawn])] = True
        return wanted

    def name(self, n: int) -> str:
        """A number of labels as a table shows it; "all" where it is the whole training split."""
        return "all" if n == self.all else f"{n:,}"


def planned(data: Data, counts: list[int | None] | None, seeds: int) -> Plan:
    """The labelled examples of each seed. Raises BadInput if the data have no labels, too few, or fewer than asked for."""
    import torch

    from nnlab.metrics.probe import draw

    train, name = data.train, data.spec.name
    if not train.labelled or not data.spec.classes:
        raise BadInput(f"probe: {name} has no labels to learn from")
    if not len(data.test) or not data.test.labelled:
        raise BadInput(f"probe: {name} has no labelled test examples")
    labels = train.labels(train.rows).cpu()
    held, n = len(labels.unique()), len(labels)
    if held < 2:
        raise BadInput(f"probe: the {n} training examples of {name} are all of one class")
    tested = data.test.labels(data.test.rows).cpu().unique()
    if unknown := int((~torch.isin(tested, labels)).sum()):
        raise BadInput(
            f"probe: {unknown} of the {len(tested)} classes of the test examples of {name} have no training example, so a "
            "classifier cannot learn them. nnlab retrieve shows the images with the nearest codes; recall_at_1 of model=triplet"
            " says how often the nearest one is of the same class"
        )
    if counts is None:
        counts = [*(count for count in USUAL if held <= count < n), None]
    sizes = sorted({n if count is None else count for count in counts})
    if sizes[0] < held:
        raise BadInput(f"--labels {sizes[0]}: {name} has {held} classes, and each needs at least one label")
    if sizes[-1] > n:
        raise BadInput(f"--labels {sizes[-1]}: there are only {n} training examples; all uses all of them")
    draws = {}
    for size in sizes:
        times = 1 if size == n else seeds
        draws[size] = [draw(labels, size, torch.Generator().manual_seed(seed)) for seed in range(times)]
    return Plan(draws, n, seeds)


def rivals(runs: list[LoadedRun]) -> dict[str, Encoder]:
    """The inputs themselves, and as many principal components as the widest code has coordinates.

    No components where the input is another image than the target, which the components are of.
    """
    from nnlab.model import code_width

    model, data = runs[0].model, runs[0].data
    spec = model.spec
    inputs = "pixels" if spec.input.kind == "image" else "columns"
    encoders: dict[str, Encoder] = {f"raw {inputs} ({spec.input.features:,})": lambda x: x.flatten(1)}
    if not spec.paired:
        pca = components(data, max(code_width(run.model) for run in runs))
        encoders[f"PCA ({pca.latent_dim})"] = pca.encode
    return encoders


def components(data: Data, width: int) -> PCA:
    """PCA of the training examples, without their labels, with at most as many components as there are inputs.

    For inputs wider than WIDEST it uses WIDEST evenly spaced examples.
    """
    import torch

    from nnlab.data.feed import BatchBuilder
    from nnlab.families.ae.pca import PCA

    split, device = data.train, data.train.device
    rows = split.rows if data.spec.features <= WIDEST else split.spread(WIDEST)
    pca = PCA(data.spec, latent_dim=min(width, data.spec.features, len(rows))).to(device)
    pca.init_from_data(split)
    pca.fit(BatchBuilder(split).sequential(torch.Generator(device).manual_seed(0), rows))
    return pca


def probed(data: Data, noise: Noise | None, encoders: dict[str, Encoder], plan: Plan) -> dict[str, dict[int, Result]]:
    """The accuracy on the test split of each encoder for each number of labels.

    noise  that makes the input of the target, where a model learns from another image
    """
    import torch

    from nnlab.data.feed import BatchBuilder
    from nnlab.metrics.probe import features, results_of

    wanted = plan.wanted
    train = features(encoders, BatchBuilder(data.train, noise), wanted)
    everything = torch.ones(len(data.test), dtype=torch.bool)
    test = features(encoders, BatchBuilder(data.test, noise), everything, seed=1)
    labels, truth = (split.labels(split.rows).cpu().numpy() for split in (data.train, data.test))
    place = (wanted.cumsum(0) - 1).numpy()  # of an example among those that are kept
    draws = {n: [place[each.numpy()] for each in drawn] for n, drawn in plan.draws.items()}
    kept = labels[wanted.numpy()]
    return {name: results_of(train.pop(name), kept, test.pop(name).values, truth, draws) for name in encoders}


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


def check_memory(data: Data, labelled: int) -> None:
    """Raise BadInput if the raw inputs of all that is classified, as float32 and scaled, do not fit."""
    import torch

    from nnlab.data.dataset import free_memory

    need = 3 * 4 * (labelled + len(data.test)) * data.spec.features  # as read, scaled, and one draw of them
    free = free_memory(torch.device("cpu"))
    if need > free:
        raise BadInput(
            f"--labels: {labelled:,} examples of {data.spec.features:,} inputs take {need / 2**30:.1f} GiB, "
            f"{free / 2**30:.1f} GiB are free; ask for fewer labels"
        )


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
    write_picture(probe_chart(found, data.spec.name), args, run, "probe")
