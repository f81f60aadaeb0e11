"""A bad command line, of whatever verb, gets one message of nnlab's own and status 2, and leaves nothing behind."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from bad_command_lines import LINES
from conftest import QUIET, small, train

from nnlab import cli
from nnlab.config import search

RAW = (  # of Python, argparse, Hydra, OmegaConf, ANTLR and torch
    *("Traceback", "usage:", "invalid choice", "unrecognized arguments", "expected one argument", "the following arguments"),
    *("Could not", "Ambiguous", "HYDRA_FULL_ERROR", "full_key", "object_type", "is not in struct", "Interpolation key"),
    *("mismatched input", "no viable", "extraneous input", "token recognition", "enforce fail", "Environment variable"),
)
DIGITS = "9" * 5000  # more than Python reads


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(str(tmp_path_factory.mktemp("a") / "run"), "trainer.steps=1", *QUIET, *small("vae"), pictures=False).path


def words(line: str, run: Path) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.quotes, lexer.commenters, lexer.escape = True, "'", "", ""
    return [str(run) if word == "RUN" else word for word in lexer]


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def check(nnlab, own_folder: Path, run: Path, *argv: str) -> str:
    """What is said to standard error."""
    before = files(run)
    status, _, error = nnlab(*argv)
    assert status == 2, error
    messages = error.splitlines()
    assert messages, "nothing was said"
    assert all(message.startswith("nnlab: ") for message in messages), error
    assert len(messages) == 1 or len({message.split(":")[1] for message in messages}) == len(messages), error
    assert not [raw for raw in RAW if raw in error], error
    assert all(len(message) < 800 for message in messages)
    assert not files(own_folder), "something was left behind"
    assert files(run) == before
    return error


@pytest.mark.parametrize("line", LINES)
def test_a_bad_command_line_gets_one_message_and_leaves_nothing(nnlab, own_folder: Path, run: Path, line: str) -> None:
    check(nnlab, own_folder, run, *words(line, run))


@pytest.mark.parametrize(
    "line", ["train model.latent_dim=", "train seed=", "train tags=", "sample RUN -n ", "resume RUN trainer.epochs="]
)
def test_a_number_without_end(nnlab, own_folder: Path, run: Path, line: str) -> None:
    *before, last = words(line + "X", run)
    check(nnlab, own_folder, run, *before, last.replace("X", DIGITS))


def test_there_are_enough_of_them_and_every_verb_has_some() -> None:
    assert len(set(LINES)) >= 200
    assert {line.split()[0] for line in LINES} >= set(cli.VERBS)


FILES = {
    "broken": ("a: [1", "line 1: no YAML"),
    "latin": (b"\xff\xfe", "not a text in UTF-8"),
    "itself": ("defaults: [itself]", "its defaults name itself"),
    "listed": ("[1, 2]", "expected a choice"),
    "number": ("3", "no YAML of keys and values"),
    "missing": ("defaults: [nope]", "there is no config 'model/nope'"),
    "three": ("defaults: 3", "three.yaml: its defaults or keys do not fit"),
    "empty": ("", "model: empty; it must name a class"),
    "nameless": ("latent_dim: 3", "expected the name of a class"),
    "refers": ("_target_: nnlab.families.ae.ae.AE\nlatent_dim: ${nope}", "the config has no key 'nope'"),
    "odd": ("_target_: nnlab.families.ae.ae.AE\n1: 3", "model.1: unknown key"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_config_of_ones_own_that_cannot_be_used_is_named(nnlab, tmp_path_factory, own_folder, run, name: str) -> None:
    content, expected = FILES[name]
    folder = tmp_path_factory.mktemp("conf")
    (folder / "model").mkdir()
    (folder / "model" / f"{name}.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    line = ["train", "-cd", str(folder), f"model={name}"]
    assert expected in check(nnlab, own_folder, run, *line)
    assert name in search.options("model", str(folder))
    assert nnlab("list", "models", "-cd", str(folder))[0] == 0


def test_a_key_that_one_model_of_a_sweep_lacks_names_the_job(nnlab) -> None:
    error = nnlab("train", "-m", "model=ae,pca", "trainer.epochs=1")[2]
    assert error.startswith("nnlab: with model=pca: trainer.epochs: unknown key")


def test_a_key_typed_without_its_group_is_found(nnlab) -> None:
    for key, place in {"epochs": "trainer.epochs", "lr": "optimizer.lr", "model.batch_size": "trainer.batch_size"}.items():
        assert nnlab("train", f"{key}=3")[2] == f"nnlab: {key}: unknown key; did you mean {place}?\n"


def test_a_recipe_that_is_a_sweep_says_so(nnlab, own_folder: Path) -> None:
    out = nnlab("train", "experiment=beta_vae_fashion", "data.root=nowhere", "data=npz")[1]
    assert "is meant as a sweep, of which this is one run; the whole: nnlab train experiment=beta_vae_fashion" in out


@pytest.mark.parametrize(
    "error", [RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"), MemoryError()]
)
def test_what_cannot_be_written_or_held_is_a_sentence(nnlab, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr("nnlab.training.loop.Loop.run", fail)
    status, _, said = nnlab("train", *small("ae"))
    expected = "is the disk full?" if isinstance(error, RuntimeError) else "it does not fit into memory"
    assert (status, len(said.splitlines()), expected in said) == (1, 1, True), said
