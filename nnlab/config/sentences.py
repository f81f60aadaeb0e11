"""Errors of YAML, OmegaConf and Hydra as nnlab's messages. Imports no torch."""

from __future__ import annotations

import re
from pathlib import Path

from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import GrammarParseError, OmegaConfBaseException, UnsupportedInterpolationType
from yaml import MarkedYAMLError, YAMLError

from nnlab.errors import explain, shortened

UNREADABLE = (YAMLError, OmegaConfBaseException, HydraException, ValueError, TypeError, AssertionError, RecursionError, OSError)
"""The errors for a wrong file or value, when a YAML is read or a config is composed."""

NO_YAML = "no YAML of keys and values"
INTERPOLATIONS = (
    (
        r"Environment variable '(.*?)' not found",
        "the environment variable '{0}' is not set; ${{oc.env:{0},DEFAULT}} has a default",
    ),
    (r"Interpolation key '(.*?)' not found", "the config has no key '{0}'"),
    (r"Error resolving key '(.*?)'", "the config has no key '{0}'"),
    (r"Missing mandatory value: (.*)", "'{0}' has no value yet"),
    (r"Recursive interpolation", "it refers to itself"),
)


def sentence(error: BaseException) -> str:
    """An error of reading or composing a config, without the names of the libraries' own types and rules."""
    text = str(error).partition("\n")[0]
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        file = f"{shortened(mark.name)}, line {mark.line + 1}: " if mark and not mark.name.startswith("<") else ""
        return f"{file}no YAML, {shortened(error.problem or error.context or 'damaged')}"
    if isinstance(error, YAMLError | AssertionError):
        return NO_YAML
    if isinstance(error, RecursionError):
        return "nested too deep, or its defaults name itself"
    if isinstance(error, UnicodeDecodeError):
        return "not a text in UTF-8"
    if isinstance(error, MissingConfigException):
        return f"there is no config '{shortened(error.missing_cfg_file)}', which its defaults name"
    if text.startswith("Invalid loaded object"):
        return NO_YAML
    if isinstance(error, OSError):
        return explain(error, Path(error.filename or "."))
    if "integer string conversion" in text:
        return "a number of more digits than can be read"
    if match := re.search(r"merging override (.*)", text):
        return f"{shortened(match[1])} has another type than the value that it would replace"
    if match := re.search(r"Could not override '([\w/]+@[\w.]+)'", text):
        return f"nothing is chosen for {match[1]} yet; add it with a + before it: +{match[1]}=NAME"
    if match := re.search(r"Could not override '([\w/]+)/(\w+)'", text):
        return f"the chosen {match[1]} has no {match[2]} to choose"
    if match := re.search(r"Sweeping over Hydra's configuration is not supported : '([^=]+)=", text):
        return f"{shortened(match[1])} takes one value; put a value with commas into quotes: {shortened(match[1])}=\"'…'\""
    if isinstance(error, OmegaConfBaseException):
        return interpolation(error, text)
    if error.__cause__ is not None:
        return sentence(error.__cause__)
    return f"its defaults or keys do not fit the other configs ({shortened(text)})"


def interpolation(error: OmegaConfBaseException, text: str) -> str:
    """An error of OmegaConf in resolving a ${…}, in nnlab's words; `text` is the first line of its message."""
    if isinstance(error, UnsupportedInterpolationType):
        return f"'${{{text.rpartition(' ')[2]}:…}}' is no interpolation; ${{oc.env:NAME}} and ${{KEY}} are"
    if isinstance(error, GrammarParseError):
        return "an interpolation is written ${KEY} or ${oc.env:NAME}"
    for pattern, own in INTERPOLATIONS:
        if match := re.search(pattern, text):
            return own.format(*map(shortened, match.groups()))
    return "it does not resolve to a value"
