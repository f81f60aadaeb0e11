"""A user's own files are embedded as training would have read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from embedded import codes_of, embed, split_of
from own_images import images, numbered, save_images, values
from PIL import Image

pytestmark = pytest.mark.usefixtures("blank_charts")


@pytest.mark.parametrize("chunk", [1000, 5])
def test_a_folder_is_read_in_the_order_of_its_names(trained, nnlab, chunk, monkeypatch):
    monkeypatch.setattr("nnlab.data.inputs.Reader.chunk", chunk)
    trained()
    save_images("mine", images())
    Path("mine", "notes.txt").write_text("no image")
    Path("mine", ".hidden").mkdir()
    save_images("mine/.hidden", images(1))
    found = embed(nnlab, "--input", "mine")
    assert set(found) == {"codes", "files"}
    assert found["files"].tolist() == [f"{i:02d}.png" for i in range(12)]
    assert np.allclose(found["codes"], codes_of(values(images())), atol=1e-6)


def test_folders_in_a_folder_are_classes_numbered_as_the_models_own(trained, nnlab):
    trained()
    save_images("mine", images(), numbered(12, "73"))
    found = embed(nnlab, "--input", "mine")
    assert found["files"].tolist()[0] == "3/01.png"
    assert found["labels"].tolist() == [3] * 6 + [7] * 6
    assert found["classes"].tolist() == list("0123456789")
    save_images("mine", images(1), numbered(1, "x"))
    found = embed(nnlab, "--input", "mine")
    assert found["labels"].tolist() == [0] * 6 + [1] * 6 + [2]
    assert found["classes"].tolist() == ["3", "7", "x"]


def test_images_are_brought_to_the_models_size_and_colours(trained, nnlab):
    trained()
    colour = np.random.default_rng(1).integers(0, 256, (3, 20, 16, 3), dtype=np.uint8)
    save_images("mine", colour)
    gray = [np.asarray(Image.fromarray(image).convert("L").resize((8, 8), Image.Resampling.BILINEAR)) for image in colour]
    assert np.allclose(embed(nnlab, "--input", "mine")["codes"], codes_of(values(np.stack(gray))), atol=1e-6)


def test_gray_images_are_read_by_a_model_of_colours(trained, nnlab):
    np.savez("train.npz", x_train=np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8))
    trained("data=npz", "data.root=.", "data.file=train.npz")
    save_images("mine", images())
    expected = codes_of(values(images()).expand(-1, 3, -1, -1))
    assert np.allclose(embed(nnlab, "--input", "mine")["codes"], expected, atol=1e-6)


@pytest.mark.parametrize(  # any two of a shape, a kind, a name and a way of saving are found together
    ("shape", "kind", "name", "save"),
    [
        ((12, 8, 8), np.uint8, "x", np.savez),
        ((12, 8, 8), np.float64, "x_train", np.savez_compressed),
        ((12, 8, 8, 1), np.uint8, "x", np.savez_compressed),
        ((12, 8, 8, 1), np.float64, "x_train", np.savez),
        ((12, 1, 8, 8), np.uint8, "x_train", np.savez_compressed),
        ((12, 1, 8, 8), np.float64, "x", np.savez),
    ],
)
def test_an_array_is_read_as_training_would_read_it(trained, nnlab, save, shape, kind, name, monkeypatch):
    monkeypatch.setattr("nnlab.data.inputs.Reader.chunk", 5)
    trained()
    x = images().reshape(shape)
    save("mine.npz", **{name: x if kind == np.uint8 else x / 255, name.replace("x", "y"): np.array([7, 3, 3] * 4)})
    found = embed(nnlab, "--input", "mine.npz")
    assert set(found) == {"codes", "indices", "labels", "classes"}
    assert np.allclose(found["codes"], codes_of(values(images())), atol=1e-6)
    assert found["labels"].tolist() == [7, 3, 3] * 4


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_table_of_ones_own_is_standardised_with_the_runs_figures(trained, nnlab, order):
    x = np.random.default_rng(0).normal(size=(60, 3)) * [1, 1e-3, 1e3] + [1e6, 0, -5]  # far from 0: float32 would not do
    np.savez("mine.npz", x_train=np.asarray(x, order=order), x_test=x[:5])
    trained("data=npz", "data.root=.", "data.file=mine.npz", "data.standardize=true")
    own, split = embed(nnlab, "--input", "mine.npz"), embed(nnlab, "--split", "train")
    assert np.allclose(own["codes"][split_of("train").rows], split["codes"], atol=1e-6)


@pytest.mark.parametrize("how", ["threshold", "fixed", "dynamic"])
def test_images_of_ones_own_are_binarized_as_the_runs_were(trained, nnlab, how):
    trained(f"data.binarize={how}")
    bits = (images() > 127).astype(np.uint8) * 255
    save_images("bits", bits)
    assert np.allclose(embed(nnlab, "--input", "bits")["codes"], codes_of(values(bits)), atol=1e-6)
    save_images("mine", images())
    found = embed(nnlab, "--input", "mine")["codes"]
    assert np.array_equal(embed(nnlab, "--input", "mine")["codes"], found), "the same seed draws the same bits"
    of_thresholds = np.allclose(found, codes_of((values(images()) >= 0.5).float()), atol=1e-6)
    assert of_thresholds == (how == "threshold")
    assert not np.allclose(found, codes_of(values(images())), atol=1e-3)
