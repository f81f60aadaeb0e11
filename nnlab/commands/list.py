"""nnlab list: what can be chosen. Imports neither torch nor Hydra."""

from __future__ import annotations

from nnlab.commands.arguments import make_parser
from nnlab.config import search
from nnlab.errors import BadInput, shortened

GROUPS = {
    "models": "model",
    "data": "data",
    "noise": "noise",
    "augmentation": "augmentation",
    "optimizers": "optimizer",
    "schedules": "optimizer/schedule",
    "trainers": "trainer",
    "experiments": "experiment",
}


def main(argv: list[str]) -> int:
    """Print what can be chosen, each with a line about it. Returns the exit status. Raises BadInput if nothing matches."""
    parser = make_parser(
        "list",
        "What model=, data=, noise=, optimizer= and experiment= may be.",
        "list models",
        "list models '*vae'",
        "list vae",
        run=False,
    )
    parser.add_argument("words", nargs="*", metavar="WHAT | PATTERN", help=f"{', '.join(GROUPS)}, and names to keep: '*vae'")
    parser.add_argument("-cd", "--config-dir", help="a folder with your own configs, as for train")
    args = parser.parse_args(argv)
    if args.config_dir:
        search.check_folder(args.config_dir)
    what, pattern = split(args.words)
    some = False
    for name_of in [what] if what else GROUPS:
        group = GROUPS[name_of]
        found = search.matching(group, pattern, args.config_dir)
        if pattern and not found:
            continue
        if not what:
            print(f"{name_of}: {group}=…")
        width = max(map(len, found), default=0)
        for name, path in found.items():
            about, _, _ = search.header(path)[1].partition(" Published: ")  # figures are for whoever opens the file
            print(f"  {name:<{width}}  {about}")
        some = some or bool(found)
    if not some:
        raise BadInput(f"list: nothing matches {shortened(' '.join(args.words))}; nnlab list shows all there is")
    return 0


def split(words: list[str]) -> tuple[str | None, list[str]]:
    """The group that the first word names, in the singular too, and the patterns; no group if it names none."""
    known = {**{name: name for name in GROUPS}, **{name.removesuffix("s"): name for name in GROUPS}}
    if words and words[0] in known:
        return known[words[0]], words[1:]
    return None, words
