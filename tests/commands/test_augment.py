"""nnlab augment: generated examples in a file, which a training set takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import only_run, small

import nnlab as package
from nnlab.commands.augment import stored
from nnlab.data.own_files import as_the_data
from nnlab.data.spec import DataSpec
from nnlab.experiment.loading import LoadedRun, open_run


@pytest.fixture
def trained(train_once):
    def run(model: str) -> None:
        train_once(*small(model), "trainer.steps=2", "trainer.precision=float32", "trainer.show_every=never")

    return run


def arrays(path: str = "more.npz") -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def test_a_conditional_model_makes_so_many_of_each_class(nnlab, trained) -> None:
    trained("cgan")
    status, out, error = nnlab("augment", "last", "-n", "3", "-o", "more.npz", "--seed", "5")
    assert status == 0, error
    assert out.splitlines()[0].startswith("30 examples (0: 3, 1: 3, ")
    found, model = arrays(), package.load("last")
    assert found["y_train"].tolist() == [str(c) for c in range(10) for _ in range(3)]
    label = torch.arange(10).repeat_interleave(3)
    with torch.inference_mode():
        expected = model.sample_class(label, torch.Generator().manual_seed(5))
    assert np.allclose(found["x_train"], expected[:, 0], atol=1e-6)
    nnlab("augment", "last", "-n", "4", "-o", "more.npz", "--label", "7,0")
    assert arrays()["y_train"].tolist() == ["7"] * 4 + ["0"] * 4


def test_two_commands_lead_from_a_game_to_a_classifier(nnlab, trained) -> None:
    trained("cgan")
    nnlab("augment", "last", "-n", "20", "-o", "more.npz")
    file = Path("more.npz").absolute()
    for data in ([*small("cnn"), f"data.extra={file}"], ["model=cnn", "data=npz", f"data.file={file}", "model.channels=[4]"]):
        status, _, error = nnlab("train", *data, "trainer.steps=2", "trainer.show_every=never")
        assert status == 0, error
    assert (
        "200 examples of more.npz are among those to train on"
        in nnlab("train", *small("cnn"), f"data.extra={file}", "trainer.steps=2", "trainer.show_every=never")[1]
    )


def test_other_examples_of_images_keep_the_classes_of_their_images(nnlab, trained) -> None:
    trained("dagan")
    given = np.random.default_rng(0).random((3, 8, 8), np.float32)
    np.savez("mine.npz", x_train=given, y_train=np.array(["7", "0", "7"]))
    status, _, error = nnlab("augment", "last", "-n", "4", "--of", "mine.npz", "-o", "more.npz")
    assert status == 0, error
    found, model = arrays(), package.load("last")
    assert found["y_train"].tolist() == ["7"] * 4 + ["0"] * 4 + ["7"] * 4
    z = torch.randn((12, model.latent_dim), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = model.vary(torch.from_numpy(given)[:, None].repeat_interleave(4, 0), z)
    assert np.allclose(found["x_train"], expected[:, 0], atol=1e-5)


def test_without_images_of_ones_own_it_takes_the_training_split(nnlab, trained) -> None:
    trained("dagan")
    _, _, error = nnlab("augment", "last", "-n", "2", "-o", "more.npz")
    assert error == ""
    assert arrays().keys() == {"x_train", "y_train"}
    data = open_run("last").data
    names = np.array(data.spec.classes)[data.train.labels(data.train.rows).numpy()]
    assert arrays()["y_train"].tolist() == names.repeat(2).tolist()
    _, _, error = nnlab("augment", "last", "-n", "2", "-o", "more.npz", "--split", "test")
    assert error == "nnlab: these are made of test images of Digits; test what learns from them on other images\n"
    assert len(arrays()["y_train"]) == 2 * len(data.test)
    assert arrays()["made_of_test_images_of"].tolist() == ["Digits"]


def test_a_run_that_stopped_before_the_game_has_no_examples_to_give(nnlab, trained, monkeypatch) -> None:
    """Its networks would make noise, with the names of classes."""
    trained("bagan")
    assert nnlab("augment", "last", "-n", "1", "-o", "more.npz")[0] == 0
    monkeypatch.setattr(LoadedRun, "_stage", 0)
    for typed in (["augment", "last", "-n", "1", "-o", "early.npz"], ["sample", "last"], ["sample", "last", "--label", "3"]):
        status, _, error = nnlab(*typed)
        assert status == 2
        assert "this run stopped in a stage before BAGAN learns to make examples; finish it with nnlab resume" in error
    assert not Path("early.npz").exists()


def test_the_stage_of_a_run_is_that_of_its_checkpoint(nnlab, trained) -> None:
    trained("bagan")
    run = open_run("last")
    run.state["trainer"]["stage"] = 0
    assert not run.model.makes_examples
    assert open_run("last").model.makes_examples


def test_images_of_bytes_become_bytes_again(nnlab) -> None:
    draw = np.random.default_rng(0)
    np.savez("own.npz", x_train=draw.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8), y_train=np.arange(60) % 3)
    file = Path("own.npz").absolute()
    short = ["model.channels=[4,8]", "trainer.steps=2", "trainer.show_every=never", "trainer.batch_size=16"]
    assert nnlab("train", "model=cgan", "data=npz", f"data.file={file}", *short)[0] == 0
    nnlab("augment", "last", "-n", "5", "-o", "more.npz")
    found = arrays()
    assert (found["x_train"].dtype, found["x_train"].shape) == (np.uint8, (15, 8, 8, 3))
    model = package.load(only_run().path)
    with torch.inference_mode():
        wanted = model.sample_class(torch.arange(3).repeat_interleave(5), torch.Generator().manual_seed(0))
    assert np.abs(found["x_train"] - 255 * wanted.movedim(1, -1).numpy()).max() <= 0.51


@pytest.mark.parametrize(
    "levels", [(0, 255), (0, 65535), (-1000, 1000), (0, 100_000), (-(2**40), 2**40), (0, 0.1), (0.5, 300.5), (), (0, 3)]
)
def test_images_of_any_levels_are_read_back_as_they_were_made(levels: tuple[float, ...]) -> None:
    """To the half of a level, as integers are, or as real numbers."""
    spec = DataSpec("own", "image", (1, 4, 4), range=levels)
    x = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    x[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    read, scale = as_the_data(stored(x, spec), spec)
    back = read.double() * scale
    step = 0.5 / (levels[1] - levels[0]) if levels and levels[1] - levels[0] >= 255 else 0
    assert (back - x).abs().max() <= step + 1e-6


@pytest.mark.parametrize(
    ("model", "typed", "expected"),
    [
        (
            "vae",
            [],
            "augment: VAE can neither make another example of the class of an image, nor draw examples of a class; "
            "models that can: bagan, cgan, cvae, dagan",
        ),
        ("cgan", ["--of", "mine.npz"], "--of: CGAN draws examples of classes, not of images; leave it out"),
        ("cgan", ["--split", "test"], "--split: CGAN draws examples of classes, not of images; leave it out"),
        ("cgan", ["--label", "11"], "--label: Digits has no class '11'"),
        ("dagan", ["--label", "1"], "--label: DAGAN makes other examples of images, whose classes it keeps"),
        ("dagan", ["--of", "mine.npz", "--split", "test"], "--split, --of: two sources of images; give one of them"),
        ("dagan", ["--of", "nowhere"], "nowhere: no such folder or file"),
        ("dagan", ["--of", "mine.npz"], "--of mine.npz: the images have no classes"),
    ],
)
def test_what_cannot_be_made_is_refused_before_a_file_is(nnlab, trained, model: str, typed: list[str], expected: str) -> None:
    trained(model)
    np.savez("mine.npz", x_train=np.zeros((3, 8, 8), np.float32))
    status, _, error = nnlab("augment", "last", "-n", "2", "-o", "more.npz", *typed)
    assert status == 2
    assert error.startswith(f"nnlab: {expected}"), error
    assert not Path("more.npz").exists()
