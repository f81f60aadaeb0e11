"""Whatever the files of a run folder from somebody else hold is told in a sentence."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from stranger import copied_run, fingerprint

from nnlab.runs.folder import RunFolder
from nnlab.runs.sweep import typed
from nnlab.runs.text_formats import as_json

pytestmark = pytest.mark.usefixtures("blank_charts")

STATUS = [[], None, 3, {"tags": [1, {}]}, {"tags": "x"}, {"parameters": None}, {"parameters": []}, {"versions": {"a": {}}}]
STATUS += [
    {"best": {"a": [1]}},
    {"best": None},
    {"epoch": []},
    {"epoch": 10**400},
    {"status": {}},
    {"process": []},
    {"x": [[[[]]]]},
]
SUMMARY = [
    [],
    None,
    {"final": None},
    {"best": None},
    {"final": []},
    {"final": {"a": "b"}},
    {"final": {"a": None}},
    {"best": [1]},
]


@pytest.fixture
def run(shared_run, own_folder: Path) -> Path:
    return copied_run(shared_run)


@pytest.mark.parametrize("name", ["status.json", "summary.json"])
def test_small_files_may_hold_anything(name: str, run: Path, nnlab) -> None:
    known = json.loads((run / name).read_text())
    for value in STATUS if name == "status.json" else SUMMARY:
        held = {**known, **value} if isinstance(value, dict) else value
        (run / name).write_text(json.dumps(held))
        for argv in (("show", str(run)), ("runs", "--root", str(run))):
            status, _, error = nnlab(*argv)
            assert (status, error) == (0, ""), value
    for text in ('{"seconds": Infinity}', "{", "[" * 10**5, '{"epoch": 1e999}'):
        (run / name).write_text(text)
        assert nnlab("show", str(run))[0] == nnlab("runs", "--root", str(run))[0] == 0


def test_nothing_reaches_the_terminal_as_it_is(run: Path, nnlab) -> None:
    evil = "\x1b]0;owned\x07\x9b2J\u202e\r"
    for name in ("status.json", "summary.json"):
        known = json.loads((run / name).read_text())
        known |= {"model": evil, "data": evil, "host": evil, "tags": [evil], "versions": {evil: evil}, "device": evil}
        known |= {"best": {evil: 1.0}, "final": {evil: 1.0}, "reason": evil, "status": "failed"}
        (run / name).write_text(json.dumps(known))
    (run / "images" / f"{evil}.png").write_bytes(b"")
    (run / evil).write_bytes(b"")
    for argv in (("show", str(run)), ("runs", "--root", "."), ("show", str(run), "--config"), ("evaluate", f"no{evil}")):
        _, out, error = nnlab(*argv)
        assert all(c.isprintable() or c == "\n" for c in out + error), argv


CONFIG = [
    ("seed", {}),
    ("device", {}),
    ("device", []),
    ("model", {}),
    ("model", []),
    ("data", 3),
    ("trainer", None),
    ("tags", [1]),
]
CONFIG += [("optimizer.schedule", "none"), ("optimizer.schedule", []), ("optimizer.lr", {}), ("model.latent_dim", 10**30)]
CONFIG += [
    ("model.hidden", [10**18]),
    ("model.hidden", {}),
    ("model._target_", 3),
    ("model._target_", "os.system"),
    ("judge", {}),
]
CONFIG += [("data.root", []), ("data.validation", {}), ("data._target_", None), ("noise", None), ("augmentation", 3), ("x", 1)]
CONFIG += [
    ("judge", {}),
    ("trainer.epochs", {}),
    ("trainer.early_stopping", None),
    ("trainer.early_stopping", 1),
    ("trainer.pretraining", 3),
]
CONFIG += [
    ("judge", {"_target_": "nnlab.checkpoints.reference.RunReference"}),
    ("outputs", {}),
    ("noise._target_", {}),
    ("seed", 10**40),
]


@pytest.mark.parametrize(("place", "value"), CONFIG, ids=[f"{place}={str(value)[:12]}" for place, value in CONFIG])
def test_a_config_of_another_type_is_told_in_sentences(place: str, value: object, run: Path, nnlab) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    *path, last = place.split(".")
    node = config
    for part in path:
        node = node[part]
    node[last] = value
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    refused(run, nnlab, "resume", "evaluate", "sample")


BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghij"))
NO_CONFIGS = ["3", "x", "[]", "", "[" * 5000, "&a {model: *a}", "a: {", "\x00", "model: ${nope}", "? [a]\n: b", BOMB]


@pytest.mark.parametrize("text", NO_CONFIGS, ids=map(str, range(len(NO_CONFIGS))))
def test_a_config_that_is_none_is_told_in_a_sentence(text: str, run: Path, nnlab) -> None:
    (run / "config.yaml").write_text(text)
    refused(run, nnlab, "resume", "evaluate", "show")


def refused(run: Path, nnlab, *verbs: str) -> None:
    before = fingerprint(run)
    for verb in verbs:
        status, _, error = nnlab(verb, str(run), *(["trainer.steps=2"] if verb == "resume" else []))
        assert status == 2, (verb, error)
        assert all(line.startswith("nnlab: ") for line in error.splitlines()), (verb, error)
        assert fingerprint(run) == before, verb


def without(key: str):
    return lambda state: state.pop(key)


def changed(place: str, value: object):
    def change(state: dict) -> None:
        *path, last = place.split(".")
        for part in path:
            state = state[part]
        state[last] = value

    return change


CHECKPOINT = {f"without {key}": without(key) for key in ("progress", "spec", "lengths", "trainer", "format")}
CHECKPOINT |= {
    f"{place}={str(value)[:14]}": changed(place, value)
    for place, value in [
        *[("spec.shape", shape) for shape in ([10**12], [-1, 8, 8], ["a"], [], [1, 8, 10**9], 3, [1.5], [0])],
        *[("spec.kind", "video"), ("spec.name", 3), ("spec.classes", [1]), ("spec.low", float("nan")), ("spec.extra", 1)],
        *[("progress.step", -1), ("progress.step", "x"), ("progress.figures", []), ("progress.best", {}), ("progress", 3)],
        *[("trainer.model", {}), ("trainer.model", 3), ("trainer.model", {"x": 3}), ("trainer.model", {"x": torch.zeros(2)})],
        *[("trainer.stage", -1), ("trainer.stage", "x"), ("trainer.stage", 7), ("lengths.metrics", -1), ("lengths", {})],
    ]
}


@pytest.mark.parametrize("case", CHECKPOINT)
def test_a_checkpoint_of_another_kind_is_told_in_a_sentence(case: str, run: Path, nnlab) -> None:
    for path in (run / "checkpoints").glob("*.pt"):
        state = torch.load(path, weights_only=True)
        CHECKPOINT[case](state)
        torch.save(state, path)
    refused(run, nnlab, "resume", "evaluate")


@pytest.mark.parametrize("value", [None, 3, {}, []], ids=str)
@pytest.mark.parametrize("key", ["random", "meter", "model", "memory", "players"])
def test_a_checkpoint_that_cannot_be_gone_on_from_is_told_in_a_sentence(key: str, value: object, run: Path, nnlab) -> None:
    if (key, value) == ("memory", {}):
        pytest.skip("a memory may be empty")
    path = run / "checkpoints" / "last.pt"
    state = torch.load(path, weights_only=True)
    if key not in state["trainer"]:
        key = next(k for k in state["trainer"] if k not in ("random", "meter", "model", "stage", "memory"))
    state["trainer"][key] = copy.copy(value)
    torch.save(state, path)
    refused(run, nnlab, "resume")


def test_codes_that_are_not_there_take_no_memory(run: Path, nnlab) -> None:
    assert nnlab("compress", str(run), "-o", "c.npz")[0] == 0
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (10**10, 2)})
    for name in ("codes", "shape"):
        with zipfile.ZipFile("c.npz") as known, zipfile.ZipFile("d.npz", "w") as lying:
            for entry in known.namelist():
                lying.writestr(entry, head.getvalue() + bytes(16) if entry == f"{name}.npy" else known.read(entry))
        status, _, error = nnlab("decompress", str(run), "d.npz", "-o", "out.npz")
        assert status == 2
        assert f"the header of {name} says shape" in error


def test_json_shows_what_a_terminal_would_obey() -> None:
    value = {"Größe \x9b2J": "\u202e\U000e0001\x7f\n"}
    text = as_json(value)
    assert all(c.isprintable() or c == "\n" for c in text)
    assert json.loads(text) == value
    assert "Größe" in text


def test_what_was_typed_for_a_job_may_be_anything(run: Path) -> None:
    path = run / ".hydra" / "overrides.yaml"
    path.parent.mkdir(exist_ok=True)
    for text in ("a: 1", "3", "- {a: 1}", "[" * 5000, "\x00", "&a [*a]", "- ${nope}"):
        path.write_text(text)
        assert all(isinstance(word, str) for word in typed(RunFolder(run)))
