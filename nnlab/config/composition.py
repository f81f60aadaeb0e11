"""The config of a run, as Hydra composes it of the shipped files and the user's. Imports no torch."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from nnlab.config.search import options
from nnlab.config.sentences import UNREADABLE, sentence
from nnlab.errors import BadInput, nearest, shortened

COMPOSABLE = ("affine", "crop", "colour", "blur", "cutout")  # the augmentations that a list may name


class OwnConfigsFirst(SearchPathPlugin):
    """Puts the folder given by -cd before the shipped configs, so that a user's `model/vae.yaml` shadows ours."""

    folder: str | None = None

    def manipulate_search_path(self, search_path) -> None:
        """Put the user's folder, if there is one, at the front of Hydra's search path."""
        if self.folder:
            search_path.prepend("nnlab-cd", f"file://{self.folder}")


@contextmanager
def hydra(job: str = "app") -> Iterator[None]:
    """Hydra with the shipped configs, also within a job, which has a Hydra of its own; `job` is what the job is called."""
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("nnlab.configs", job_name=job, version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = outer


def register_config_dir(config_dir: str | None) -> None:
    """Tell Hydra of a user's folder of configs, which comes before the shipped ones; None forgets it."""
    OwnConfigsFirst.folder = config_dir
    if OwnConfigsFirst not in Plugins.instance().discover(SearchPathPlugin):
        Plugins.instance().register(OwnConfigsFirst)


def compose_or_complain(overrides: list[str], whole: bool = False) -> DictConfig:
    """Hydra's composition, of the `whole` with its own node, its exceptions as BadInput. Runs inside `hydra()`."""
    try:
        if OwnConfigsFirst.folder or any("hydra" in line for line in overrides):  # files that may change
            return compose("train", overrides=overrides, return_hydra_config=whole)
        return composed_once(overrides, whole)
    except UNREADABLE as error:
        place, text = own_file(overrides) or "config", sentence(error)
        raise BadInput(text if text.startswith(str(place)) else f"{place}: {text}") from error


def composed_once(overrides: list[str], whole: bool) -> DictConfig:
    """What Hydra composes of the shipped files: the choices, which take it a quarter of a second, once per process.

    Values come after the choices, as in Hydra, and change none of them.
    """
    lines = [parsed(line) for line in overrides]
    choices = [line.input_line for line in lines if options(line.key_or_group)]
    config = copy.deepcopy(of_shipped(tuple(choices), whole))
    try:
        for line in lines:
            if line.input_line not in choices:
                OmegaConf.update(config, line.key_or_group, line.value(), merge=True)
    except OmegaConfBaseException:
        return compose("train", overrides=overrides, return_hydra_config=whole)  # whose sentence names the line
    return config


@lru_cache(maxsize=4096)
def parsed(line: str) -> Override:
    """An override as Hydra's grammar reads it, which takes a millisecond; a command line is read several times."""
    return OverridesParser.create().parse_overrides([line])[0]


@lru_cache(maxsize=256)
def of_shipped(choices: tuple[str, ...], whole: bool) -> DictConfig:
    """The config of these choices of groups, to be copied and not to be changed."""
    if whole:
        return compose("train", overrides=list(choices), return_hydra_config=True)
    config = copy.deepcopy(of_shipped(choices, True))
    with open_dict(config):
        del config["hydra"]
    return config


def run_config(overrides: list[str]) -> DictConfig:
    """The config of one run of the shipped files, with Hydra's own node as `Hydra.run` would compose it."""
    config = compose_or_complain(overrides, whole=True)
    node = config.hydra
    form = node.job.config.override_dirname
    typed = [line for line in overrides if line.partition("=")[0] not in form.exclude_keys]
    with open_dict(node):
        node.mode = RunMode.RUN
        node.overrides.task = overrides
        node.job.override_dirname = form.item_sep.join(sorted(typed)).replace("=", form.kv_sep)
        node.job.name = "train"
        node.runtime.cwd = str(Path.cwd())
    return config


def expanded(overrides: list[str]) -> list[str]:
    """`augmentation=[crop,colour]` as the choices of Hydra that it stands for: compose, and each of them at its place.

    Raises BadInput for a list that cannot be composed.
    """
    found = []
    for line in overrides:
        group, _, chosen = line.partition("=")
        if group != "augmentation" or not (chosen.startswith("[") and chosen.endswith("]")):
            found.append(line)
            continue
        names = [name.strip() for name in chosen[1:-1].split(",")]
        if "]" in chosen[1:-1]:
            raise BadInput(f"{shortened(line)}: a sweep over lists is not possible; start a run for each")
        if names == [""]:
            raise BadInput(f"{shortened(line)}: composes nothing; give some of {', '.join(COMPOSABLE)}, or leave it out")
        for i, name in enumerate(names):
            if name == "simclr":
                raise BadInput(
                    f"{shortened(line)}: {name} is a list itself; give augmentation={name}, and add another to it by "
                    "+augmentation@augmentation.blur=blur"
                )
            if name not in COMPOSABLE:
                raise BadInput(f"{shortened(line)}: no such augmentation to compose: '{name}'; {nearest(name, COMPOSABLE)}")
            if name in names[:i]:
                raise BadInput(f"{shortened(line)}: {name} comes twice; give it once")
        found += [f"{group}=compose", *(f"+{group}@{group}.{name}={name}" for name in names)]
    return found


def own_file(overrides: list[str]) -> Path | None:
    """The first of the user's own configs that is chosen."""
    for line in overrides:
        group, _, name = line.lstrip("+~").partition("=")
        file = Path(OwnConfigsFirst.folder or "", group, f"{name}.yaml")
        if OwnConfigsFirst.folder and file.is_file():
            return file
    return None


def compose_config(overrides: list[str], config_dir: str | None = None) -> DictConfig:
    """The config that Hydra makes of overrides whose names are right."""
    register_config_dir(config_dir)
    with hydra():
        return compose_or_complain([line for line in expanded(overrides) if not line.lstrip("+~").startswith("hydra")])


def to_dict(config: DictConfig) -> dict:
    """A run's config as plain Python: interpolations resolved, mandatory values that are missing left as '???'.

    Without Hydra's own node, and without `experiment`, whose recipe has had its effect on the others.
    """
    try:
        chosen = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)
    except OmegaConfBaseException as error:
        raise BadInput(f"{error.full_key or 'config'}: {sentence(error)}") from error
    return {key: with_text_keys(value) for key, value in chosen.items() if key not in ("hydra", "experiment")}


def with_text_keys(value: Any) -> Any:
    """The same plain value; keys that YAML reads as numbers, such as those of classes, are texts."""
    if isinstance(value, dict):
        return {str(key): with_text_keys(each) for key, each in value.items()}
    return [with_text_keys(each) for each in value] if isinstance(value, list) else value
