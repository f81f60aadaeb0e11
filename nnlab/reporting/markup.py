"""HTML in which every text is escaped: what is no `Markup` cannot become a tag. No torch."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

from nnlab.errors import printable

VOID = frozenset({"br", "img", "meta"})  # elements without an end tag


class Markup(str):
    """A piece of HTML, not to be escaped again."""

    __slots__ = ()


def text(value: object) -> Markup:
    """A text as HTML. Control and invisible characters are shown as \\x1b, \\u202e, …."""
    return value if isinstance(value, Markup) else Markup(html.escape(printable(value)))


def joined(*parts: object, by: str = "") -> Markup:
    """Parts one after another; those that are None are left out."""
    return Markup(by.join(text(part) for part in parts if part is not None))


def element(name: str, /, *inside: object, **attributes: object) -> Markup:
    """An element: texts and elements inside it, and its attributes.

    An attribute is left out at None or False, and has no value at True. `class_` stands for class, `data_line` for data-line.
    """
    given = {
        key.rstrip("_").replace("_", "-"): value
        for key, value in attributes.items()
        if value is not None and value is not False
    }
    said = "".join(f" {key}" if value is True else f' {key}="{text(value)}"' for key, value in given.items())
    return Markup(f"<{name}{said}>" if name in VOID else f"<{name}{said}>{joined(*inside)}</{name}>")


def verbatim(lines: str) -> Markup:
    """A text of several lines, as it is written."""
    return element("pre", joined(*lines.splitlines(), by="\n"))


def data(value: Any, /, **attributes: object) -> Markup:
    """Data for the page's script. No text inside can end the element, since < is written as \\u003c."""
    written = json.dumps(value, allow_nan=False, separators=(",", ":"))  # ASCII alone
    return element("script", Markup(written.replace("<", "\\u003c")), type="application/json", **attributes)


def table(head: list[object], rows: list[list[object]], **attributes: object) -> Markup:
    """A table whose first column names its rows; it scrolls sideways where it is wider than the page."""
    top = element("thead", element("tr", *(element("th", cell, scope="col") for cell in head)))
    lines = [element("tr", element("th", first, scope="row"), *(element("td", c) for c in cells)) for first, *cells in rows]
    return element("div", element("table", top, element("tbody", *lines), **attributes), class_="wide")


def section(title: str, *inside: object, **attributes: object) -> Markup:
    """A part of the page under its title."""
    return element("section", element("h2", title), *inside, **attributes)


def listed(facts: Mapping[str, object]) -> Markup:
    """Names and what is said of them."""
    return element("dl", *(joined(element("dt", name), element("dd", said)) for name, said in facts.items()))
