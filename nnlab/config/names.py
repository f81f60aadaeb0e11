"""The check of what the user typed: choices of groups and keys, by their names alone. Imports no torch.

Hydra stops at the first mistake and lets `+` add any key; here every mistake is found in one go, each with the nearest
legal name, before Hydra makes a folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from hydra import compose
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override, OverrideType
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, MissingMandatoryValue, OmegaConfBaseException

from nnlab.config import renamed
from nnlab.config.build import plugins
from nnlab.config.composition import OwnConfigsFirst, compose_or_complain, hydra, register_config_dir
from nnlab.config.search import options
from nnlab.config.sentences import UNREADABLE, sentence
from nnlab.errors import LIKELY, BadInput, near, nearest, shortened

LIST_VERB = {
    "model": "models",
    "model/body": "bodies",
    "optimizer": "optimizers",
    "optimizer/schedule": "schedules",
    "trainer": "trainers",
    "recorder": "recorders",
    "experiment": "experiments",
}


MOST_VALUES = 1000  # of one key in a sweep
HIDDEN = ("_target_", "hydra")  # keys of a config that are not shown to choose from


@dataclass
class CommandLine:
    """What the user typed, checked by name: what is legal, the `problems` of what is not, and the keys that were `refused`."""

    groups: list[Override] = field(default_factory=list)
    values: list[Override] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def keys(self) -> set[str]:
        """The keys and groups that are legal and were typed."""
        return {override.key_or_group for override in [*self.groups, *self.values]}

    def refuse(self) -> None:
        """Raise BadInput if there are problems."""
        if self.problems:
            raise BadInput(*self.problems)

    def jobs(self) -> list[list[str]]:
        """Overrides whose compositions together hold every value typed: one list, or for a sweep one a value."""
        return varied([*self.groups, *self.values])


def varied(overrides: list[Override]) -> list[list[str]]:
    """The first value of each override, and then each other value once beside the first ones of the others."""
    each = [texts(override) for override in overrides]
    first = [values[0] for values in each]
    return [first, *([*first[:i], other, *first[i + 1 :]] for i, values in enumerate(each) for other in values[1:])]


def texts(override: Override) -> list[str]:
    """An override as Hydra reads it, one text for each value that it sweeps over."""
    if not override.is_sweep_override():
        return [override.input_line]
    found = islice(override.sweep_string_iterator(), MOST_VALUES + 1)
    return [f"{override.get_key_element()}={value}" for value in found]


def check(overrides: list[str], config_dir: str | None = None, sweep: bool = False) -> CommandLine:
    """Every misspelt choice and key of a command line, told at once; several values of one key are legal in a sweep alone."""
    typed, values = CommandLine(), []
    register_config_dir(config_dir)
    with hydra():
        loader = GlobalHydra.instance().config_loader()
        parser = OverridesParser.create(config_loader=loader)
        for line in overrides:
            try:
                override = parsed(line, parser)
                choices = group_choices(override.key_or_group, loader)
                check_values(override, bool(choices), sweep)
                if choices:
                    check_choice(override, choices)
                    refuse_twice(override, typed.groups)
            except BadInput as error:
                typed.problems += error.problems
                typed.refused.add(line.lstrip("+~").partition("=")[0])
                continue
            (typed.groups if choices else values).append(override)
        settings = varied(typed.groups)
        configs = {tuple(setting): compose_or_complain(setting, whole=True) for setting in settings}
        for override in values:
            node = override.key_or_group.partition(".")[0]
            if node in typed.refused:
                continue
            problems = check_hydra(override, settings[0]) if node == "hydra" else check_everywhere(override, configs)
            typed.problems += problems
            typed.values += [] if problems else [override]
    if {"trainer.epochs", "trainer.steps"} <= typed.keys():
        typed.problems.append("trainer.epochs, trainer.steps: two lengths of one run; give one of them")
    return typed


def group_choices(group: str, loader: ConfigLoader) -> list[str]:
    """The choices of a group; none where the key is no group. Hydra is slow, so it is asked about its own groups alone."""
    if group.startswith("hydra"):
        return loader.get_group_options(group, ObjectType.CONFIG)
    return list(options(group, OwnConfigsFirst.folder)) if all(map(str.isidentifier, group.split("/"))) else []


def parsed(line: str, parser: OverridesParser) -> Override:
    """Raises BadInput if that is no KEY=VALUE."""
    key, equals, value = line.partition("=")
    if not equals and not line.startswith("~"):
        raise BadInput(f"{shortened(line)}: expected key=value, e.g. model=vae or optimizer.lr=3e-4")
    try:
        override = parser.parse_override(line)
        override.config_loader = parser.config_loader  # where glob(*) looks
    except UNREADABLE as error:
        if "integer string conversion" in str(error):
            raise BadInput(f"{shortened(key)}: {sentence(error)}") from error
        quoted = shortened(f"'{key}=\"{value}\"'")
        raise BadInput(f"{shortened(line)}: not readable; write lists as [1,2], and a text in quotes: {quoted}") from error
    if not override.key_or_group:
        raise BadInput(f"{shortened(line)}: expected key=value, e.g. model=vae or optimizer.lr=3e-4")
    return override


def refuse_twice(override: Override, before: list[Override]) -> None:
    """Two choices for one place are two experiments; of two values of one key the last stands, as scripts expect."""
    for other in before:
        if (other.key_or_group, other.package) == (override.key_or_group, override.package):
            lines = f"{shortened(other.input_line)}, {shortened(override.input_line)}"
            raise BadInput(f"{override.key_or_group}: given twice ({lines}); give one of them")


def check_values(override: Override, group: bool, sweep: bool) -> None:
    """Raise BadInput if an override has several values where it may have one, or none, or no end of them."""
    line, value = shortened(override.input_line), override.value()
    if not override.is_sweep_override():
        return
    if not sweep:
        raise BadInput(f"{line}: several values make a sweep; add -m. A text with a comma is quoted: '\"a,b\"'")
    if isinstance(value, IntervalSweep) or (isinstance(value, Glob) and not group):
        raise BadInput(f"{line}: names no values to try; list them, as in {override.key_or_group}=1,2,3")
    found = texts(override)
    if not found:
        raise BadInput(f"{line}: matches nothing, so there would be no job; nnlab list shows what there is")
    if len(found) > MOST_VALUES:
        raise BadInput(f"{line}: more than {MOST_VALUES:,} values")


def check_hydra(override: Override, groups: list[str]) -> list[str]:
    """Problems of one of Hydra's own keys, which Hydra alone knows."""
    try:
        compose("train", overrides=[*groups, texts(override)[0]], return_hydra_config=True)
    except UNREADABLE:
        line = shortened(override.input_line)
        return [f"{line}: Hydra has no such key, or takes no such value; nnlab train --cfg hydra shows its keys"]
    return []


