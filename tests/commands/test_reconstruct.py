"""nnlab reconstruct: its figures, and one's own images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import only_run
from PIL import Image

from nnlab.data.feed import BatchBuilder
from nnlab.data.noise.gaussian import Gaussian
from nnlab.data.spec import Batch
from nnlab.experiment.loading import open_run
from nnlab.metrics.reconstruction import mse, psnr
from nnlab.plotting.latent import reconstruction_picture
from nnlab.training.randomness import fork_rng

pytestmark = pytest.mark.usefixtures("untitled")


@pytest.fixture
def reconstruct(nnlab):
    """The picture, and its figures."""

    def run(*typed: str) -> tuple[np.ndarray, dict]:
        status, out, error = nnlab("reconstruct", "last", *typed)
        assert status == 0, error
        figures, picture = out.splitlines()[-2:]
        return np.asarray(Image.open(picture)), json.loads(Path(figures).read_text())

    return run


def images(n: int = 30, side: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side), dtype=np.uint8)


def save_images(folder: str, pixels: np.ndarray) -> None:
    Path(folder).mkdir()
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(Path(folder, f"{i:02d}.png"))


def mean_psnr(output: torch.Tensor, target: torch.Tensor) -> float:
    return psnr(mse(output, target), open_run("last").model.spec).double().mean().item()


@pytest.mark.parametrize("name", ["mine", "mine.npz"])
def test_ones_own_images_are_shown_at_even_distances_as_they_are(trained, reconstruct, name):
    trained("noise=gaussian")
    save_images("mine", images())
    np.savez("mine.npz", x=images())
    shown, figures = reconstruct("--input", name, "-n", "4")
    model = open_run("last").model
    x = torch.from_numpy(images()).float()[:, None] * (1 / 255)
    few = x[[0, 10, 19, 29]]
    assert np.array_equal(shown, reconstruction_picture(model, Batch(few, few)))
    assert figures["psnr"] == pytest.approx(mean_psnr(model.reconstruct(x), x), rel=1e-5)
    assert (figures["n"], figures["input"]) == (30, name)
    assert "input_psnr" not in figures


def test_a_noise_that_is_typed_is_added_to_them(trained, reconstruct):
    trained()
    save_images("mine", images())
    _, figures = reconstruct("--input", "mine", "--noise", "gaussian", "noise.std=0.2", "--seed", "3")
    x = torch.from_numpy(images()).float()[:, None] * (1 / 255)
    assert figures["input_psnr"] == pytest.approx(-10 * np.log10(0.2**2), abs=0.3)
    assert figures["psnr"] < mean_psnr(open_run("last").model.reconstruct(x), x) + 0.1
    assert "filled_psnr" not in figures, "they need not be like the training set"


def test_a_value_of_a_noise_stands_for_the_noise_of_the_run(nnlab, trained, reconstruct):
    trained("noise=gaussian")
    save_images("mine", images())
    low, high = (reconstruct("--input", "mine", f"noise.std={std}")[1]["input_psnr"] for std in (0.1, 0.4))
    assert low - high == pytest.approx(20 * np.log10(4), abs=0.3)
    trained()
    assert (
        "noise.std=1: this run has no noise; add --noise NAME"
        in nnlab("reconstruct", "last", "--input", "mine", "noise.std=1")[2]
    )


def test_the_figures_of_a_split_are_those_of_its_noise(trained, reconstruct):
    trained()
    _, figures = reconstruct("--noise", "gaussian", "noise.std=0.2", "-n", "5")
    run = open_run("last")
    split = run.experiment.data.test
    feed = BatchBuilder(split, Gaussian(run.model.spec, std=0.2))
    with fork_rng(0, run.device) as generator:
        feed.batch(split.spread(5), generator)
        batch = feed.batch(split.rows, generator)
    assert figures["input_psnr"] == pytest.approx(mean_psnr(batch.input, batch.target), rel=1e-6)
    assert figures["psnr"] == pytest.approx(mean_psnr(run.model.reconstruct(batch.input), batch.target), rel=1e-6)
    train = run.experiment.data.train
    mean = train.values(train.rows).mean(0)
    filled = torch.where(batch.mask, mean, batch.input)
    assert figures["filled_psnr"] == pytest.approx(mean_psnr(filled, batch.target), rel=1e-5)


def test_of_many_images_only_so_many_are_read(trained, reconstruct, monkeypatch):
    monkeypatch.setattr("nnlab.commands.reconstruct.MEASURED", 5)
    trained()
    save_images("mine", images())
    for place in set(range(30)) - {0, 7, 14, 22, 29}:
        Path("mine", f"{place:02d}.png").write_bytes(b"no image")
    np.savez("mine.npz", x=images())
    of_folder, of_array = (reconstruct("--input", name, "-n", "3") for name in ("mine", "mine.npz"))
    assert of_folder[1]["n"] == 5
    assert np.array_equal(of_folder[0], of_array[0])
    assert of_folder[1]["psnr"] == of_array[1]["psnr"]


def test_the_row_that_is_not_finite_is_named_though_others_are_left_out(nnlab, trained, monkeypatch):
    monkeypatch.setattr("nnlab.commands.reconstruct.MEASURED", 5)
    trained()
    x = images() / 255
    x[22] = np.nan
    np.savez("mine.npz", x=x)
    assert (
        "mine.npz: x[22] holds values that are not finite" in nnlab("reconstruct", "last", "--input", "mine.npz", "-n", "3")[2]
    )


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["--input", "mine", "--split", "test"], "--split test: has no effect on mine, which is used as a whole"),
        (["--input", "nowhere"], "nowhere: no such folder or file"),
        (["--input", "mine/03.png"], "mine/03.png: not a readable image"),
        (["--input", "mine"], "mine/03.png: not a readable image"),
        (["--input", "shape.npz"], "shape.npz: x has shape (3, 9, 8); this model takes images (N, 8, 8, 1)"),
        (["--input", "notes.txt"], "notes.txt: expected a folder of images, an image, or an .npz with an array 'x'"),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_said_in_a_sentence(nnlab, trained, typed, expected):
    trained()
    save_images("mine", images(5))
    Path("mine/03.png").write_bytes(b"no image")
    Path("notes.txt").write_text("hello")
    np.savez("shape.npz", x=np.zeros((3, 9, 8), np.uint8))
    status, _, error = nnlab("reconstruct", "last", *typed)
    assert status == 2
    assert error.startswith(f"nnlab: {expected}"), error
    assert len(error.splitlines()) == 1
    assert not (only_run().images / "reconstruction.json").exists()
