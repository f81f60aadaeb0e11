"""A run meets the data it was trained on, or says that they are others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nnlab as package
from nnlab.experiment.loading import open_run
from nnlab.runs.folder import RunFolder

pytestmark = pytest.mark.usefixtures("blank_charts")

HEADER = "x,y,z,kind\n"
VERBS = {
    "evaluate": [],
    "resume": ["trainer.epochs=3"],
    "embed": ["--tsne", "0", "-o", "codes.npz"],
    "compress": ["--split", "test", "-o", "test.npz"],
    "outliers": [],
    "probe": ["--labels", "10"],
}


def rows() -> list[list[str]]:
    rng = np.random.default_rng(0)
    return [[f"{a:.3f}", f"{b:.3f}", f"{a - b:.3f}", "uv"[int(a > 0)]] for a, b in rng.normal(3, 2, (80, 2))]


def write(table: list[list[str]], header: str = HEADER) -> None:
    Path("own.csv").write_text(header + "".join(",".join(row) + "\n" for row in table))


def trained(nnlab, model: str = "ae", *options: str) -> None:
    write(rows())
    data = ["data=csv", f"data.file={Path('own.csv').absolute()}", "data.label=kind"]
    fast = ["trainer.epochs=2", "trainer.show_every=never", "trainer.precision=float32", "hydra.run.dir=run"]
    status, _, error = nnlab("train", f"model={model}", *data, *fast, *options)
    assert status == 0, error


def value(table):
    table[3][0] = "9.999"


def fewer(table):
    del table[40:]


def shuffled(table):
    for row, other in zip(table, reversed([row[3] for row in table]), strict=True):
        row[3] = other


def renamed(table):
    for row in table:
        row[3] = {"u": "cat", "v": "dog"}[row[3]]


def scaled(table):
    for row in table:
        row[0] = str(-1000 * float(row[0]))


CHANGES = {value: "other values", fewer: "other values", shuffled: "other labels", renamed: "classes u, v, now cat, dog"}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_other_data_of_the_same_name_are_refused(nnlab, change) -> None:
    trained(nnlab)
    table = rows()
    change(table)
    write(table)
    for verb, options in {name: VERBS[name] for name in ("evaluate", "resume")}.items():
        status, _, error = nnlab(verb, "run", *options)
        assert status == 2
        assert "data: own is not what the run was trained on (" in error
        assert CHANGES[change] in error
        assert "--data-changed" in error


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_reads_the_data_refuses_them(nnlab, verb: str) -> None:
    trained(nnlab)
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file() and path.name != "train.log"}
    table = rows()
    value(table)
    write(table)
    status, _, error = nnlab(verb, "run", *VERBS[verb])
    assert (status, "is not what the run was trained on (other values)" in error) == (2, True), error
    assert len(error.splitlines()) == 1
    after = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file() and path.name != "train.log"}
    assert after == before


@pytest.mark.parametrize("header", ["x,y,w,z,kind\n", "x,y,kind\n"])
def test_another_number_of_columns_is_a_sentence(nnlab, header: str) -> None:
    trained(nnlab)
    width = header.count(",")
    write([[*row[:3], "1"][:width] + row[3:] for row in rows()], header)
    for options in ([], ["--data-changed"]):
        status, _, error = nnlab("resume", "run", "trainer.epochs=3", *options)
        assert (status, "its model cannot take it" in error) == (2, True), error


def test_changed_data_are_seen_with_the_runs_own_mean_and_deviation(nnlab) -> None:
    trained(nnlab)
    known = open_run("run").state["spec"]
    table = rows()
    scaled(table)
    write(table)
    run = open_run("run", data_changed=True)
    seen = np.concatenate([split.values(split.rows).numpy() for split in (run.data.train, run.data.validation)])
    expected = (np.array([[float(x) for x in row[:3]] for row in table]) - known["mean"]) / known["std"]
    assert {tuple(np.round(row, 3)) for row in seen} <= {tuple(np.round(row.astype(np.float32), 3)) for row in expected}

    assert json.loads(nnlab("evaluate", "run", "--data-changed")[1])["data_changed"] == ["other values"]
    status, out, error = nnlab("resume", "run", "trainer.epochs=3", "--data-changed")
    assert status == 0, error
    assert "from step 2 on different data than before: other values" in out
    assert RunFolder(Path("run")).read_status()["data_changed"]["differs"] == ["other values"]
    again = open_run("run", "last").state["spec"]
    assert (again["mean"], again["std"]) == (known["mean"], known["std"])
    assert again["digest"] != known["digest"]
    assert package.load("run").spec.mean == tuple(known["mean"])


def test_a_judge_of_corrected_labels_is_another(nnlab, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nnlab.experiment import judging

    monkeypatch.setattr(judging, "LEAST_STEPS", 5)
    monkeypatch.setenv("NNLAB_DATA", str(own_folder))
    trained(nnlab, "vae", f"data.root={own_folder}", "judge=auto")
    table = rows()
    shuffled(table)
    write(table)
    status, _, error = nnlab("evaluate", "run", "--judge", "auto", "--data-changed")
    assert status == 0, error
    assert len(list((own_folder / "judges").iterdir())) == 2


def test_a_run_of_before_has_no_digest_to_compare(nnlab) -> None:
    """Its checkpoints hold eight digits of the values alone."""
    import torch

    trained(nnlab)
    for path in Path("run/checkpoints").glob("*.pt"):
        state = torch.load(path, weights_only=True)
        state["spec"]["digest"] = "0123abcd"
        torch.save(state, path)
    assert nnlab("evaluate", "run")[0] == 0
