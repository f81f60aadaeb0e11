"""The tables of the README, in both languages, are those that nnlab prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LANGUAGES = ("README.md", "README.ru.md")
BEGIN, END = "<!-- nnlab list --markdown -->\n", "<!-- end -->"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a language, without the comments behind their commands, which are prose."""
    found = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return ["\n".join(re.split(r"\s+# ", line)[0] for line in block.splitlines()) for block in found]


def test_the_tables_are_those_that_nnlab_prints(nnlab) -> None:
    status, printed, error = nnlab("list", "--markdown")
    assert status == 0, error
    for name in LANGUAGES:
        _, begin, rest = read(name).partition(BEGIN)
        assert begin, f"{name} has no {BEGIN}"
        assert rest.partition(END)[0] == printed, f"{name}: put what nnlab list --markdown prints between the two comments"


def test_the_table_of_models_says_which_data_they_take(nnlab) -> None:
    lines = nnlab("list", "models", "--markdown")[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.count("|") == 7]
    taken = {row[1].strip("`"): row[3:] for row in rows}
    assert taken["vae"] == ["✓", "✓", "✓"]
    assert taken["pca"] == ["✓", "✓", "✓"]
    assert taken["conv_vae"] == ["✓", "", "✓"]
    assert taken["boltzmann"] == ["✓", "", "✓"]
    assert rows[2][0] == "Autoencoders and PCA"


def test_a_pattern_keeps_some_rows(nnlab) -> None:
    printed = nnlab("list", "optimizers", "sgd*", "--markdown")[1]
    assert printed.startswith("### `optimizer=`\n\n| name | what it is |\n| --- | --- |\n| `sgd` | ")
    assert len(printed.splitlines()) == 6
    assert nnlab("list", "models", "nothing", "--markdown")[0] == 2


@pytest.mark.parametrize("language", ["sh", "python", "yaml"])
def test_both_languages_have_the_same_commands(language: str) -> None:
    english, russian = (blocks(read(name), language) for name in LANGUAGES)
    assert english
    assert russian == english


def test_both_languages_have_the_same_labs_and_pictures() -> None:
    kinds = r"`nnlab train [^`]*`|\]\(docs/[^)]*\)|<!-- benchmark.*?<!-- end -->"
    english, russian = (re.findall(kinds, read(name), re.DOTALL) for name in LANGUAGES)
    assert len(english) > 15
    assert russian == english


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_pictures_are_there(name: str) -> None:
    for picture in re.findall(r"\]\((docs/[^)]*)\)", read(name)):
        assert (ROOT / picture).is_file(), picture
