"""The comments of the YAML files next to the values of a composed config. No torch."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from nnlab.config import composition, search

KEY = re.compile(r"( *)([\w./@-]+):(?=\s|$)")
QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
COMMENT = re.compile(r"\s#")


@dataclass
class Reasons:
    """The comments and files of a command line.

    beside  the comment next to each key, by its place: trainer.batch_size
    chosen  the file behind each group that was chosen from: model → …/model/vae.yaml
    """

    beside: dict[str, str] = field(default_factory=dict)
    chosen: dict[str, Path] = field(default_factory=dict)


def reasons(overrides: list[str], config_dir: str | None = None) -> Reasons:
    """The comments of all files of a valid command line; if two files have a key, the later one counts."""
    composition.register_config_dir(config_dir)
    gathered = Reasons()
    with composition.hydra():
        loader = GlobalHydra.instance().hydra.config_loader
        results = loader.compute_defaults_list("train", overrides, RunMode.RUN).defaults
    for result in results:
        path = file_of(result.config_path, config_dir)
        if path is None or result.config_path.startswith("hydra/"):
            continue
        group, _, name = result.config_path.rpartition("/")
        if group and group == result.package and name != "none":
            gathered.chosen[group] = path
        prefix = f"{result.package}." if result.package else ""
        beside = comments(path.read_text(encoding="utf-8"))
        gathered.beside |= {prefix + key: text for key, text in beside.items() if text}
    return gathered


def file_of(name: str, config_dir: str | None) -> Path | None:
    """The YAML file of a config such as `model/vae`, a user's own before the shipped one; None if there is none."""
    paths = [folder / f"{name}.yaml" for folder in search.folders(config_dir)]
    return next((path for path in paths if path.is_file()), None)


def comments(yaml: str) -> dict[str, str]:
    """Each key of a YAML file by its place, with its comment, which may be empty or go on in the lines below."""
    by_place: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    place, column = "", 0
    for line in yaml.splitlines():
        text = line.lstrip()
        if text.startswith("#"):
            if place and len(line) - len(text) == column > 0:
                by_place[place] += f" {text.lstrip('# ')}"
            continue
        match = KEY.match(line)
        if not match:
            place = ""
            continue
        depth, key = len(match[1]), match[2]
        comment = COMMENT.search(QUOTED.sub(lambda quoted: "x" * len(quoted[0]), line))
        above = [(d, name) for d, name in above if d < depth]
        place, column = ".".join([*(name for _, name in above), key]), comment.end() - 1 if comment else 0
        by_place[place] = line[comment.end() :].strip() if comment else ""
        above.append((depth, key))
    return by_place
