"""The page of nnlab train --help: the choices, and each value with its reason. No torch."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping

from nnlab.config import composition, names, search
from nnlab.config.reasons import Reasons, reasons
from nnlab.errors import printable

HEAD = """nnlab train: train a model and leave a run folder.

Examples
  nnlab train model=vae data=fashion_mnist
  nnlab train model=conv_ae data=mnist noise=gaussian noise.std=0.3 trainer.epochs=10
  nnlab train model=vae data=digits model.latent_dim=2,4,8 -m
  nnlab train model=rbm --help          the values of that model, and of how it learns
"""
FOOT = """nnlab list                  what each choice is
nnlab train … --cfg job     the whole config as YAML
nnlab train -cd FOLDER …    with your own configs
nnlab train --from RUN …    the config of an earlier run, but for the words that follow
nnlab train --hydra-help    Hydra's own options"""
GROUPS = (
    "model",
    "model/body",
    "data",
    "noise",
    "augmentation",
    "optimizer",
    "optimizer/schedule",
    "trainer",
    "recorder",
    "experiment",
)
WIDEST, REASON_AT = 120, 34  # characters of a line, and where the reasons begin


def page(overrides: list[str], config_dir: str | None = None) -> str:
    """The page for a command line whose names are right."""
    typed = [line for line in overrides if not line.lstrip("+~").startswith("hydra")]
    config, why = composition.to_dict(composition.compose_config(typed, config_dir)), reasons(typed, config_dir)
    width = min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST)
    lines = [HEAD, "Choices"]
    for group in GROUPS:
        lines += wrapped(f"  {group}=", ", ".join(search.options(group, config_dir)), width, 22)
    lines += ["", "Values"]
    alone = {key: value for key, value in config.items() if not isinstance(value, Mapping)}
    lines += values(alone, "", why, width)
    for group, node in config.items():
        if isinstance(node, Mapping):
            lines += ["", *heading(group, why, width), *values(node, f"{group}.", why, width)]
    return printable_lines([*lines, "", FOOT])


def heading(group: str, why: Reasons, width: int) -> list[str]:
    """The choice behind a node, and what its file says it is."""
    path = why.chosen.get(group)
    if path is None:
        return [f"{group}=none"]
    about = search.header(path)[1].partition(" Published: ")[0]
    return textwrap.wrap(f"{group}={path.stem}: {about}", width, subsequent_indent="  ")


def values(node: Mapping, place: str, why: Reasons, width: int) -> Iterator[str]:
    """The lines of all keys below a node: each with its value and, where the YAML has one, its reason."""
    for key, value in node.items():
        if key in names.HIDDEN:
            continue
        if isinstance(value, Mapping):
            yield from values(value, f"{place}{key}.", why, width)
        else:
            yield from wrapped(f"  {place}{key}={as_typed(value)}", why.beside.get(place + key, ""), width, REASON_AT)


def as_typed(value: object) -> str:
    """A value as the user types it."""
    if value is None or value == "???":
        return "none" if value is None else "…"
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{','.join(map(as_typed, value))}]" if isinstance(value, list) else f"{value}"


def wrapped(begin: str, text: str, width: int, at: int) -> list[str]:
    """A start, then a text whose lines all start in column `at`."""
    first = begin.ljust(at) if len(begin) < at else f"{begin}  "
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=" " * at) or [begin]


def printable_lines(lines: list[str]) -> str:
    """Lines as one text, with control characters escaped."""
    return "\n".join(printable(line) for line in "\n".join(lines).split("\n"))
