"""`nnlab runs`: which runs are listed, in which order, and what a run says of itself."""

from __future__ import annotations

import json
import random
import shlex
import subprocess
from pathlib import Path

import pytest
from conftest import QUIET, small

from nnlab.runs.folder import RunFolder
from nnlab.runs.process import code_facts
from nnlab.runs.shell import shelled

RUNS = (  # model, data, status, tags, note, best loss, test figure, seconds
    ("vae", "mnist", "completed", ["lab3"], "", 3.0, 20.0, 5),
    ("vae", "digits", "failed", [], "too wide", 9.0, None, 1),
    ("ae", "mnist", "completed", ["lab4"], "a narrow one", 1.0, 25.0, 9),
    ("gan", "mnist", "interrupted", ["lab3"], "", 2.0, None, 7),
)


@pytest.fixture
def listed(own_folder: Path, nnlab):
    for i, (model, data, status, tags, note, best, test, seconds) in enumerate(RUNS):
        folder = Path("outputs") / model / str(i)
        folder.mkdir(parents=True)
        facts = {"model": model, "data": data, "status": status, "tags": tags, "note": note, "seconds": seconds}
        facts |= {"best": {"validation/loss": best}, "began": 1e9 + i, "command": f"nnlab train seed={i}"}
        (folder / "status.json").write_text(json.dumps(facts))
        if test is not None:
            (folder / "summary.json").write_text(json.dumps({"final": {"test/psnr": test}}))

    def rows(*words: str) -> list[int]:
        """The numbers of the runs that are listed, in their order."""
        status, out, _ = nnlab("runs", "--json", *words)
        assert status == 0
        return [int(run["differs"][0].partition("=")[2]) for run in json.loads(out)]

    return rows


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", [0, 1, 2, 3]),
        ("--model vae", [0, 1]),
        ("--data m*", [0, 2, 3]),
        ("--status completed", [0, 2]),
        ("--tag lab3", [0, 3]),
        ("--model vae --data mnist", [0]),
        ("*narrow*", [2]),
        ("ae gan", [2, 3]),
        ("ae gan --tag lab3", [3]),
        ("--sort", [1, 0, 3, 2]),
        ("--sort test/psnr", [1, 3, 0, 2]),
        ("--sort seconds", [1, 0, 3, 2]),
        ("--sort validation/loss --data mnist", [2, 3, 0]),
    ],
)
def test_filters_are_all_true_and_the_order_is_as_asked(words: str, expected: list[int], listed) -> None:
    assert listed(*words.split()) == expected


def test_the_figure_of_the_order_is_a_column(listed, nnlab) -> None:
    head, *rows = nnlab("runs", "--sort", "test/psnr")[1].splitlines()
    start = head.index("test/psnr")
    assert [row[start : start + 9].split() for row in rows] == [[], [], ["20"], ["25"]]


def test_an_unknown_figure_is_answered_by_the_recorded_ones(listed, nnlab) -> None:
    status, out, error = nnlab("runs", "--sort", "test/psn")
    assert (status, out) == (2, "")
    assert "did you mean 'test/psnr'?" in error


def test_words_of_a_command_line_are_those_of_the_shell() -> None:
    draw = random.Random(0)

    def words(split, text: str) -> list[str] | None:
        try:
            return split(text)
        except ValueError:
            return None

    for _ in range(20_000):
        text = "".join(draw.choice("ab= '\"\\\n#$[") for _ in range(draw.randint(0, 12)))
        assert words(shelled, text) == words(shlex.split, text), repr(text)


def test_a_run_says_of_which_commit_its_code_is(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert code_facts() == {}, "no repository"

    def git(*words: str) -> str:
        own = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
        return subprocess.run(own, check=True, capture_output=True, text=True).stdout.strip()

    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(own_folder.parent))
    git("init")
    assert code_facts() == {}, "no commit yet"
    Path("own.py").write_text("a = 1\n")
    git("add", "own.py")
    git("commit", "-m", "first")
    commit = git("rev-parse", "HEAD")
    assert code_facts() == {"git": {"commit": commit, "clean": True}}
    Path("run.log").touch()
    assert code_facts()["git"]["clean"], "a file that is not in the repository changes no code"
    Path("own.py").write_text("a = 2\n")
    assert code_facts() == {"git": {"commit": commit, "clean": False}}
    monkeypatch.setenv("PATH", "")
    assert code_facts() == {}, "git is not installed"


def test_a_note_is_kept_and_shown(own_folder: Path, nnlab) -> None:
    typed = ["model=pca", "data=digits", "hydra.run.dir=run"]
    assert nnlab("train", *typed, "note='a narrow one, to compare'")[0] == 0
    assert json.loads(Path("run/status.json").read_text())["note"] == "a narrow one, to compare"
    assert "a narrow one, to compare" in nnlab("show", "run")[1]
    config = Path("run/config.yaml")
    config.write_text("".join(line for line in config.read_text().splitlines(True) if not line.startswith("note:")))
    assert nnlab("evaluate", "run")[0] == 0, "a run of an older version has no note"


def test_a_note_may_be_written_anew_when_a_run_goes_on(nnlab) -> None:
    words = [*small("ae"), "trainer.steps=3", *QUIET, 'note="first words"', "hydra.run.dir=run"]
    assert nnlab("train", *words)[0] == 0
    status, _, error = nnlab("resume", "run", "trainer.steps=4", 'note="it was too short"')
    assert status == 0, error
    assert RunFolder(Path("run")).read_status()["note"] == "it was too short"
    assert "it was too short" in nnlab("show", "run")[1]
