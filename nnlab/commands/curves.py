"""nnlab curves: the learning curves of runs in one picture. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from nnlab.commands.arguments import make_parser, picture_file
from nnlab.errors import BadInput, explain
from nnlab.runs.find import as_typed, resolve
from nnlab.runs.folder import RunFolder
from nnlab.runs.sweep import by_what_differs


def main(argv: list[str]) -> int:
    """Draw the learning curves of one or several runs. Returns the exit status."""
    parser = make_parser(
        "curves",
        "The learning curves of a run, or of several runs in one picture.",
        "curves last",
        "curves outputs/vae/digits/* -o curves.png",
        run=False,
    )
    parser.add_argument("run", nargs="+", metavar="RUN", help="run folders, or 'last'")
    parser.add_argument(
        "-o", "--output", type=picture_file, metavar="FILE.png", help="by default images/curves.png of a single run"
    )
    parser.add_argument("--no-title", action="store_true", help="without the title above the picture")
    args = parser.parse_args(argv)

    folders = [resolve(run) for run in args.run]
    if len(folders) > 1 and args.output is None:
        raise BadInput("curves: for several runs give a file for the picture: -o curves.png")
    path = args.output or folders[0].images / "curves.png"
    draw(by_what_differs(folders), path, "" if args.no_title else " and ".join(dict.fromkeys(f.title() for f in folders)))
    print(as_typed(path))
    return 0


def draw(runs: dict[str, RunFolder], path: Path, title: str) -> None:
    """Raises BadInput where there is nothing to draw, or no writing to the file."""
    from nnlab.plotting.curves import curves
    from nnlab.plotting.picture import save

    picture = curves({name: (folder.read_metrics(), folder.read_status()) for name, folder in runs.items()}, title)
    if picture is None:
        named = ", ".join(str(folder.path) for folder in runs.values())
        raise BadInput(f"curves: {named}: no metric was recorded twice, so there is no curve")
    try:
        save(picture, path)
    except OSError as error:
        raise BadInput(explain(error, path)) from error
