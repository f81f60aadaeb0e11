"""nnlab compare: what differs between runs, their figures side by side, and their pictures. Imports no torch."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime
from pathlib import Path

from nnlab.commands.arguments import make_parser
from nnlab.commands.curves import draw
from nnlab.errors import BadInput, explain, printable
from nnlab.plotting import gallery
from nnlab.runs.comparison import SIDE_BY_SIDE, Comparison
from nnlab.runs.find import as_typed, outputs, resolve
from nnlab.runs.folder import RunFolder
from nnlab.runs.search import begun
from nnlab.runs.sweep import ranked_by, worst_to_best, write_tables
from nnlab.runs.table import aligned

PICTURES = ("samples", "reconstruction", "reconstructions", "translation", "stages")  # the first that several runs have


def main(argv: list[str]) -> int:
    """Print a comparison of runs, and write it with its pictures into a folder. Returns the exit status."""
    args = arguments(argv)
    folders = list({folder.path.resolve(): folder for run in args.run for folder in runs_of(run)}.values())
    if len(folders) < 2:
        raise BadInput("compare: two runs at least, or a sweep; one run: nnlab show RUN")
    comparison = Comparison.of(folders, ranked_by(Path(args.run[0])) if len(args.run) == 1 else None)
    print(page(comparison))
    into = args.output or outputs() / "comparisons" / f"{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"
    try:
        into.mkdir(parents=True, exist_ok=True)
        write_tables(comparison.rows(), into / "compare.csv", into / "compare.md")
        said = [] if args.no_pictures else pictures(comparison, into)
    except OSError as error:
        raise BadInput(explain(error, into)) from error
    print("\n".join(["", *said, f"written: {printable(as_typed(into))}"]))
    return 0


def arguments(argv: list[str]) -> Namespace:
    """The parsed command line of the verb. Exits with a message if it is wrong."""
    parser = make_parser(
        "compare",
        "What differs in the configs of runs, their test figures side by side (* marks the best), one picture of their curves "
        "and one of their samples or reconstructions.",
        "compare last last~1",
        "compare outputs/sweeps/2026-01-31_12-00-00-000000 -o comparison",
        run=False,
    )
    parser.add_argument("run", nargs="+", metavar="RUN|SWEEP", help="folders of runs or of sweeps, ids, or 'last'")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="by default a new folder in outputs/comparisons")
    parser.add_argument("--no-pictures", action="store_true", help="only the tables")
    return parser.parse_args(argv)


def runs_of(run: str) -> list[RunFolder]:
    """The runs of a sweep or of a search that have begun, or the run itself. Raises BadInput if it is none of these."""
    found = begun(Path(run))
    return [resolve(run)] if found is None else found


def page(comparison: Comparison) -> str:
    """The tables as text: of a few runs a column each, of many a row each."""
    if len(comparison.runs) > SIDE_BY_SIDE:
        return aligned(comparison.rows())
    names = comparison.letters()
    runs = [(letter, printable(as_typed(folder.path))) for letter, folder in zip(names, comparison.folders, strict=True)]
    differs = [("what differs", *names), *((key, *cells) for key, cells in comparison.differs.items())]
    same = "the configs are the same" if len(differs) == 1 else ""
    figures = [("test", *names), *((name, *cells) for name, cells in comparison.marked().items())]
    return "\n\n".join([aligned(runs), same or aligned(differs), aligned(figures)])


def pictures(comparison: Comparison, into: Path) -> list[str]:
    """Draw the curves of the runs, and lay their samples or reconstructions side by side. Returns what to say of it.

    Of more runs than can be told apart the best are drawn, or the first if they cannot be ranked.
    """
    runs, said = comparison.runs, []
    if len(runs) > gallery.MOST:
        ranked = sorted(
            runs.items(), key=lambda run: worst_to_best(run[1].read_status(), run[1], comparison.ranking), reverse=True
        )
        runs = dict((ranked if comparison.ranked else list(runs.items()))[: gallery.MOST])
        which = "the best" if comparison.ranked else "the first"
        said.append(f"in the pictures are {which} {gallery.MOST} of {len(comparison.runs)} runs")
    try:
        draw(runs, into / "curves.png", "")
    except BadInput:  # closed forms have none
        said.append("no curves: no metric was recorded twice")
    held = {name: [folder.images / f"{name}.png" for folder in runs.values()] for name in PICTURES}
    name = next((name for name, paths in held.items() if sum(path.is_file() for path in paths) > 1), None)
    if name is None:
        return [*said, "no samples or reconstructions that two of the runs have"]
    gallery.side_by_side({title: folder.images for title, folder in runs.items()}, into, only=f"{name}.png")
    return said
