"""nnlab explain: what a metric means. Imports no torch."""

from __future__ import annotations

import textwrap

from nnlab.commands.arguments import make_parser
from nnlab.config import renamed
from nnlab.config.glossary import Meaning, glossary
from nnlab.errors import BadInput, near, shortened

WIDTH = 100  # of a page


def main(argv: list[str]) -> int:
    """Print the meaning of metrics, by default of all. Returns the exit status. Raises BadInput for unknown names."""
    parser = make_parser(
        "explain",
        "What a metric means, its unit, and whether higher or lower is better. Without a name: all metrics.",
        "explain hole_psnr",
        "explain test/kl",
        "explain",
        run=False,
    )
    parser.add_argument("figure", nargs="*", metavar="FIGURE", help="as metrics.jsonl names it, with or without its split")
    args = parser.parse_args(argv)

    known = glossary()
    names = [figure.rpartition("/")[2] for figure in args.figure]
    problems = [f"{shortened(name)}: no figure has this name; {hint(name, list(known))}" for name in names if name not in known]
    for name in names or known:
        if name in known:
            print(page(name, known[name]))
    if problems:
        raise BadInput(*problems)
    return 0


def hint(name: str, known: list[str]) -> str:
    """What an unknown figure is called now, or which known one may be meant."""
    if renamed.metric(name) != name:
        return f"it is called {renamed.metric(name)} now"
    meant = near(name, known)
    return f"did you mean '{meant}'?" if meant else "nnlab explain lists all there are"


def page(name: str, meanings: list[Meaning]) -> str:
    """A figure's name, and below it each meaning under the place where it is made; one place says it once."""
    lines = [name]
    for meaning in dict.fromkeys(meanings):
        where = f"  [{meaning.place}] "
        lines += textwrap.wrap(meaning.text, WIDTH, initial_indent=where, subsequent_indent="    ")
    return "\n".join(lines)
