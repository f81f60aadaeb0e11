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


def test_an_outer_console_shows_the_epochs_of_an_inner_run_and_no_other_line() -> None:
    stream = io.StringIO()
    outer = Console(Path("outer.log"), terminal=False, stream=stream)
    inner = Console(Path("inner.log"), outer=outer)
    inner.line("a network with 3 parameters")
    inner.row("1/2  0.5")
    with inner.waiting("evaluating"):
        time.sleep(0.3)
    inner.close()
    outer.line("the judge reads 99 %")
    outer.close()
    assert stream.getvalue() == "1/2  0.5\nevaluating …\nthe judge reads 99 %\n"
    texts = [[line.partition("  ")[2] for line in Path(f"{name}.log").read_text().splitlines()] for name in ("inner", "outer")]
    assert texts == [["a network with 3 parameters", "1/2  0.5"], ["the judge reads 99 %"]]


def test_the_bar_of_an_inner_run_is_that_of_the_outer_console_and_on_its_stream() -> None:
    stream = io.StringIO()
    outer = Console(terminal=True, stream=stream)
    inner = Console(outer=outer)
    inner.start(total=10, done=0)
    inner.progress(5, "1/2", "loss 0.5")
    assert outer._bar.tasks[0].completed == 5
    assert outer._bar.console.file is stream
    inner.close()
    assert outer._bar is None
    silent = Console(outer=Console(terminal=True, quiet=True, stream=stream))
    silent.start(total=10, done=0)
    assert silent._outer._bar is None


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
