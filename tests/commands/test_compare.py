"""Runs beside each other: `nnlab compare`."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from conftest import QUIET, small

from nnlab.plotting import gallery
from nnlab.runs.comparison import Comparison
from nnlab.runs.folder import RunFolder

pytestmark = pytest.mark.usefixtures("blank_charts")

WORDS = [*small("ae"), "trainer.steps=3", *QUIET]


@pytest.fixture
def sweep(nnlab) -> Path:
    status, _, error = nnlab("train", "-m", *WORDS, "optimizer.lr=1e-3,1e-4", "hydra.sweep.dir=sweep")
    assert status == 0, error
    return Path("sweep")


def rows(path: str = "into/compare.csv") -> list[dict]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_what_differs_and_no_more_stands_beside_the_figures(nnlab, sweep: Path) -> None:
    status, out, error = nnlab("compare", "sweep", "-o", "into")
    assert status == 0, error
    assert "optimizer.lr  0.001  0.0001" in out
    assert "seed" not in out
    assert [row["optimizer.lr"] for row in rows()] == ["0.001", "0.0001"]
    mse = [RunFolder(sweep / str(i)).read_summary()["final"]["test/mse"] for i in range(2)]
    assert [float(row["test/mse"]) for row in rows()] == pytest.approx(mse, rel=1e-4)
    line = next(line for line in out.splitlines() if line.startswith("mse "))
    assert line.split()[1 + mse.index(min(mse))].endswith("*")
    assert line.count("*") == 1
    assert {path.name for path in Path("into").iterdir()} == {"compare.csv", "compare.md", "reconstruction.png"}


def test_runs_of_other_models_have_blanks_where_they_share_nothing(nnlab) -> None:
    for model in ("pca", "kmeans"):
        assert nnlab("train", f"model={model}", "data.limit=200", QUIET[0], f"hydra.run.dir={model}")[0] == 0
    status, out, error = nnlab("compare", "pca", "kmeans", "-o", "into")
    assert status == 0, error
    pca, kmeans = rows()
    assert (pca["model"], kmeans["model"]) == ("pca", "kmeans")
    assert pca["model.clusters"] == kmeans["model.latent_dim"] == pca["test/inertia"] == ""
    assert float(kmeans["test/inertia"]) > 0
    assert "no curves" not in out
    assert Path("into/reconstruction.png").exists()


def test_many_runs_have_a_row_each_and_the_best_are_drawn(nnlab, sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(2, 9):
        shutil.copytree(sweep / "0", sweep / str(i))
    monkeypatch.setattr(gallery, "MOST", 3)
    out = nnlab("compare", "sweep", "-o", "into")[1]
    assert len(rows()) == 9
    assert "in the pictures are the best 3 of 9 runs" in out
    assert sum(line.startswith("sweep/") for line in out.splitlines()) == 9


def test_the_same_run_twice_is_one(nnlab, sweep: Path) -> None:
    assert "two runs at least" in nnlab("compare", "sweep/0", "sweep/0")[2]
    assert "the configs are the same" in nnlab("compare", "sweep/0", copied(sweep), "--no-pictures")[1]


def copied(sweep: Path) -> str:
    return str(shutil.copytree(sweep / "0", "copy"))


def test_a_run_by_two_paths_is_one(nnlab, sweep: Path) -> None:
    status, out, error = nnlab("compare", "sweep", str((sweep / "0").absolute()), "--no-pictures")
    assert status == 0, error
    assert out.splitlines()[0].startswith("A ")
    assert not any(line.startswith("C ") for line in out.splitlines())


def test_without_a_folder_it_makes_a_new_one_each_time(nnlab, sweep: Path) -> None:
    for _ in range(2):
        assert nnlab("compare", "sweep", "--no-pictures")[0] == 0
    assert len(list(Path("outputs/comparisons").glob("*/compare.md"))) == 2


def test_a_run_that_has_no_figures_yet_is_a_column_of_blanks(nnlab, sweep: Path) -> None:
    (sweep / "1" / "summary.json").unlink()
    RunFolder(sweep / "1").write_status("interrupted")
    comparison = Comparison.of([RunFolder(sweep / str(i)) for i in range(2)])
    assert list(comparison.differs["status"]) == ["completed", "interrupted"]
    assert comparison.figures["mse"][1] is None
    assert "*" not in "".join(comparison.marked()["mse"])


def test_of_other_examples_nothing_is_the_best(nnlab, sweep: Path) -> None:
    words = [*WORDS, "optimizer.lr=1e-3", "data.limit=100", "hydra.run.dir=fewer"]
    assert nnlab("train", *words)[0] == 0
    assert "*" not in nnlab("compare", "sweep/0", "fewer", "--no-pictures")[1]


def test_a_sweep_that_has_not_begun_is_told_so(nnlab, own_folder: Path) -> None:
    Path("sweep").mkdir()
    Path("sweep/sweep.json").write_text('{"jobs": [["model=ae"]]}')
    assert "none of its runs has begun" in nnlab("compare", "sweep")[2]
