"""Codes in a file decode to the model's reconstructions, and their figures are those of what is decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from archived import there_and_back
from conftest import train
from PIL import Image
from test_models import short

import nnlab as package
from nnlab.commands.capability import names_of
from nnlab.data import feed
from nnlab.data.spec import Batch
from nnlab.experiment.loading import open_run
from nnlab.metrics.reconstruction import mse, psnr
from nnlab.model import Decodes, Encodes, Tokenizes
from nnlab.plotting.latent import reconstruction_picture

pytestmark = pytest.mark.usefixtures("untitled")

KINDS = ("float32", "float16", "uint8")
ABLE = [name for name in names_of(Decodes) if name in names_of(Encodes)]


def reconstructions(name: str) -> torch.Tensor:
    """Of a split, in the batches of an evaluation."""
    split, model = open_run("last").experiment.data.split(name), package.load("last")
    with torch.inference_mode():
        return torch.cat([model.reconstruct(split.values(rows)) for rows in split.rows.split(feed.eval_batch_size(split))])


@pytest.mark.parametrize("model", ABLE)
def test_decoded_codes_are_the_reconstructions_to_the_last_bit(nnlab, model, monkeypatch):
    for place in ("nnlab.data.feed.eval_batch_size", "nnlab.data.inputs.together"):
        monkeypatch.setattr(place, lambda split: 37)
    Path("outputs").mkdir()
    train("outputs/run", *short(model), "data.limit=150", pictures=False)
    x, figures = there_and_back(nnlab, "--split", "train")
    assert np.array_equal(x, reconstructions("train").numpy())
    kind = "symbols" if model in names_of(Tokenizes) else "float32"
    assert (figures["n"], figures["codes"], figures["input"]) == (len(x), kind, "train split")
    assert figures["n"] > 37 > figures["n"] % 37 > 0, "more than one batch, and the last one smaller"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["ae", "vae"])
def test_the_figures_are_those_of_what_is_decoded(trained, nnlab, kind, model):
    trained("noise=gaussian", "trainer.steps=30", model=model)
    x, figures = there_and_back(nnlab, "--codes", kind)
    run = open_run("last")
    split = run.experiment.data.test
    clean, decoded = split.values(split.rows), torch.from_numpy(x)
    error = mse(decoded, clean)
    assert figures["mse"] == pytest.approx(error.double().mean().item(), rel=1e-6)
    assert figures["psnr"] == pytest.approx(psnr(error, run.model.spec).double().mean().item(), rel=1e-6)
    assert figures["bytes_in"] == 359 * 64
    assert figures["bytes_out"] == Path("codes.npz").stat().st_size
    assert figures["ratio"] == figures["bytes_in"] / figures["bytes_out"]
    assert figures["model_bytes"] == 4 * run.folder.read_status()["parameters"]
    width = {"float32": 4, "float16": 2, "uint8": 1}[kind]
    assert 0 < figures["bytes_out"] - 359 * 4 * width < 1600, "what stands around the codes does not grow with them"


def test_fewer_bits_cost_some_quality(trained, nnlab):
    trained(model="pca")
    error = {kind: there_and_back(nnlab, "--codes", kind)[1]["mse"] for kind in KINDS}
    assert error["float32"] == pytest.approx(error["float16"], rel=1e-3)
    assert error["float32"] < error["uint8"] < 1.001 * error["float32"]


@pytest.mark.parametrize("kind", ["float32", "uint8"])
def test_the_picture_holds_images_at_even_distances_over_what_they_are_decoded_to(trained, nnlab, kind):
    trained("trainer.steps=30")
    x, _ = there_and_back(nnlab, "--codes", kind, "--split", "train")
    run = open_run("last")
    split, places = run.experiment.data.train, np.linspace(0, len(x) - 1, 24).round().astype(int)
    images = split.values(split.rows[places])
    expected = reconstruction_picture(run.model, Batch(images, images), torch.from_numpy(x[places]))
    assert np.array_equal(np.asarray(Image.open(run.folder.images / "encoding.png")), expected)


@pytest.mark.parametrize("how", ["threshold", "dynamic"])
def test_a_bit_of_the_input_counts_as_one_and_is_drawn_once(trained, nnlab, how):
    trained(f"data.binarize={how}")
    first, figures = there_and_back(nnlab, "--codes", "uint8")
    assert figures["bytes_in"] == 359 * 64 // 8
    assert np.array_equal(there_and_back(nnlab, "--codes", "uint8")[0], first)


def test_a_table_comes_back_in_its_own_units(trained, nnlab):
    trained("data=iris", model="pca")
    x, _ = there_and_back(nnlab, "--split", "train")
    run = open_run("last")
    split = run.experiment.data.train
    rows = run.model.spec.original(split.values(split.rows)).numpy()
    assert x.dtype == np.float64
    assert np.abs(x - rows).max() < 1e-4


def test_a_grid_of_symbols_is_stored_as_such_and_decodes_to_the_last_bit(nnlab, trained):
    trained("model.codes=300", "model.code_dim=4", model="vq_vae")
    images, figures = there_and_back(nnlab, "--split", "test")
    run = open_run("last")
    with np.load("codes.npz") as found:
        symbols = found["codes"]
        assert (symbols.dtype, found["alphabet"].tolist()) == (np.uint16, [300])
    assert symbols.shape == (figures["n"], run.model.places)
    test = run.experiment.data.test
    with torch.inference_mode():
        assert np.array_equal(symbols[:9], run.model.encode_indices(test.values(test.rows[:9])).numpy())
    assert figures["codes"] == "symbols"
    numbers, dearer = there_and_back(nnlab, "--split", "test", "--codes", "float32")
    assert np.array_equal(images, numbers)
    assert figures["bytes_out"] < 0.3 * dearer["bytes_out"]
    with np.load("codes.npz") as found, Path("odd.npz").open("wb") as file:
        np.savez(file, **{**found, "codes": np.full((2, run.model.places), 300, np.uint16), "alphabet": [300]})
    assert (
        "symbol 300 of an alphabet of 300: the file of codes is damaged"
        in nnlab("decompress", "last", "odd.npz", "-o", "no.npz")[2]
    )
