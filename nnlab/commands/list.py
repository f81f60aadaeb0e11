"""nnlab list: what can be chosen. Imports neither torch nor Hydra."""

from __future__ import annotations

from nnlab.commands.arguments import parser
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
    made = parser(
        "list",
        "What model=, data=, noise=, optimizer= and experiment= may be.",
        "list models",
        "list models '*vae'",
        run=False,
    )
    made.add_argument("what", nargs="?", choices=list(GROUPS), metavar="WHAT", help=", ".join(GROUPS) + "; by default all")
    made.add_argument("pattern", nargs="*", help="names to keep, e.g. '*vae'")
    made.add_argument("-cd", "--config-dir", help="a folder with your own configs, as for train")
    asked = made.parse_args(argv)
    if asked.config_dir:
        search.check_folder(asked.config_dir)
    some = False
    for what in [asked.what] if asked.what else GROUPS:
        group = GROUPS[what]
        found = search.matching(group, asked.pattern, asked.config_dir)
        if asked.pattern and not found:
            continue
        if not asked.what:
            print(f"{what}: {group}=…")
        width = max(map(len, found), default=0)
        for name, path in found.items():
            about, _, _ = search.header(path)[1].partition(" Published: ")  # figures are for whoever opens the file
            print(f"  {name:<{width}}  {about}")
        some = some or bool(found)
    if not some:
        raise BadInput(f"list: nothing matches {shortened(' '.join(asked.pattern))}; nnlab list shows all there is")
    return 0
