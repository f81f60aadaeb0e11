"""The check of what the user typed: choices of groups and keys, by their names alone. Imports no torch.

Hydra stops at the first mistake and lets `+` add any key; here every mistake is found in one go, each with the nearest
legal name, before Hydra makes a folder.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, OverrideType
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nnlab.config.search import options
from nnlab.errors import BadInput

LIST_VERB = {
    "model": "models",
    "optimizer": "optimizers",
    "optimizer/schedule": "schedules",
    "trainer": "trainers",
    "experiment": "experiments",
}


class OwnConfigsFirst(SearchPathPlugin):
    """Puts the folder given by -cd before the shipped configs, so that a user's `model/vae.yaml` shadows ours."""

    folder: str | None = None

    def manipulate_search_path(self, search_path) -> None:
        if self.folder:
            search_path.prepend("nnlab-cd", f"file://{self.folder}")


@contextmanager
def hydra() -> Iterator[None]:
    """Hydra with the shipped configs, also within a job, which has a Hydra of its own."""
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("nnlab.configs", version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = outer


def prefer(config_dir: str | None) -> None:
    OwnConfigsFirst.folder = config_dir
    if OwnConfigsFirst not in Plugins.instance().discover(SearchPathPlugin):
        Plugins.instance().register(OwnConfigsFirst)


def nearest(name: str, legal: Iterable[str]) -> str:
    """A hint: the legal name that a misspelt one most resembles, or else all of them."""
    legal = list(legal)
    near = difflib.get_close_matches(name, legal, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"legal here: {', '.join(sorted(legal))}"


@dataclass
class Typed:
    """What the user typed, checked by name: `groups` and `values` hold what is legal, `problems` what is not."""

    groups: list[Override] = field(default_factory=list)
    values: list[Override] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def keys(self) -> set[str]:
        return {override.key_or_group for override in [*self.groups, *self.values]}

    def jobs(self) -> list[list[str]]:
        """Overrides whose compositions together hold every value typed: one list, or for a sweep one a value."""
        overrides = [(o, texts(o)) for o in [*self.groups, *self.values]]
        first = [each[0] for _, each in overrides if each]
        jobs = [first]
        for i, (_, each) in enumerate((o, t) for o, t in overrides if t):
            jobs += [[*first[:i], other, *first[i + 1 :]] for other in each[1:]]
        return jobs


def texts(override: Override) -> list[str]:
    """An override as Hydra reads it, one text for each value that it sweeps over (none for a glob)."""
    if not override.is_sweep_override():
        return [override.input_line]
    if isinstance(override.value(), Glob):
        return []
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


def check(overrides: list[str], config_dir: str | None = None) -> Typed:
    """Every misspelt choice and key of a command line, told at once."""
    typed, values = Typed(), []
    prefer(config_dir)
    with hydra():
        loader = GlobalHydra.instance().config_loader()
        parser = OverridesParser.create(config_loader=loader)
        refused = set()
        for line in overrides:
            try:
                override = parser.parse_override(line)
            except HydraException as error:
                if "=" in line:
                    typed.problems.append(f"{line}: {str(error).splitlines()[0]}; write lists as [1,2] and quote texts")
                else:
                    typed.problems.append(f"{line}: expected key=value, e.g. model=vae or optimizer.lr=3e-4")
                continue
            group = override.key_or_group
            if not group:
                typed.problems.append(f"{line}: expected key=value, e.g. model=vae or optimizer.lr=3e-4")
                continue
            choices = loader.get_group_options(group, ObjectType.CONFIG)
            if not choices:
                values.append(override)
                continue
            problem = check_choice(override, choices)
            if problem:
                typed.problems.append(problem)
                refused.add(group)
            else:
                typed.groups.append(override)
        config = compose_or_complain([line for o in typed.groups for line in texts(o)[:1]])
    for override in values:
        node = override.key_or_group.split(".")[0]
        if node == "hydra" or node in refused:
            typed.values += [override] if node == "hydra" else []
            continue
        problem = check_key(override, config)
        if problem:
            typed.problems.append(problem)
        else:
            typed.values.append(override)
    if {"trainer.epochs", "trainer.steps"} <= typed.keys():
        typed.problems.append("trainer.epochs, trainer.steps: two lengths of one run; give one of them")
    return typed


def check_choice(override: Override, choices: list[str]) -> str | None:
    group, kind = override.key_or_group, override.type
    if kind == OverrideType.DEL:
        return f"{override.input_line}: a group cannot be removed" + (f"; write {group}=none" if "none" in choices else "")
    wanted = [] if isinstance(override.value(), Glob) else [line.partition("=")[2] for line in texts(override)]
    unknown = [name for name in wanted if name not in choices]
    if unknown:
        verb = LIST_VERB.get(group, group)
        return "\n".join(f"{group}={n}: no such {group}; {nearest(n, choices)} (nnlab list {verb})" for n in unknown)
    if kind != OverrideType.CHANGE:
        return f"{override.input_line}: write {group}={wanted[0]}, without the leading sign"
    return None


def check_key(override: Override, config: DictConfig) -> str | None:
    key = override.key_or_group
    if override.type == OverrideType.DEL:
        return f"{override.input_line}: a key cannot be removed; write {key}=none where it may be absent"
    node, place = config, []
    for part in key.split("."):
        legal = [str(name) for name in node if name != "_target_"] if isinstance(node, DictConfig) else []
        if not legal:
            return f"{key}: '{'.'.join(place)}' holds no keys"
        if part not in list(node):  # `in node` itself is false of a value that is still ???
            return f"{key}: unknown key; {nearest(part, legal)}"
        place.append(part)
        node = node._get_node(part)
    if isinstance(node, DictConfig):
        group = key.replace(".", "/")
        choose = f"choose with {group}=NAME or " if options(group, OwnConfigsFirst.folder) else ""
        kind = "a group" if choose else "not a single value"
        return f"{override.input_line}: '{key}' is {kind}; {choose}set {key}.KEY"
    return None


def compose_or_complain(overrides: list[str]) -> DictConfig:
    """Hydra's composition, its exceptions as BadInput. Must run inside an initialized Hydra."""
    try:
        return compose("train", overrides=overrides)
    except HydraException as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        raise BadInput(f"{error}{cause}".replace("\n", " ")) from error


def composed(overrides: list[str], config_dir: str | None = None) -> DictConfig:
    """The config that Hydra makes of overrides whose names are right."""
    prefer(config_dir)
    with hydra():
        return compose_or_complain([line for line in overrides if not line.lstrip("+~").startswith("hydra")])


def plain(config: DictConfig) -> dict:
    """A run's config as plain Python: interpolations resolved, mandatory values that are missing left as '???'.

    Without Hydra's own node, and without `experiment`, whose recipe has had its effect on the others.
    """
    try:
        chosen = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)
    except OmegaConfBaseException as error:
        raise BadInput(f"{error.full_key or 'config'}: {str(error).splitlines()[0]}") from error
    return {key: value for key, value in chosen.items() if key not in ("hydra", "experiment")}
