"""Command lines as a shell reads them and as a person types them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

WORD = re.compile(r"""(?:[^\s'"\\]|'[^']*'|"[^"\\]*")+""")
QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")


def line(words: Iterable[str]) -> str:
    """Words as one line for a shell."""
    return " ".join(map(quoted, words))


def retyped(command: str) -> str:
    """A command line as a person would type it; as it is if a shell could not read it."""
    try:
        return line(shlex.split(command))
    except ValueError:
        return command


def quoted(word: str) -> str:
    """A word for a shell: "note='a b'" rather than 'note='"'"'a b'"'"''."""
    return f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else shlex.quote(word)


def shelled(command: str) -> list[str]:
    """The words of a command line, as `shlex.split`, which reads one letter after another. Raises ValueError as it does."""
    if WORD.sub("", command).strip():  # a backslash, or a quote without its partner
        return shlex.split(command)
    return [QUOTED.sub(lambda part: part[1] or part[2] or "", word) for word in WORD.findall(command)]
