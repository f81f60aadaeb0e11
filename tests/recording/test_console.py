"""What a person sees while nothing else happens."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import pytest

from nnlab import cli
from nnlab.recording import patience
from nnlab.recording.console import Console


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SECONDS", 0.05)


def test_what_takes_long_is_told_once_and_not_logged() -> None:
    stream = io.StringIO()
    console = Console(Path("train.log"), terminal=False, stream=stream)
    with console.waiting("drawing"):
        time.sleep(0.3)
    with console.waiting("evaluating"):
        pass
    time.sleep(0.15)
    assert stream.getvalue() == "drawing …\n"
    console.close()
    assert Path("train.log").read_text() == ""


def test_an_error_inside_ends_the_waiting() -> None:
    stream = io.StringIO()
    console = Console(terminal=False, stream=stream)
    with pytest.raises(ValueError, match="no"), console.waiting("drawing"):
        raise ValueError("no")
    time.sleep(0.15)
    assert stream.getvalue() == ""


def test_a_verb_at_a_terminal_says_that_it_works(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from nnlab.commands import explain

    monkeypatch.setattr(explain, "main", lambda rest: time.sleep(0.3))
    assert cli.main(["explain"]) == 0
    assert capsys.readouterr().err == "", "in a pipe nobody waits"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert cli.main(["explain"]) == 0
    assert capsys.readouterr().err == "nnlab explain: at work …\n"
