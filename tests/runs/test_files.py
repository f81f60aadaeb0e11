"""Files are written whole, and never through a link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nnlab.errors import printable
from nnlab.runs.files import appending, replacing, write_whole


def test_a_link_is_replaced_and_what_it_points_to_stays(own_folder: Path) -> None:
    Path("outside").write_text("mine")
    Path("inside").symlink_to("outside")
    write_whole(Path("inside"), "new")
    assert not Path("inside").is_symlink()
    assert (Path("inside").read_text(), Path("outside").read_text()) == ("new", "mine")


def test_what_fails_leaves_what_was_there(own_folder: Path) -> None:
    Path("a").write_text("before")
    with pytest.raises(TypeError), replacing(Path("a")) as file:
        file.writelines([b"half", None])
    assert Path("a").read_text() == "before"
    assert os.listdir() == ["a"]


def test_nothing_is_appended_through_a_link_or_to_a_pipe(own_folder: Path) -> None:
    Path("outside").write_text("mine")
    Path("inside").symlink_to("outside")
    os.mkfifo("pipe")
    for name in ("inside", "pipe"):
        with pytest.raises(OSError, match="not a regular file"):
            appending(Path(name))
    assert Path("outside").read_text() == "mine"


def test_a_second_name_of_a_file_keeps_its_content(own_folder: Path) -> None:
    Path("outside").write_text("mine")
    os.link("outside", "inside")
    with appending(Path("inside")) as file:
        file.write(b" and more")
    assert (Path("inside").read_text(), Path("outside").read_text()) == ("mine and more", "mine")


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\nb", "\u202eabc", "\x9b2J", "\udc80", "\x00"])
def test_what_a_terminal_would_obey_is_shown(text: str) -> None:
    assert printable(text).isprintable()
    assert "\\" in printable(text)


def test_letters_of_every_script_stay() -> None:
    assert printable("Größe, número, число 数 — ½") == "Größe, número, число 数 — ½"
