"""Files that do not fit and words that have no use are refused in a sentence, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import only_run
from own_images import images, save_images

from nnlab.families.em.kmeans import KMeans


def save_own() -> None:
    x = images(3)
    np.savez("good.npz", x=x)
    np.savez("shape.npz", x=np.zeros((3, 9, 8), np.uint8))
    np.savez("flat.npz", x=np.zeros((3, 64)))
    np.savez("deep.npz", x=np.zeros((3, 1, 8, 8, 1)))
    np.savez("rows.npz", x=np.zeros((0, 8, 8)))
    np.savez("one.npz", x=np.array(1.0))
    np.savez("texts.npz", x=np.array(["a", "b"]))
    np.savez("objects.npz", x=np.array([{}, {}]))
    np.savez("range.npz", x=np.minimum(x, 200).astype(np.float32))
    np.savez("nan.npz", x=np.where(np.arange(3)[:, None, None] == 2, np.nan, x / 255))
    np.savez("labels.npz", x=x, y=[1, 2])
    np.savez("names.npz", images=x)
    Path("text.npz").write_text("hello")
    Path("empty").mkdir()
    save_images("damaged", x)
    Path("damaged", "02.png").write_bytes(b"no image")


INPUTS = {
    "nowhere": "nowhere: no such folder or file",
    "text.npz": "text.npz: expected a folder of images, an image, or an .npz with an array 'x'",
    "empty": "empty: holds no image",
    "damaged": "damaged/02.png: not a readable image",
    "shape.npz": "shape.npz: x has shape (3, 9, 8); this model takes images (N, 8, 8, 1) or (N, 1, 8, 8) or (N, 8, 8)",
    "flat.npz": "flat.npz: x has shape (3, 64); this model takes images",
    "deep.npz": "deep.npz: x has shape (3, 1, 8, 8, 1); this model takes images",
    "rows.npz": "rows.npz: x has shape (0, 8, 8), without a row",
    "one.npz": "one.npz: x has shape (), without a row",
    "texts.npz": "texts.npz: x holds <U1; expected numbers",
    "objects.npz": "objects.npz: cannot be read (x holds objects; arrays of objects are not allowed",
    "range.npz": "range.npz: x holds 0 … 200, but the model learned from 0 … 1; bytes become 0 … 1",
    "nan.npz": "nan.npz: x[2] holds values that are not finite in float32; fill or remove that row",
    "labels.npz": "labels.npz: y has shape (2,); expected one label per row of x, (3,)",
    "names.npz": "names.npz: no array 'x' or 'x_train'; it holds images",
}


def test_own_files_that_do_not_fit_are_named_with_the_reason(nnlab, trained, monkeypatch):
    monkeypatch.setattr("nnlab.data.inputs.Reader.chunk", 2)
    trained()
    save_own()
    codes = only_run().path / "codes.npz"
    codes.write_bytes(b"before")
    for name, expected in INPUTS.items():
        status, _, error = nnlab("embed", "last", "--input", name)
        assert status == 2, name
        assert error.startswith(f"nnlab: {expected}"), error
        assert len(error.splitlines()) == 1
        assert codes.read_bytes() == b"before"
        assert not list(codes.parent.glob("codes.npz.*"))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["-o", "codes.txt"], "-o codes.txt: codes are written as NumPy's .npz; give a name that ends in .npz"),
        (["-o", "file/codes.npz"], "-o file/codes.npz: cannot write into"),
        (["--input", "good.npz", "-o", "good.npz"], "-o good.npz: is the input itself; give another name"),
        (["--input", "good.npz", "--split", "test"], "--split test: has no effect on --input, which is used as a whole"),
        (["--split", "validation"], "--split validation: it is empty in this run"),
        (["--tsne", "-1"], "--tsne: expected a whole number ≥ 0, got -1"),
        (["--tsne", "5001"], "--tsne: expected a whole number between 0 and 5000, got 5001"),
        (["--tsne", "9"], "--tsne: 9 codes are too few; t-SNE needs 10"),
        (["--input", "good.npz", "--tsne", "50"], "--tsne: 3 codes are too few"),
        (["--checkpoint", "step-9"], "checkpoint 'step-9'"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_said_in_a_sentence(nnlab, trained, typed, expected):
    trained("data.validation=0")
    np.savez("good.npz", x=images(3))
    Path("file").write_text("")
    before = Path("good.npz").read_bytes()
    status, _, error = nnlab("embed", "last", *typed)
    assert status == 2
    assert expected in error
    assert len(error.splitlines()) == 1
    assert Path("good.npz").read_bytes() == before
    assert not (only_run().path / "codes.npz").exists()


def test_codes_of_two_coordinates_need_no_tsne(nnlab, trained):
    trained("model.latent_dim=2")
    assert "--tsne: codes of 2 coordinates are drawn without t-SNE; leave it out" in nnlab("embed", "last", "--tsne", "50")[2]


def test_a_folder_of_images_is_no_table(nnlab, trained):
    trained("data=iris")
    save_images("mine", images())
    error = nnlab("embed", "last", "--input", "mine")[2]
    assert error.startswith("nnlab: mine: a folder of image files, but the model takes rows of 4 columns; give an .npz")


def test_images_beyond_bytes_come_from_no_image_file(nnlab, trained):
    np.savez("train.npz", x_train=np.random.default_rng(0).normal(size=(40, 8, 8)))
    trained("data=npz", "data.root=.", "data.file=train.npz")
    save_images("mine", images())
    np.savez("bytes.npz", x=images())
    assert "a folder of image files, but the model takes images of values -" in nnlab("embed", "last", "--input", "mine")[2]
    assert "x holds bytes, which become 0 … 1, but the" in nnlab("embed", "last", "--input", "bytes.npz")[2]


def test_a_model_that_cannot_encode_is_refused(nnlab, trained, monkeypatch):
    trained(model="kmeans")
    monkeypatch.setattr(KMeans, "encode", None)
    status, _, error = nnlab("embed", "last")
    assert status == 2
    assert error.startswith("nnlab: embed: KMeans cannot encode; models that can: aae, ae, ")
