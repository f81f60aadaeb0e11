"""nnlab perturb: examples near an image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import only_run, small
from PIL import Image

from nnlab.experiment.loading import open_run
from nnlab.plotting.images import to_pixels

pytestmark = pytest.mark.usefixtures("untitled")

TILE = 48  # 8 pixels, each six times


@pytest.fixture
def trained(train_once):
    def run(*overrides: str, model: str = "pca") -> None:
        length = ["trainer.steps=2", "trainer.precision=float32"] if model != "pca" else []
        train_once(*small(model), "trainer.show_every=never", *length, *overrides)

    return run


@pytest.fixture
def vary(nnlab):
    """The picture, and its figures."""

    def run(*typed: str) -> tuple[np.ndarray, dict]:
        status, out, error = nnlab("perturb", "last", *typed)
        assert status == 0, error
        figures, picture = out.splitlines()[-2:]
        return np.asarray(Image.open(picture)), json.loads(Path(figures).read_text())

    return run


def enlarged(image: torch.Tensor) -> np.ndarray:
    return to_pixels(image, open_run("last").model.spec).repeat(6, axis=0).repeat(6, axis=1)


def test_a_linear_decoder_leads_as_far_as_the_scale(trained, vary):
    trained()
    _, figures = vary("--index", "3", "--scale", "0.1,0.2,0.4", "-n", "5")
    mse, distance = (np.array([row[name] for row in figures["scales"]]) for name in ("mse", "code_distance"))
    assert np.allclose(mse, mse[0] * np.array([1, 4, 16]), rtol=1e-4)
    assert np.allclose(distance, distance[0] * np.array([1, 2, 4]), rtol=1e-5)


def test_the_spread_is_that_of_the_codes_of_the_training_split(trained, vary):
    """Components are orthonormal: an image moves as far as its code, Σ (σ_i ε_i)² = |image − output|²."""
    trained()
    _, figures = vary("--index", "3", "--scale", "1", "-n", "7", "--seed", "5")
    run = open_run("last")
    split = run.experiment.data.train
    codes = run.model.encode(split.values(split.rows)).double()
    noise = torch.randn((7, 4), generator=torch.Generator().manual_seed(5))
    moved = noise * codes.std(0, correction=0)
    assert figures["scales"][0]["code_distance"] == pytest.approx(moved.norm(dim=1).mean().item(), rel=1e-5)
    assert figures["scales"][0]["mse"] == pytest.approx(moved.square().sum(1).mean().item() / 64, rel=1e-4)


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_image_and_its_output_stand_left(trained, vary, split):
    trained("noise=gaussian", model="ae")
    shown, figures = vary("--index", "7", "--split", split, "--scale", "1e-6", "-n", "3")
    run = open_run("last")
    part = run.experiment.data.split(split)
    image = part.values(part.rows[[7]])
    output = run.model.reconstruct(image)[0]
    shown = shown[-TILE:]
    assert np.array_equal(shown[:, :TILE], enlarged(image[0]))
    assert np.array_equal(shown[:, TILE + 2 : 2 * TILE + 2], enlarged(output))
    assert (np.abs(shown[:, -TILE:].astype(int) - enlarged(output)) <= 1).all(), "at hardly a scale it is the output"
    assert figures["reconstruction_mse"] == pytest.approx((output - image[0]).square().mean().item(), rel=1e-5)
    assert figures["class"] == str(part.labels(part.rows[[7]]).item())


def test_a_seed_draws_the_same_and_another_others(trained, vary):
    trained("data.binarize=dynamic", model="ae")
    first, same, other = (vary("--index", "3", "--seed", seed)[0] for seed in ("0", "0", "1"))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_a_judge_of_the_runs_own_says_whether_the_class_is_kept(nnlab, trained, vary):
    status, _, error = nnlab("train", "model=fcnn", "model.hidden=[32]", "trainer.epochs=10", "outputs=judges")
    assert status == 0, error
    trained("model.latent_dim=24", f"judge={only_run('judges').path}")
    _, figures = vary("--index", "3", "--scale", "0.01,3", "-n", "50")
    assert figures["judge"] == only_run().read_config()["judge"]["fingerprint"]
    near, far = (row["class_agreement"] for row in figures["scales"])
    assert near == 1
    assert far < 0.8


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["--index", "359"], "--index 359: the test split has images 0 … 358"),
        (["--index", "-1"], "--index -1: the test split has images 0 … 358"),
        (["--index", "1.5"], "--index: expected a whole number, got '1.5'"),
        (["--index", "1" * 30], "--index: expected a whole number, got one of more than 64 bits"),
        (["--index", "0", "--scale", "0"], "--scale: expected numbers > 0 and at most 100, got 0"),
        (["--index", "0", "--scale", "0.5,-1"], "--scale: expected numbers > 0 and at most 100, got -1"),
        (["--index", "0", "--scale", "101"], "--scale: expected numbers > 0 and at most 100, got 101"),
        (["--index", "0", "-n", "101"], "-n: expected at most 100 for a picture, got 101"),
        (["--index", "0", "-o", "a.jpg"], "-o a.jpg: pictures are written as .png, .gif, .pdf, .svg; end the name so"),
        (["--index", "0", "--split", "validation"], "--split validation: it is empty in this run"),
    ],
    ids=str,
)
def test_what_cannot_be_shown_is_said_in_a_sentence(nnlab, trained, typed, expected):
    trained("data.validation=0")
    status, out, error = nnlab("perturb", "last", *typed)
    assert status == 2
    assert error == f"nnlab: {expected}\n"
    assert not out
    assert not (only_run().path / "images" / "variation.png").exists()


@pytest.mark.parametrize(
    "typed", [[], ["--index", "a"], ["--index", "0", "--scale", "much"], ["--index", "0", "--scale", "nan"]]
)
def test_what_is_no_number_or_left_out_is_a_matter_of_usage(nnlab, typed):
    status, _, error = nnlab("perturb", "last", *typed)
    assert status == 2
    assert error.startswith("nnlab: ")


def test_a_model_that_varies_images_itself_is_given_the_image_and_noise_of_each_scale(trained, vary):
    trained(model="dagan")
    shown, figures = vary("--index", "3", "--scale", "0.5,2", "-n", "4", "--seed", "5")
    run = open_run("last")
    x = run.data.test.values(run.data.test.rows[3:4])
    noise = torch.randn((4, 4), generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        still = run.model.vary(x, torch.zeros(1, 4))
        for row, scale in enumerate((0.5, 2.0)):
            varied = run.model.vary(x.expand(4, -1, -1, -1), scale * noise)
            assert figures["scales"][row]["mse"] == pytest.approx((varied - still).square().mean().item(), rel=1e-4)
            assert figures["scales"][row]["noise_norm"] == pytest.approx(scale * noise.norm(dim=1).mean().item(), rel=1e-5)
            assert holds(shown, enlarged(varied[0]))


def test_held_out_classes_are_varied_by_their_own_names(trained, vary, nnlab):
    trained("data.classes=[0,1,2,3,4]", model="dagan")
    _, figures = vary("--index", "3", "--split", "held_out", "-n", "2")
    data = open_run("last").data
    label = data.held_out.labels(data.held_out.rows)
    assert figures["class"] == data.held_out_classes[label[3]] in {"5", "6", "7", "8", "9"}
    assert nnlab("augment", "last", "-n", "1", "--split", "held_out", "-o", "more.npz")[0] == 0
    with np.load("more.npz") as file:
        assert set(file["y_train"]) == {"5", "6", "7", "8", "9"}


def holds(picture: np.ndarray, tile: np.ndarray) -> bool:
    """Whether a picture shows a tile anywhere."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, tile.shape)[:, :, 0]
    near = np.argwhere((windows[:, :, 0, 0] == tile[0, 0]).all(-1) & (windows[:, :, -1, -1] == tile[-1, -1]).all(-1))
    return any(np.array_equal(windows[y, x], tile) for y, x in near)
