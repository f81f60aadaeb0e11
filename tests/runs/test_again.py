"""A new run from the config of an earlier one: `nnlab train --from RUN`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import QUIET, same_bits, small, weights
from hydra.core.override_parser.overrides_parser import OverridesParser

from nnlab.runs.again import as_word
from nnlab.runs.folder import RunFolder

FIRST = [*small("ae"), "trainer.steps=3", "optimizer.lr=2e-3", *QUIET]


@pytest.fixture
def first(nnlab) -> RunFolder:
    status, _, error = nnlab("train", *FIRST, 'note="the first"', "hydra.run.dir=first")
    assert status == 0, error
    return RunFolder(Path("first"))


def again(nnlab, *words: str) -> RunFolder:
    shutil.rmtree("second", ignore_errors=True)
    status, _, error = nnlab("train", "--from", "first", *words, "hydra.run.dir=second")
    assert status == 0, error
    return RunFolder(Path("second"))


def config_of(folder: RunFolder) -> dict:
    return {key: value for key, value in folder.read_config().items() if key not in ("note", "outputs")}


def test_it_is_the_same_run_to_the_bit(nnlab, first: RunFolder) -> None:
    second = again(nnlab)
    assert config_of(second) == config_of(first)
    assert same_bits(weights(first), weights(second))
    assert second.read_config()["note"] == "none"


def test_own_words_replace_those_of_the_same_key(nnlab, first: RunFolder) -> None:
    second = config_of(again(nnlab, "optimizer.lr=5e-4", "seed=3"))
    assert (second["optimizer"]["lr"], second["seed"]) == (5e-4, 3)
    one = config_of(first)
    one["optimizer"]["lr"], one["seed"] = 5e-4, 3
    assert second == one


def test_its_command_needs_no_earlier_run(nnlab, first: RunFolder) -> None:
    command = again(nnlab, "seed=3").read_status()["command"]
    assert "--from" not in command
    assert {"seed=3", "optimizer.lr=2e-3", "model=ae"} <= set(command.split())


def test_another_model_has_values_of_its_own_and_what_was_typed_of_the_rest(nnlab, first: RunFolder) -> None:
    second = config_of(again(nnlab, *small("vae")))
    assert second["model"]["_target_"].endswith("VAE")
    assert (second["optimizer"]["lr"], second["trainer"]["steps"]) == (2e-3, 3)


def test_what_the_run_has_become_counts_and_not_todays_default(nnlab, first: RunFolder) -> None:
    """A default may have changed since, and `nnlab resume` may have made the run longer."""
    text = first.config.read_text()
    first.config.write_text(text.replace("steps: 3", "steps: 4").replace("latent_dim: 4", "latent_dim: 5"))
    second = config_of(again(nnlab))
    assert (second["trainer"]["steps"], second["model"]["latent_dim"]) == (4, 5)


def test_a_sweep_of_it(nnlab, first: RunFolder) -> None:
    status, _, error = nnlab("train", "-m", "--from=first", "seed=1,2", "hydra.sweep.dir=sweep")
    assert status == 0, error
    assert [RunFolder(Path(f"sweep/{i}")).read_config()["seed"] for i in range(2)] == [1, 2]


@pytest.mark.parametrize("command", ["nnlab train -cd evil", "nnlab train hydra/launcher", "nnlab train ~trainer", 'x "', None])
def test_what_a_stranger_typed_is_no_more_than_key_and_value(nnlab, first: RunFolder, command: str | None) -> None:
    status = json.loads(first.status.read_text())
    first.status.write_text(json.dumps({**status, "command": command}))
    code, _, error = nnlab("train", "--from", "first")
    assert (code, "--from first: " in error) == (2, True), error


def test_a_stranger_does_not_say_to_whom_results_are_sent(nnlab, first: RunFolder) -> None:
    status = json.loads(first.status.read_text())
    said = f"{status['command']} recorder=mlflow recorder.uri=https://elsewhere"
    first.status.write_text(json.dumps({**status, "command": said}))
    first.config.write_text(first.config.read_text().replace("recorder: null", "recorder:\n  uri: https://elsewhere"))
    second = again(nnlab)
    assert "elsewhere" not in second.config.read_text() + second.status.read_text()


def test_where_data_lie_is_todays(nnlab, first: RunFolder) -> None:
    first.config.write_text(first.config.read_text().replace("  root: ", "  root: /elsewhere/"))
    assert "elsewhere" not in again(nnlab).read_config()["data"]["root"]


@pytest.mark.parametrize(
    "value",
    [1, -2.5, 1e-05, True, None, "plain", "true", "a b", "it's", 'say "x"', "a\\", "a\\'b", "x,y", "[1]", "", "1e3", [1, "a b"],
     {"0": 0.01, "a": [True, None]}],
)  # fmt: skip
def test_a_value_is_read_as_it_was(value: object) -> None:
    read = OverridesParser.create().parse_override(f"key={as_word(value)}").value()
    assert json.dumps(plain(read)) == json.dumps(value)


def plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(plain(key)): plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return getattr(value, "text", value)
