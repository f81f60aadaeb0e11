"""No text becomes a tag."""

from __future__ import annotations

import json

import pytest
from reports import Page

from nnlab.reporting.captions import CAPTIONS
from nnlab.reporting.markup import Markup, data, element, joined, table, verbatim
from nnlab.reporting.words import WORDS, Words

BAD = ["<script>alert(1)</script>", "</script><b>", "\"' onload='x", "&lt;b&gt;", "<!--", "]]>", "a\nb", "\u202ex\x1b[2J"]


@pytest.mark.parametrize("bad", BAD)
def test_a_text_stays_a_text(bad: str) -> None:
    html = element("p", bad, table([bad], [[bad, bad]]), verbatim(bad), title=bad, data_x=bad)
    page = Page(html)
    assert {tag for tag, _ in page.elements} == {"p", "div", "table", "thead", "tbody", "tr", "th", "td", "pre"}
    assert set(page.all("p")[0]) == {"title", "data-x"}
    printed = page.all("p")[0]["title"]
    assert page.texts[0] == printed
    assert printed == bad or not bad.isprintable()
    assert "\x1b" not in html
    assert "\u202e" not in html


@pytest.mark.parametrize("bad", BAD)
def test_data_cannot_end_their_script(bad: str) -> None:
    page = Page(data({bad: [bad]}))
    assert [tag for tag, _ in page.elements] == ["script"]
    assert json.loads(page.scripts[0][1]) == {bad: [bad]}


def test_attributes() -> None:
    assert element("line", x1=0, class_="a", hidden=True, open=False, width=None) == '<line x1="0" class="a" hidden></line>'
    assert element("br") == "<br>"
    assert joined(None, Markup("<b>"), "<b>") == "<b>&lt;b&gt;"


def test_both_languages_say_the_same() -> None:
    english, russian = WORDS["en"], WORDS["ru"]
    assert english.keys() == russian.keys()
    for key in english:
        assert english[key] != russian[key], key
        assert sorted(part.split("}")[0] for part in english[key].split("{")[1:]) == sorted(
            part.split("}")[0] for part in russian[key].split("{")[1:]
        ), key
        assert not any("а" <= c <= "я" for c in english[key].lower()), key
    assert all(said["en"] != said["ru"] and said["en"].endswith(".") and said["ru"].endswith(".") for said in CAPTIONS.values())


def test_a_picture_of_a_stage_has_the_caption_of_its_kind() -> None:
    words = Words("en")
    assert words.caption("layer_1_reconstruction") == words.caption("reconstruction") != words.caption("sample")
    assert words.caption("autoencoder_sample_history") == words.caption("sample_history")
    assert words.caption("mine") is None