def check_everywhere(override: Override, configs: dict[tuple[str, ...], DictConfig]) -> list[str]:
    """Problems of a key in each of the settings of a sweep, with what the setting is where not all have the same."""
    found = {setting: check_key(override, config) for setting, config in configs.items()}
    if len(set(found.values())) == 1:
        return [problem for problem in {*found.values()} if problem]
    common = set.intersection(*map(set, found))
    return [f"with {' '.join(w for w in setting if w not in common)}: {p}" for setting, p in found.items() if p]


def check_choice(override: Override, choices: list[str]) -> None:
    """Raise BadInput if there is no such choice of a group."""
    group, kind = override.key_or_group, override.type
    place = f"{group}@{override.package}" if override.package else group
    if kind == OverrideType.DEL:
        instead = f"; write {group}=none" if "none" in choices else ""
        raise BadInput(f"{override.input_line}: a group cannot be removed{instead}")
    wanted = [line.partition("=")[2] for line in texts(override)]
    verb = LIST_VERB.get(group, group)
    unknown = [name for name in wanted if name not in choices]
    if unknown:
        told = [f"{place}={n}: no such {group}; {nearest(n, choices)}" for n in map(shortened, unknown)]
        where = f"nnlab list {verb}" + ("; your own need -cd FOLDER" if plugins() and not OwnConfigsFirst.folder else "")
        raise BadInput(*(f"{text} ({where})" for text in told))
    if kind != OverrideType.CHANGE and not override.package:  # +data@data.a=digits adds a choice for a place
        raise BadInput(f"{override.input_line}: write {group}={wanted[0]}, without the leading sign")


