"""nnlab interpolate, and what traverse shares with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import only_run
from PIL import Image

from nnlab.experiment.loading import open_run
from nnlab.plotting.images import to_pixels

pytestmark = pytest.mark.usefixtures("untitled")


def picture(path: str | Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_rows_go_from_the_images_asked_for_to_the_others(nnlab, trained, split):
    trained("noise=gaussian", model="vae")
    status, out, error = nnlab("interpolate", "last", "--from", "3,0", "--to", "4,9", "--split", split, "--steps", "3")
    assert status == 0, error
    assert Path(out.strip()) == only_run().images / "interpolation.png"
    shown, part = picture(out.strip()), open_run("last").experiment.data.split(split)
    row, tile = 48 + 2, 48
    top = shown.shape[0] - (2 * row - 2)
    for i, (a, b) in enumerate([(3, 4), (0, 9)]):
        first, last = (to_pixels(part.values(part.rows[[j]])[0], open_run("last").model.spec) for j in (a, b))
        block = shown[top + i * row :][:tile]
        large = [np.repeat(np.repeat(image, 6, axis=0), 6, axis=1) for image in (first, last)]
        assert np.array_equal(block[:, -tile:], large[1])
        assert any(np.array_equal(block[:, x : x + tile], large[0]) for x in range(200))


def test_a_blend_adds_a_row_to_each(nnlab, trained):
    trained()
    for name, more in {"plain.png": [], "blend.png": ["--blend"]}.items():
        assert nnlab("interpolate", "last", "--from", "3,0", "--to", "4,9", *more, "-o", name)[0] == 0
    assert picture("blend.png").shape[0] - picture("plain.png").shape[0] == 2 * (48 + 2)


def test_data_that_are_drawn_at_each_reading_give_the_same_picture(nnlab, trained):
    trained("data.binarize=dynamic")
    for name in ("a.png", "b.png"):
        assert nnlab("interpolate", "last", "--from", "3", "--to", "4", "-o", name)[0] == 0
    assert np.array_equal(picture("a.png"), picture("b.png"))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["--from", "99999", "--to", "0"], "--from 99999: the test split has images 0 … 358"),
        (["--from", "0,1", "--to", "0,359"], "--to 359: the test split has images 0 … 358"),
        (["--from", "-1", "--to", "0"], "--from -1: the test split has images 0 … 358"),
        (["--from", "0,1", "--to", "2"], "--from, --to: 2 and 1 images; each row needs one of both"),
        (
            ["--from", "0", "--to", "1", "--steps", "1"],
            "--steps: expected a whole number between 2 and 100, got 1",
        ),
        (["--from", "0", "--to", "1", "--split", "validation"], "--split validation: it is empty in this run"),
        (["--from", "0", "--to", "1", "-o", "x.jpg"], "-o x.jpg: pictures are written as .png"),
        (["--from", "0", "--to", "1", "--checkpoint", "step-9"], "checkpoint 'step-9'"),
    ],
    ids=str,
)
def test_what_cannot_be_shown_is_said_in_a_sentence(nnlab, trained, typed, expected):
    trained("data.validation=0")
    status, _, error = nnlab("interpolate", "last", *typed)
    assert status == 2
    assert expected in error
    assert len(error.splitlines()) == 1
    assert not (only_run().images / "interpolation.png").exists()


@pytest.mark.parametrize("typed", [["--from", "a", "--to", "1"], ["--from", "1"]])
def test_what_is_no_number_or_left_out_is_a_matter_of_usage(nnlab, typed):
    status, _, error = nnlab("interpolate", "last", *typed)
    assert status == 2
    assert error.startswith("nnlab: ")


def test_models_and_data_of_which_there_is_no_picture(nnlab, trained):
    trained("data=moons")
    typed = ["--from", "0", "--to", "1"]
    assert "interpolate: Moons is a table of 2 columns, so there is no picture" in nnlab("interpolate", "last", *typed)[2]
    trained(model="kmeans")
    assert "interpolate: KMeans cannot decode a code; models that can: aae, ae, " in nnlab("interpolate", "last", *typed)[2]


def test_traverse_refuses_a_split_that_has_no_effect(nnlab, trained):
    trained()
    status, _, error = nnlab("traverse", "last", "--split", "train")
    assert status == 2
    assert error == "nnlab: --split train: has no effect without --index; add --index I, or leave it out\n"
    assert nnlab("traverse", "last", "--split", "train", "--index", "1000", "-o", "a.png")[0] == 0
    assert "--index 1000: the test split has images 0 … 358" in nnlab("traverse", "last", "--index", "1000")[2]


def test_traverse_starts_from_the_image_of_the_split_asked_for(nnlab, trained):
    trained()
    for split in ("train", "test"):
        assert nnlab("traverse", "last", "--split", split, "--index", "7", "-o", f"{split}.png")[0] == 0
    assert nnlab("traverse", "last", "--index", "7", "-o", "default.png")[0] == 0
    assert not np.array_equal(picture("train.png"), picture("test.png"))
    assert np.array_equal(picture("default.png"), picture("test.png"))
