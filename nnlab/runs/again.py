"""The words of a command line that trains a run of an earlier one's config anew. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nnlab.config import composition
from nnlab.config.constraints import is_none
from nnlab.errors import BadInput, printable, shortened
from nnlab.runs.find import resolve
from nnlab.runs.shell import shelled
from nnlab.runs.sweep import PLAIN, key_of

NOT_TAKEN = ("hydra", "outputs", "note", "data.root", "recorder")  # where it lies, what for, and to whom results are sent
CHOSEN_BY_MODEL = ("trainer", "optimizer")
BARE = re.compile(r"(?!(?:true|false|null|inf|nan|on|off|yes|no)$)[A-Za-z_][\w./-]*", re.IGNORECASE)


def words_from(run: str, own: Sequence[str], config_dir: str | None = None) -> list[str]:
    """KEY=VALUE of a run with the config of an earlier one, then one's own words, which replace those of the same key.

    These are the words that were typed for the earlier run, and each value of its config.yaml that they do not give today: a
    default may have changed, or the run was trained longer. One's own choice of a group, such as model=ae, replaces all that
    was said of that group. The note stays with the earlier run. Where data lie, and to whom results are sent, is always said
    today: a stranger may have written the earlier run.

    Raises BadInput if status.json does not say what was typed, or says something that is no plain KEY=VALUE.
    """
    folder = resolve(run)
    stored, command = folder.read_config(), folder.read_status().get("command")
    place = f"--from {printable(run)}"
    try:
        typed = shelled(command)[2:] if isinstance(command, str) else None
    except ValueError:
        typed = None
    if typed is None:
        raise BadInput(f"{place}: its status.json does not say what was typed; type the words of the new run yourself")
    words = [word for word in typed if not under(key_of(word), NOT_TAKEN)]
    for word in words:
        if "=" not in word or not PLAIN.fullmatch(key_of(word)):
            raise BadInput(f"{place}: '{shortened(word)}' in its status.json is no plain KEY=VALUE; type the words yourself")
    replaced = {key_of(word.lstrip("+~")) for word in own}
    groups = [key.partition("@")[0].replace("/", ".") for key in replaced if "." not in key]
    today = composition.to_dict(composition.compose_config(words, config_dir))
    left = [*NOT_TAKEN, *replaced, *groups, *(CHOSEN_BY_MODEL if "model" in groups else ())]
    differs = {key: value for key, value in differing(stored, today) if not under(key, left)}
    kept = [word for word in words if key_of(word) not in {*replaced, *differs} and not under(place_of(word), groups)]
    return [*kept, *(f"{key}={as_word(value)}" for key, value in differs.items()), *own]


def place_of(word: str) -> str:
    """The place in the config that a word is about: that of model/body=mlp is model.body."""
    return key_of(word).partition("@")[0].replace("/", ".")


def under(key: str, places: Sequence[str]) -> bool:
    """Whether a key is one of these places in the config, or below one."""
    return any(key == place or key.startswith(f"{place}.") for place in places)


def differing(stored: Mapping, today: Mapping, place: str = "") -> Iterator[tuple[str, Any]]:
    """Key and value of what a stored config has otherwise than today's.

    What is `auto` today stays so. An earlier run, such as a teacher, is a node in the stored config and a word in today's.
    """
    for key, value in stored.items():
        where, other = f"{place}{key}", today.get(key)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            yield from differing(value, other, f"{where}.")
        elif isinstance(value, Mapping) and not value.keys().isdisjoint(("_target_", "fingerprint")):
            continue
        elif (
            key in today
            and key != "_target_"
            and other != "auto"
            and value != other
            and not (is_none(value) and is_none(other))
        ):
            yield where, value


def as_word(value: Any) -> str:
    """A value as it is typed behind KEY=, in Hydra's grammar of overrides."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{as_word(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(as_word, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if not isinstance(value, str) or BARE.fullmatch(value):
        return str(value)
    escaped = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + ("\\'" if found[2] else ""), value)
    return f"'{escaped}'"
