"""nnlab report: runs as one HTML page to hand in. Imports no torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from nnlab.commands.arguments import check_place, make_parser
from nnlab.errors import BadInput, explain, printable, shortened
from nnlab.runs.command import command_of
from nnlab.runs.files import beginning, write_whole
from nnlab.runs.find import as_typed, resolve
from nnlab.runs.folder import RunFolder
from nnlab.runs.search import begun, is_search
from nnlab.runs.sweep import REPORT, by_what_differs, planned

ENDINGS = (".html", ".htm")
LANGUAGES = ("en", "ru")
BEGINNING = 2000  # bytes of a file that say whether it is a report


@dataclass(frozen=True)
class Chosen:
    """What RUN|SWEEP named.

    commands  of the sweeps and the searches
    waiting   jobs of the sweeps that have not begun, each as it was typed
    """

    folders: list[RunFolder]
    commands: list[str]
    waiting: list[str]


def main(argv: list[str]) -> int:
    """Write the report of runs and sweeps. Returns the exit status."""
    parser = make_parser(
        "report",
        "One HTML page to hand in: figures, learning curves that can be read off with the mouse, pictures, configs, and how to "
        "reproduce it. Of several runs or a sweep, side by side. The page needs no network and no other file.",
        "report last",
        "report last last~1 -o report.html --lang ru",
        "report outputs/sweeps/2026-11-30_12-00-00-000000 --title 'Lab 3: beta-VAE'",
        run=False,
    )
    parser.add_argument("run", nargs="+", metavar="RUN|SWEEP", help="run folders, 'last', or folders of sweeps")
    parser.add_argument(
        "-o", "--output", type=page_file, metavar="FILE.html", help="by default report.html of a single run or sweep"
    )
    parser.add_argument("--lang", choices=LANGUAGES, default="en", help="language of the page's own words; by default en")
    parser.add_argument("--title", metavar="TEXT", default="", help="by default the model and the data")
    args = parser.parse_args(argv)

    if len(args.run) > 1 and args.output is None:
        raise BadInput("report: for several runs or sweeps give a file for the page: -o report.html")
    chosen = choose(args.run)
    path = args.output or own_place(args.run[0], chosen)
    refuse_foreign(path)

    from nnlab.reporting.facts import read
    from nnlab.reporting.page import page
    from nnlab.reporting.words import Words

    runs = [read(name, folder) for name, folder in by_what_differs(chosen.folders).items()]
    content = page(runs, Words(args.lang), args.title, chosen.commands, chosen.waiting)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise BadInput(explain(error, path)) from error
    print(as_typed(path))
    return 0


def choose(words: list[str]) -> Chosen:
    """The runs of the words, each once. Raises BadInput if a word is neither a run nor a sweep, or a sweep has not begun."""
    chosen = Chosen([], [], [])
    for word in words:
        found = begun(Path(word))
        if found is None:
            folder = resolve(word)
            if not folder.config.is_file():
                raise BadInput(f"{printable(word)}: neither a run (it has no config.yaml) nor a sweep; nnlab runs lists them")
            chosen.folders.append(folder)
            continue
        chosen.folders.extend(found)
        names = {folder.path.name for folder in found}
        chosen.waiting.extend(" ".join(job) for i, job in enumerate(planned(Path(word)) or ()) if str(i) not in names)
        if command := command_of(Path(word)):
            chosen.commands.append(command)
    once = {folder.path.resolve(): folder for folder in chosen.folders}
    return Chosen(list(once.values()), chosen.commands, chosen.waiting)


def own_place(word: str, chosen: Chosen) -> Path:
    """Where the report of a single run or sweep lies."""
    folder = Path(word) if planned(Path(word)) is not None or is_search(Path(word)) else chosen.folders[0].path
    return check_place(folder / REPORT)


def page_file(text: str) -> Path:
    """The type of an option with the name of a page."""
    path = Path(text)
    if path.suffix.lower() not in ENDINGS:
        raise BadInput(f"-o {shortened(text)}: a report is an HTML page; end the name in .html")
    return check_place(path)


def refuse_foreign(path: Path) -> None:
    """Raise BadInput if there is a file that is not a report of nnlab's: it may be someone's own page."""
    from nnlab.reporting.page import MARK

    if not os.path.lexists(path):
        return
    try:
        own = f'content="{MARK}"'.encode() in beginning(path, BEGINNING)
    except OSError as error:
        raise BadInput(explain(error, path)) from error
    if not own:
        raise BadInput(f"{printable(path)}: exists and is no report of nnlab's; give -o another name, or remove it first")