def check_key(override: Override, config: DictConfig) -> str | None:
    """What is wrong with the key of an override, in one sentence; None if the config has it and it takes a value."""
    key = override.key_or_group
    if override.type == OverrideType.DEL:
        return f"{override.input_line}: a key cannot be removed; write {key}=none where it may be absent"
    node, place = config, []
    for part in key.split("."):
        legal = [str(name) for name in node if name not in HIDDEN] if isinstance(node, DictConfig) else []
        if not legal:
            choose = f"; choose with {'/'.join(place)}=NAME" if options("/".join(place), OwnConfigsFirst.folder) else ""
            return f"{shortened(key)}: '{'.'.join(place)}' holds no keys{choose}"
        if part not in list(node) or part == "hydra":  # `in node` itself is false of a value that is still ???
            new = renamed.key(key, legal)
            return f"{key}: is called {new} now" if new else f"{shortened(key)}: unknown key; {hint(part, legal, config)}"
        place.append(part)
        node = node._get_node(part)
    if isinstance(node, DictConfig):
        group = key.replace(".", "/")
        choose = f"choose with {group}=NAME or " if options(group, OwnConfigsFirst.folder) else ""
        if key.startswith("data.") and "_target_" in node:  # a dataset that another one is made of
            choose = f"choose with data@{key}=NAME or "
        kind = "a group" if choose else "not a single value"
        return f"{shortened(override.input_line)}: '{key}' is {kind}; {choose}set {key}.KEY"
    return None


def hint(name: str, legal: list[str], config: DictConfig) -> str:
    """What may have been meant by a key that is not legal here, maybe one without its group: trainer.epochs by epochs."""
    places = list(leaves(config))
    last = {place.rpartition(".")[2] for place in places}
    meant = name if name in last else None if near(name, legal) else near(name, last, LIKELY)
    if meant is None:
        return nearest(name, legal)
    return f"did you mean {' or '.join(place for place in places if place.rpartition('.')[2] == meant)}?"


def leaves(node: DictConfig, place: str = "") -> Iterator[str]:
    """The places of all single values under a node."""
    for name in node:
        if name not in HIDDEN:
            child = node._get_node(name)
            yield from leaves(child, f"{place}{name}.") if isinstance(child, DictConfig) else [f"{place}{name}"]


def check_package(typed: CommandLine, package: str, config_dir: str | None = None) -> None:
    """Raise BadInput if the config has no such part."""
    register_config_dir(config_dir)
    with hydra():
        config = compose_or_complain(varied(typed.groups)[0], whole=True)
    if OmegaConf.select(config, package, throw_on_resolution_failure=False) is None:
        raise BadInput(f"--package: no '{shortened(package)}' in the config; {nearest(package, map(str, config))}")


def hydra_values(typed: CommandLine, config_dir: str | None = None) -> dict[str, Any]:
    """The values of Hydra's own keys that were typed, resolved. Raises BadInput for one that does not resolve."""
    own = [o for o in typed.values if o.key_or_group.startswith("hydra.") and not o.is_sweep_override()]
    if not own:
        return {}
    register_config_dir(config_dir)
    known = HydraConfig.instance()
    before, found = known.cfg, {}
    with hydra():
        config = compose_or_complain(varied([*typed.groups, *typed.values])[0], whole=True)
        known.set_config(config)  # what ${hydra:…} looks into
        try:
            for key in (override.key_or_group for override in own):
                found[key] = resolved(config, key)
        finally:
            known.cfg = before
    return found


def resolved(config: DictConfig, key: str) -> Any:
    """A value of a composed config; None of one that says what a job has yet to say."""
    try:
        value = OmegaConf.select(config, key)
        return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    except (MissingMandatoryValue, InterpolationToMissingValueError):
        return None
    except OmegaConfBaseException as error:
        raise BadInput(f"{key}: {sentence(error)}") from error
