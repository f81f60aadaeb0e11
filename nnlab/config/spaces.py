"""The space of a search: which values are tried of which keys. Imports no torch and no Optuna.

optimizer.lr=log(1e-4,1e-2)      any number between, each decade as often as the others
model.beta=interval(0,4)         any number between
model.latent_dim=interval(2,32)  any whole number from 2 to 32, since this key takes whole numbers alone
model.latent_dim=range(4,33,4)   4, 8, …, 32, as numbers in an order
model.activation=relu,tanh       one of these values; also of a group: optimizer=adam,sgd

It is the grammar of Hydra's sweeps, with one more word, `log(a,b)`, which is short for `tag(log, interval(a,b))`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, IntervalSweep, Override, RangeSweep

from nnlab.config import names, values
from nnlab.config.composition import compose_config, expanded, hydra, register_config_dir, to_dict
from nnlab.errors import BadInput, shortened

DIGITS = 5  # of a number that is tried: a command to paste is readable, and two trials still differ
OTHER_WORDS = {  # of other libraries, or of Python: what is written instead
    **dict.fromkeys(("int", "randint", "uniform", "float", "suggest_float", "suggest_int"), "interval"),
    **dict.fromkeys(("loguniform", "log_uniform", "lograndint"), "log"),
    **dict.fromkeys(("categorical", "suggest_categorical"), "choice"),
}
LOG = re.compile(r"(?<==)\s*log\((.*)\)\s*$")
MEASURE = ("data", "noise", "judge")  # nodes that say what a trial is measured on
PLACES = ("outputs", "device", "tags", "note")  # keys that bear on no result
LEARNING = ("data.train_size",)  # keys of these that say only what it learns from


@dataclass(frozen=True)
class Numbers:
    """The numbers from `low` to `high`, both included.

    log    uniform in the logarithm
    step   between two of them; None for any number
    whole  whole numbers alone
    """

    key: str
    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False

    def word(self, value: float) -> str:
        """KEY=VALUE of a value, as it is trained: rounded, but not out of the space."""
        if self.whole:
            return f"{self.key}={round(value)}"
        rounded = float(f"{value:.{DIGITS}g}")
        return f"{self.key}={number(rounded if self.low <= rounded <= self.high else value)}"

    def __str__(self) -> str:
        ends = f"{number(self.low)}, {number(self.high)}"
        if self.step:
            return f"{number(self.low)}, {number(self.low + self.step)}, …, {number(self.high)}"
        return f"{'log' if self.log else 'interval'}({ends}){' of whole numbers' if self.whole else ''}"


@dataclass(frozen=True)
class Values:
    """Some values of a key, or some choices of a group, as texts."""

    key: str
    values: tuple[str, ...]

    def word(self, value: str) -> str:
        """KEY=VALUE of a value."""
        return f"{self.key}={value}"

    def __str__(self) -> str:
        return ", ".join(self.values)


Space = Numbers | Values


@dataclass(frozen=True)
class Search:
    """What was typed for a search, checked.

    typed   the words
    fixed   those that are the same in each trial
    spaces  the others
    names   all of it as `names.check` knows it, with the ends of each space in its place
    """

    typed: list[str]
    fixed: list[str]
    spaces: list[Space]
    names: names.CommandLine

    def trial(self, chosen: Iterable[str]) -> list[str]:
        """The words of a trial, of those that were chosen for it."""
        return [*self.fixed, *chosen]


def check(typed: list[str], config_dir: str | None = None) -> Search:
    """The spaces among the words of a command line, and all problems of the words by name, which `names` holds."""
    register_config_dir(config_dir)
    fixed, spaces, words, problems, refused = [], [], [], [], set()
    with hydra():
        loader = GlobalHydra.instance().config_loader()
        parser = OverridesParser.create(config_loader=loader)
        for line in expanded(typed):
            try:
                refuse_hydra(line)
                space = space_of(line, parser)
                words.append(f"{space.key}={number(space.low)},{number(space.high)}" if isinstance(space, Numbers) else line)
            except BadInput as error:
                problems += error.problems
                refused.add(line.lstrip("+~").partition("=")[0])
                continue
            (spaces if space else fixed).append(space or line)
    checked = names.check(words, config_dir, sweep=True)
    problems += given_twice(spaces, fixed, {override.key_or_group for override in checked.groups}) + same_in_all(spaces)
    checked.problems[:0] = problems
    checked.refused |= refused
    if not checked.problems and not spaces:
        checked.problems.append(
            "search: no key has values to try; give one some, such as optimizer.lr='log(1e-4,1e-2)' or model.latent_dim=2,8"
        )
    if not checked.problems:
        spaces = [whole(space, checked, config_dir) for space in spaces]
    return Search(typed, fixed, spaces, checked)


def refuse_hydra(line: str) -> None:
    """Raise BadInput for a key that a search gives each trial by itself."""
    key = line.lstrip("+~").partition("=")[0]
    if key.split(".")[0].split("/")[0] == "hydra":
        raise BadInput(f"{shortened(line)}: a search has no keys of Hydra's; -o FOLDER says where it lies")
    if key.split(".")[0] == "search":
        raise BadInput(f"{shortened(line)}: write {shortened(line.partition('.')[2])}; the values say that they are searched")


def space_of(line: str, parser: OverridesParser) -> Space | None:
    """The space that a word gives its key; None for one value. Raises BadInput for a space that holds none, or one alone."""
    key, _, text = line.partition("=")
    called = re.match(r"(\w+)\([^()]*,[^()]*\)$", text.strip())
    if called and called[1] in OTHER_WORDS:
        instead = f"{OTHER_WORDS[called[1]]}{text.strip()[len(called[1]) :]}"
        more = "; where the key takes whole numbers, it gives whole ones" if instead.startswith("interval") else ""
        raise BadInput(f"{shortened(line)}: write {shortened(key)}='{shortened(instead)}'{more}")
    if text.strip() == "choice()":
        raise BadInput(f"{shortened(line)}: no value to try; list them: {shortened(key)}=1,2,3")
    try:
        override = names.parsed(LOG.sub(r"tag(log,interval(\1))", line), parser)
    except BadInput as error:
        if not re.match(r"\w+\(", text):
            raise
        spaces = "log(1e-4,1e-2), interval(0,1), range(2,9,2) or choice(a,b)"
        raise BadInput(f"{shortened(line)}: not readable; values to try are written {spaces}") from error
    if not override.is_sweep_override():
        return None
    value = override.value()
    if isinstance(value, IntervalSweep):
        return interval(line, override, value)
    if isinstance(value, RangeSweep):
        return steps(line, override, value)
    found = names.texts(override) if isinstance(value, ChoiceSweep | Glob) else []
    held = tuple(dict.fromkeys(word.partition("=")[2] for word in found))
    if len(held) == 1:
        raise one_value(line, f"{override.get_key_element()}={held[0]}")
    return Values(override.get_key_element(), held)


def interval(line: str, override: Override, value: IntervalSweep) -> Numbers:
    """The space of an interval."""
    low, high, log = float(value.start), float(value.end), "log" in value.tags
    if other := value.tags - {"log", "int", "float"}:
        raise BadInput(
            f"{shortened(line)}: the only tags of a search are log and int, not {shortened(', '.join(sorted(other)))}"
        )
    if not (math.isfinite(low) and math.isfinite(high)):
        raise BadInput(f"{shortened(line)}: both ends must be finite numbers")
    if low > high:
        raise BadInput(f"{shortened(line)}: the lower end comes first")
    if low == high:
        raise one_value(line, f"{override.get_key_element()}={number(low)}")
    if log and low <= 0:
        raise BadInput(f"{shortened(line)}: a logarithm needs a lower end above 0; write a small one, or interval(…)")
    return Numbers(override.get_key_element(), low, high, log, whole="int" in value.tags or isinstance(value.start, int))


def steps(line: str, override: Override, value: RangeSweep) -> Numbers:
    """The space of a range, whose end is not part of it."""
    if "log" in value.tags:
        raise BadInput(f"{shortened(line)}: a range has equal steps; write log(…), or list the values")
    found = sorted(islice(value.range(), names.MOST_VALUES + 1))
    if not found:
        raise BadInput(f"{shortened(line)}: an empty range; its end is not part of it")
    if len(found) > names.MOST_VALUES:
        raise BadInput(f"{shortened(line)}: more than {names.MOST_VALUES:,} values")
    if len(found) == 1:
        raise one_value(line, f"{override.get_key_element()}={number(found[0])}")
    are_whole = all(isinstance(each, int) for each in found)
    return Numbers(override.get_key_element(), found[0], found[-1], step=abs(value.step), whole=are_whole)


def one_value(line: str, instead: str) -> BadInput:
    """The message about a space that holds one value."""
    return BadInput(f"{shortened(line)}: one value is no search; write {shortened(instead)}, or give more")


def given_twice(spaces: list[Space], fixed: list[str], groups: set[str]) -> list[str]:
    """Problems of keys that have two spaces, or a space and a value; of groups `names` tells it."""
    searched = [space.key for space in spaces if space.key not in groups]
    keys = [*searched, *(line.partition("=")[0] for line in fixed)]
    return [f"{key}: has values to try, and is given twice; give one of them" for key in {*searched} if keys.count(key) > 1]


def same_in_all(spaces: list[Space]) -> list[str]:
    """Problems of keys that no search has values to try of: trials on other examples cannot be compared."""
    problems = []
    for key in (space.key for space in spaces):
        node = re.split(r"[.@/]", key.lstrip("+"))[0]
        if node in MEASURE and key not in LEARNING:
            problems.append(f"{key}: trials that are measured on other examples cannot be compared; search in each by itself")
        if node in PLACES:
            problems.append(f"{key}: is the same in all trials; give it one value")
    return problems


def whole(space: Space, checked: names.CommandLine, config_dir: str | None) -> Space:
    """A space of numbers that its key takes only if they are whole, as whole numbers."""
    if not isinstance(space, Numbers) or space.whole or not (space.low.is_integer() and space.high.is_integer()):
        return space
    if space.step and not float(space.step).is_integer():
        return space
    node = space.key.lstrip("+").split(".")[0]
    between = [f"{space.key}={space.low + 0.5}" if word.startswith(f"{space.key}=") else word for word in checked.jobs()[0]]
    problems = values.check(to_dict(compose_config(between, config_dir)), {node})
    return replace(space, whole=True) if any(problem.startswith(f"{space.key}: ") for problem in problems) else space


def number(value: float) -> str:
    """A number as one types it."""
    value = float(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
