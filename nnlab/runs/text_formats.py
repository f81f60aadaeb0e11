"""Small JSON and YAML files that anyone may have written: read within limits, written so that a terminal can show them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from nnlab.runs.files import read

LONGEST_CONFIG, LONGEST_JSON = 2**20, 2**24  # bytes
DEEPEST = 50  # levels of a config
LARGEST = 1.7976931348623157e308  # the largest float; larger integers cannot become a float

LARGE = re.compile(rb"\d[eE]\+?\d{3}")  # a number that may be too large for a float
STRICT = json.JSONEncoder(allow_nan=False)


def as_record(line: bytes) -> dict[str, Any] | None:
    """A line of metrics.jsonl as a record; None if it is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def is_json(value: Any) -> bool:
    """Whether a value can be written as JSON, which has no infinity."""
    if isinstance(value, str | bool):
        return True
    try:
        STRICT.encode(value)
    except (ValueError, TypeError, RecursionError):
        return False
    return True


def is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def numbers(values: Any) -> dict[str, float]:
    """The numbers among named values; {} for anything else."""
    return {key: value for key, value in values.items() if is_number(value)} if isinstance(values, dict) else {}


def read_yaml(path: Path) -> tuple[Any, str]:
    """The values of a small YAML file, interpolations not resolved, and its text. Raises OSError or ValueError."""
    from omegaconf import OmegaConf  # reads 1e-3 as a number, which plain YAML does not
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    text = read(path, LONGEST_CONFIG).decode()
    try:
        refuse_bomb(text)
        return OmegaConf.to_container(OmegaConf.create(text), resolve=False), text
    except (YAMLError, OmegaConfBaseException, RecursionError, TypeError, AttributeError, AssertionError) as error:
        raise ValueError(str(error) or "neither a list nor a mapping") from error


def refuse_bomb(text: str) -> None:
    """Raise ValueError for YAML that would take for ever: aliases of aliases, or thousands of levels."""
    import yaml

    depth = 0
    for token in yaml.scan(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        name = type(token).__name__
        depth += name.endswith(("SequenceStartToken", "MappingStartToken")) - name.endswith(
            ("BlockEndToken", "SequenceEndToken", "MappingEndToken")
        )
        if isinstance(token, yaml.AliasToken) or depth > DEEPEST:
            raise ValueError("aliases, or too many levels inside each other")


def read_json(path: Path) -> Any:
    """The value of a small JSON file; None if it cannot be read."""
    return read_checked_json(path)[0]


def read_checked_json(path: Path) -> tuple[Any, bool]:
    """The same, and whether all its numbers are known to be finite. Of thousands of files it is quick: it looks at the text."""
    try:
        text = read(path, LONGEST_JSON)
        return json.loads(text), not (b"NaN" in text or b"Infinity" in text or LARGE.search(text))
    except (OSError, ValueError, RecursionError):
        return None, False


def as_json(value: Any) -> str:
    """A value as indented JSON text with a line break at its end. Raises ValueError for NaN and infinities."""
    return legible(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)) + "\n"


def legible(text: str) -> str:
    """JSON in which control and invisible characters are escaped; letters of every language stay."""
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
