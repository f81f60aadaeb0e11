"""nnlab list: the names that can be chosen. Without torch and Hydra; only `--markdown` imports torch, to try the models."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnlab.commands.arguments import make_parser
from nnlab.config import search
from nnlab.errors import BadInput, shortened

if TYPE_CHECKING:
    from nnlab.data.spec import DataSpec

GROUPS = {
    "models": "model",
    "bodies": "model/body",
    "data": "data",
    "noise": "noise",
    "augmentation": "augmentation",
    "optimizers": "optimizer",
    "schedules": "optimizer/schedule",
    "trainers": "trainer",
    "recorders": "recorder",
    "experiments": "experiment",
}
IN_TABLES = (
    "models",
    "bodies",
    "data",
    "noise",
    "augmentation",
    "optimizers",
    "schedules",
    "recorders",
    "experiments",
)  # of --markdown, in order


def main(argv: list[str]) -> int:
    """Print the names, with one line about each. Returns the exit status. Raises BadInput if nothing matches."""
    parser = make_parser(
        "list",
        "The names for model=, data=, noise=, optimizer= and experiment=.",
        "list models",
        "list models '*vae'",
        "list vae",
        run=False,
    )
    parser.add_argument("words", nargs="*", metavar="WHAT | PATTERN", help=f"{', '.join(GROUPS)}, and names to keep: '*vae'")
    parser.add_argument("-cd", "--config-dir", help="a folder with your own configs, as for train")
    parser.add_argument(
        "--markdown", action="store_true", help="Markdown tables; the table of models says which data they take"
    )
    args = parser.parse_args(argv)
    if args.config_dir:
        search.check_folder(args.config_dir)
    what, pattern = split(args.words)
    some = False
    for name_of in [what] if what else IN_TABLES if args.markdown else GROUPS:
        group = GROUPS[name_of]
        found = search.matching(group, pattern, args.config_dir)
        if pattern and not found:
            continue
        if args.markdown:
            print(*([""] if some else []), *table(group, found, args.config_dir), sep="\n")
            some = True
            continue
        if not what:
            print(f"{name_of}: {group}=…")
        width = max(map(len, found), default=0)
        for name, path in found.items():
            about, _, _ = search.header(path)[1].partition(" Published: ")  # the published values are only in the file
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


# -- as Markdown --------------------------------------------------------------------------------------------------


def table(group: str, found: dict[str, Path], config_dir: str | None = None) -> Iterator[str]:
    """The lines of a group's table, under its heading. `none` is left out: it is the absence of a choice."""
    heads = {"model": ["family", "name", "what it is", *KINDS], "experiment": ["name", "what it is", "command"]}
    head = heads.get(group, ["name", "what it is"])
    rows = []
    for name, path in found.items():
        if name == "none":
            continue
        command, about = search.header(path)
        row = [f"`{name}`", first_sentence(about)]
        if group == "model":
            cls, taken = accepted(node_of(path, config_dir))
            row = [family(cls), *row, *("✓" if kind in taken else "" for kind in KINDS)]
        rows.append([*row, f"`{command}`"] if group == "experiment" else row)
    if group == "model":
        rows.sort(key=lambda row: row[0])  # within a family by name, as before
    yield from (f"### `{group}=`", "", line(head), line(":-:" if name in KINDS else "---" for name in head))
    yield from map(line, rows)


def line(cells: Any) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(re.sub(r"(?<!\\)\|", r"\|", cell) for cell in cells) + " |"


def first_sentence(text: str) -> str:
    """Without its full stop, as a cell of a table. After `et al.` no sentence begins: a year follows, and no capital."""
    return re.split(r"\.(?:\s+(?=[A-Z])|$)", text, maxsplit=1)[0]


KINDS = ("images", "tables", "bits")


def specs() -> dict[str, DataSpec]:
    """Small data of each kind, as a model sees them: gray images, rows of real numbers, images of 0 and 1.

    They are as large as MNIST and the digits: a convolution halves smaller ones to nothing, a code is wider than fewer columns.
    """
    from nnlab.data.spec import DataSpec

    classes = ("a", "b", "c")
    image = DataSpec("images", "image", (1, 28, 28), classes, range=(0.0, 255.0))
    return {
        "images": image,
        "tables": DataSpec("tables", "table", (64,), classes, low=-3.0, high=3.0, bounded=False),
        "bits": DataSpec("bits", "image", (1, 28, 28), classes, range=(0.0, 1.0)),
    }


def node_of(path: Path, config_dir: str | None = None) -> dict[str, Any]:
    """The keys of a model's YAML, after those of the model whose YAML it begins with, and its body, if it chooses one.

    Hydra would take a third of a second.
    """
    from omegaconf import OmegaConf

    node = OmegaConf.to_container(OmegaConf.load(path))
    for base in node.pop("defaults", []):
        if isinstance(base, str) and base != "_self_":
            node = {**node_of(search.options("model", config_dir)[base], config_dir), **node}
        elif isinstance(base, dict) and "body" in base:
            node["body"] = node_of(search.options("model/body", config_dir)[base["body"]], config_dir)
    return node


def accepted(node: dict[str, Any]) -> tuple[type, set[str]]:
    """The class of a model, and the kinds of data that it can be built for."""
    from nnlab.config.build import build, target
    from nnlab.model import Model

    cls, taken = target(node["_target_"], "model"), set()
    for kind, spec in specs().items():
        try:
            build({**node, **earlier(node, spec)}, Model, with_parts(spec, (*cls.needs, *cls.places)), place="model")
        except BadInput:
            continue
        taken.add(kind)
    return cls, taken


def with_parts(spec: DataSpec, names: tuple[str, ...]) -> DataSpec:
    """The data with these parts, each like the target if it is no text and no place; an input image has half of its sides."""
    from nnlab.data.spec import Part

    own = {
        "caption": Part("text", (4,), ("", "<unknown>", "red")),
        "box": Part("box", (4,)),
        "keypoints": Part("points", (2, 2)),
    }
    parts = {name: own.get(name, spec.target) for name in names}
    if "input" in parts and spec.kind == "image":
        channels, *sides = spec.shape
        parts["input"] = replace(spec.target, shape=(channels, *(side // 2 for side in sides)))
    return replace(spec, parts=parts)


def earlier(node: dict[str, Any], spec: DataSpec) -> dict[str, Any]:
    """For a model that builds on earlier runs: for each of them a run of a small model on the same data."""
    from nnlab.checkpoints.reference import RunReference

    run = {"run": "earlier", "checkpoint": "best", "fingerprint": "", "spec": spec.state(), "data": {}}
    reference = {"_target_": f"{RunReference.__module__}.{RunReference.__name__}", **run}
    small = {("encoder", "???"): "ae", ("content", "auto"): "fcnn", ("teacher", "???"): "fcnn"}
    return {
        key: {**reference, "model": node_of(search.options("model")[model])}
        for (key, value), model in small.items()
        if node.get(key) == value
    }


def family(cls: type) -> str:
    """The family of a model, from the docstring of its package; for a user's own model the name of its package."""
    package = cls.__module__.rpartition(".")[0]
    about = importlib.import_module(package).__doc__ if package else None
    return (about or cls.__module__).strip().partition(":")[0]
