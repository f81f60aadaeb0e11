"""nnlab outliers: the scores of every example, the worst of them, and how classes kept out stand apart."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import only_run, small
from PIL import Image
from sklearn.metrics import roc_auc_score

from nnlab.experiment.loading import open_run
from nnlab.families.em.kmeans import KMeans
from nnlab.plotting.cards import FRAME


@pytest.fixture
def trained(train_once):
    def run(*overrides: str, model: str = "pca") -> None:
        train_once(*small(model), "trainer.show_every=never", *overrides)

    return run


def rows() -> list[dict[str, str]]:
    with (only_run().path / "outliers.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def framed(path: Path) -> int:
    """How many pixels of a picture have the colour of a frame."""
    with Image.open(path) as picture:
        return int((np.asarray(picture) == FRAME).all(-1).sum())


def test_every_example_stands_in_the_table_with_its_own_score(nnlab, trained) -> None:
    trained("data.classes=[3,1]")
    status, out, error = nnlab("outliers", "last", "-n", "5")
    assert status == 0, error
    found, told, run = rows(), json.loads(out), open_run("last")
    data = run.data
    sets = {"test": (data.test, ("3", "1")), "others": (data.held_out, tuple("02456789"))}
    assert (told["n"], told["kept_out"]["n"]) == (len(data.test), len(data.held_out))
    assert told["kept_out"]["classes"] == list("02456789")
    assert len(found) == told["n"] + told["kept_out"]["n"] == 359
    assert len({(row["set"], row["index"]) for row in found}) == 359
    scores = [float(row["score"]) for row in found]
    assert scores == sorted(scores, reverse=True)
    for row in found[::20]:
        split, classes = sets[row["set"]]
        place = split.rows[int(row["index"])][None]
        with torch.inference_mode():
            assert run.model.score(split.values(place)).item() == pytest.approx(float(row["score"]), rel=1e-4)
        assert row["class"] == classes[split.labels(place).item()]
        assert row["kept_out"] == str(int(row["set"] == "others"))


def test_the_figures_are_those_of_the_table(nnlab, trained) -> None:
    trained("data.classes=[0,1,2,3,4]")
    told = json.loads(nnlab("outliers", "last")[1])
    score, out = (np.array([float(row[key]) for row in rows()]) for key in ("score", "kept_out"))
    assert told["auc"] == pytest.approx(roc_auc_score(out, score))
    assert told["auc"] > 0.8, "components of some digits do not hold the others"
    assert told["mean"] == pytest.approx(score[out == 0].mean())
    assert told["kept_out"]["mean"] == pytest.approx(score[out == 1].mean())
    assert told["score"].startswith("Σ (x̂ − x)²")


def test_without_classes_kept_out_there_is_nothing_to_tell_apart(nnlab, trained) -> None:
    trained()
    status, out, error = nnlab("outliers", "last")
    told = json.loads(out)
    assert (status, told["n"]) == (0, 359)
    assert not {"auc", "kept_out"} & told.keys()
    assert not (only_run().images / "outlier_scores.png").exists()
    assert error.strip().endswith("images/outliers.png")
    assert not framed(only_run().images / "outliers.png")


@pytest.mark.parametrize("split", ["train", "validation"])
def test_another_split_is_ranked_alone(nnlab, trained, split: str) -> None:
    trained("data.classes=[0,1]")
    told = json.loads(nnlab("outliers", "last", "--split", split)[1])
    assert told["split"] == split
    assert {row["set"] for row in rows()} == {split}
    assert "auc" not in told


def test_the_picture_holds_as_many_as_asked_for_and_frames_those_kept_out(nnlab, trained) -> None:
    trained("data.classes=[0,1]")
    sizes, frames = {}, {}
    for n in (1, 9, 500):
        assert nnlab("outliers", "last", "-n", str(n), "-o", f"own/{n}.png")[0] == 0
        with Image.open(f"own/{n}.png") as picture:
            sizes[n] = picture.size
        frames[n] = framed(Path(f"own/{n}.png"))
    assert sizes[1][1] < sizes[9][1] < sizes[500][1]
    assert 0 < frames[1] < frames[9] < frames[500]
    assert (only_run().images / "outlier_scores.png").exists()


def test_points_of_the_plane_are_plotted_and_wider_tables_are_not(nnlab, trained) -> None:
    trained("data=blobs", "data.classes=[0,1]", "model.latent_dim=1")
    assert nnlab("outliers", "last")[0] == 0
    assert (only_run().images / "outliers.png").exists()


def test_a_wider_table_has_its_figures_alone(nnlab, trained) -> None:
    trained("data=iris", "data.classes=[setosa]", "model.latent_dim=2")
    status, out, error = nnlab("outliers", "last")
    assert status == 0, error
    assert json.loads(out)["auc"] > 0.98, "the other two species lie far off"
    assert not (only_run().images / "outliers.png").exists()
    status, _, error = nnlab("outliers", "last", "-o", "own.png")
    assert (status, error) == (2, "nnlab: -o own.png: Iris is a table of 4 columns, so there is no picture\n")
    assert not Path("own.png").exists()


def test_what_cannot_be_asked_is_told_before_anything_is_written(nnlab, trained, monkeypatch) -> None:
    trained("data.validation=0", model="kmeans")
    for options, expected in {
        ("-o", "x.jpg"): "nnlab: -o x.jpg: pictures are written as .png, .gif, .pdf, .svg; end the name so\n",
        ("--split", "validation"): "nnlab: --split validation: it is empty in this run\n",
    }.items():
        assert nnlab("outliers", "last", *options)[::2] == (2, expected)
    monkeypatch.delattr(KMeans, "score")
    status, _, error = nnlab("outliers", "last")
    assert status == 2
    assert error.startswith("nnlab: outliers: KMeans cannot tell how unusual an example is; models that can: ae, ")
    assert not (only_run().path / "outliers.csv").exists()
