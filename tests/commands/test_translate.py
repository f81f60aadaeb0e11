"""nnlab translate: one's own images in a model's input, each of its own size."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import torch
from conftest import built, only_run
from own_images import images, save_images, values
from PIL import Image
from torch import Tensor

from nnlab.data.spec import DataSpec, Part
from nnlab.errors import BadInput
from nnlab.experiment.loading import open_run
from nnlab.families.ae.unet import UNet
from nnlab.model import Translates, can
from nnlab.plotting.images import to_pixels

DOWNSCALE, EDGES = ["noise=downscale", "noise.factor=2"], ["noise=edges"]
GRAY, COLOUR = Part("image", (1, 8, 8)), Part("image", (3, 8, 8))


@pytest.fixture
def translate(nnlab):
    """The line that it prints."""

    def run(*typed: str) -> str:
        status, out, error = nnlab("translate", "last", *typed)
        assert status == 0, error
        (line,) = out.splitlines()
        return line

    return run


def written(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def made_of(pixels: np.ndarray) -> np.ndarray:
    """What the newest run's model makes of a gray image (h, w): (h', w') uint8."""
    model = open_run("last").model
    with torch.inference_mode():
        return to_pixels(model.translate(values(pixels[None]), "target")[0], model.spec)[..., 0]


def tree(folder: str) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture
def two_ways(trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose model paints a gray image red, or makes it of the red of a coloured one, with noise that it draws."""

    def translated(self: UNet, x: Tensor, to: str) -> Tensor:
        x = x + 0.5 * torch.rand(x.shape, device=x.device)
        return torch.cat([x, 0 * x, 0 * x], 1) if to == "b" else x[:, :1]

    trained(*EDGES, model="unet")
    monkeypatch.setattr(UNet, "directions", lambda self: {"b": (GRAY, COLOUR), "a": (COLOUR, GRAY)})
    monkeypatch.setattr(UNet, "translate", translated)


@pytest.mark.parametrize(("noise", "factor"), [(EDGES, 1), (DOWNSCALE, 2)], ids=["edges", "downscale"])
def test_each_file_becomes_what_the_model_makes_of_its_pixels_at_its_own_size(trained, translate, noise, factor):
    trained(*noise, model="unet")
    sizes = {"one.png": (8, 8), "deep/two.bmp": (5, 13), "deep/er/three.png": (24, 17)}
    pixels = {name: images(1, *size)[0] for name, size in sizes.items()}
    for name, image in pixels.items():
        save_images("mine", image[None], [name])
    Path("mine", "notes.txt").write_text("no image")
    before = {path: path.read_bytes() for path in only_run().path.rglob("*") if path.is_file()}
    assert translate("mine", "-o", "made/here") == "3 images, input → target: made/here"
    assert tree("made/here") == {"one.png", "deep/two.png", "deep/er/three.png"}
    for name, (h, w) in sizes.items():
        made = written(Path("made/here", name).with_suffix(".png"))
        assert made.shape == (factor * h, factor * w)
        assert np.array_equal(made, made_of(pixels[name])), name
    assert before == {path: path.read_bytes() for path in only_run().path.rglob("*") if path.is_file()}


def test_files_are_named_one_by_one_too_and_what_they_become_does_not_depend_on_the_others(trained, translate):
    trained(*DOWNSCALE, model="unet")
    save_images("mine", images(20, 4, 4))
    assert translate("mine", "-o", "all") == "20 images, input → target: all"
    assert translate("mine/03.png", "-o", "one", "--to", "target") == "1 image, input → target: one"
    assert translate("mine/03.png", "mine/11.png", "-o", "two") == "2 images, input → target: two"
    assert (tree("one"), tree("two")) == ({"03.png"}, {"03.png", "11.png"})
    assert Path("one/03.png").read_bytes() == Path("two/03.png").read_bytes() == Path("all/03.png").read_bytes()
    assert Path("two/11.png").read_bytes() == Path("all/11.png").read_bytes() != Path("all/03.png").read_bytes()


def test_a_file_is_read_as_the_model_needs_it(trained, translate):
    trained(*EDGES, model="unet")
    gray, deep = images(1, 8, 8)[0], images(1, 8, 8)[0].astype(np.uint16) << 8
    save_images("mine", np.stack([gray] * 3, -1)[None], ["colour.png"])
    Image.fromarray(deep).save("mine/sixteen.png")
    translate("mine", "-o", "made")
    assert np.array_equal(written("made/colour.png"), made_of(gray))
    assert np.array_equal(written("made/sixteen.png"), made_of(gray))


def test_a_model_of_two_domains_is_told_to_which(nnlab, two_ways, translate):
    save_images("mine", images(2, 6, 9))
    error = "UNet translates to b or a\n"
    assert nnlab("translate", "last", "mine", "-o", "made")[2] == f"nnlab: --to: missing; {error}"
    assert nnlab("translate", "last", "mine", "-o", "made", "--to", "c")[2] == (
        f"nnlab: --to c: there is no such domain; {error}"
    )
    assert not Path("made").exists()
    assert translate("mine", "-o", "painted", "--to", "b") == "2 images, a → b: painted"
    assert translate("painted", "-o", "back", "--to", "a") == "2 images, b → a: back"
    painted, back = written("painted/00.png"), written("back/00.png")
    assert (painted.shape, back.shape) == ((6, 9, 3), (6, 9))
    assert painted[..., 0].any()
    assert not painted[..., 1:].any()
    assert (back >= painted[..., 0]).all(), "a coloured file keeps its channels"


def test_a_seed_gives_every_image_the_same_random_numbers(two_ways, translate):
    save_images("mine", np.concatenate([images(3), images(1)]), ["0.png", "1.png", "2.png", "again.png"])
    for folder, typed in {"a": [], "b": ["--seed", "0"], "c": ["--seed", "1"]}.items():
        translate("mine", "-o", folder, "--to", "b", *typed)
    translate("mine/2.png", "-o", "alone", "--to", "b")
    a, b, c = ({name: Path(folder, name).read_bytes() for name in tree(folder)} for folder in "abc")
    assert a == b
    assert not any(a[name] == c[name] for name in a)
    assert a["0.png"] == a["again.png"] != a["1.png"]
    assert a["2.png"] == Path("alone/2.png").read_bytes()


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("mine -o made --to b", "--to b: there is no such domain; UNet translates to target"),
        ("mine -o full", "-o full: exists already; give the name of a new folder"),
        ("mine -o mine", "-o mine: exists already; give the name of a new folder"),
        ("mine -o notes.txt", "-o notes.txt: exists already; give the name of a new folder"),
        ("mine -o link", "-o link: exists already; give the name of a new folder"),
        ("mine -o made.png", "-o made.png: images are written into a folder; give a name without .png"),
        ("mine -o notes.txt/made", "-o notes.txt/made: cannot write into "),
        ("nowhere -o made", "nowhere: no such folder or file"),
        ("mine nowhere.png -o made", "nowhere.png: no such folder or file"),
        ("void -o made", "void: holds no image. Known formats: png, "),
        ("notes.txt -o made", "notes.txt: expected a folder of images, or an image. Known formats: png, "),
        ("mine more/01.png -o made", "mine/01.png, more/01.png: both would become 01.png; rename one"),
        ("more -o made", "more/B.bmp, more/b.png: both would become b.png; rename one"),
        ("more/b.png more/B.bmp -o made", "more/b.png, more/B.bmp: both would become B.png; rename one"),
        ("mine/01.png mine/01.png -o made", "mine/01.png, mine/01.png: both would become 01.png; rename one"),
        ("mine broken.png -o made", "broken.png: not a readable image"),
        ("mine thin.png -o made", "thin.png: 1×8 pixels, but this UNet takes images of at least 2×2"),
    ],
)
def test_what_cannot_be_translated_is_said_in_a_sentence_and_leaves_nothing(nnlab, trained, typed: str, expected: str):
    trained(*EDGES, model="unet")
    save_images("mine", images(3))
    save_images("more", images(3), ["01.png", "b.png", "B.bmp"])
    save_images("full", images(1))
    Path("void").mkdir()
    Path("broken.png").write_bytes(Path("mine/00.png").read_bytes()[:60])
    Path("notes.txt").write_text("hello")
    Path("link").symlink_to("nowhere")
    Image.new("L", (8, 1)).save("thin.png")
    before = {path: path.is_file() and path.read_bytes() for path in Path().rglob("*")}
    status, out, error = nnlab("translate", "last", *typed.split())
    assert (status, out) == (2, "")
    assert error.startswith(f"nnlab: {expected}"), error
    assert len(error.splitlines()) == 1
    assert before == {path: path.is_file() and path.read_bytes() for path in Path().rglob("*")}


def test_an_empty_folder_is_as_good_as_a_new_one(trained, translate):
    trained(*EDGES, model="unet")
    save_images("mine", images(2))
    for folder in ("empty", "mine/made"):
        Path(folder).mkdir(exist_ok=True)
        translate("mine", "-o", folder)
        assert tree(folder) == {"00.png", "01.png"}
        assert len(os.listdir(folder)) == 2, "no hidden folder is left"


def test_of_what_cannot_be_written_whole_nothing_is_left(nnlab, trained, monkeypatch):
    def full(path: Path) -> IO[bytes]:
        if path.name == "02.png":
            raise OSError(errno.ENOSPC, "full", str(path))
        return path.open("xb")

    trained(*EDGES, model="unet")
    save_images("mine", images(4))
    monkeypatch.setattr("nnlab.commands.translate.creating", full)
    before = set(os.listdir())
    status, out, error = nnlab("translate", "last", "mine", "-o", "new/made")
    assert (status, out, "02.png: the disk is full" in error) == (2, "", True)
    assert set(os.listdir()) == before


def test_a_model_that_cannot_is_told_who_can(nnlab, trained):
    trained()
    save_images("mine", images(1))
    status, _, error = nnlab("translate", "last", "mine", "-o", "made")
    assert status == 2
    refusal, able = error.strip().split("; models that can: ")
    assert refusal == "nnlab: translate: AE cannot translate images"
    assert "unet" in able.split(", ")
    assert "ae" not in able.split(", ")


@pytest.mark.parametrize(
    ("taken", "made", "expected"),
    [
        (Part("table", (4,)), GRAY, "takes a table of 4 values"),
        (GRAY, Part("table", (4,)), "makes a table of 4 values"),
        (Part("image", (4, 8, 8)), GRAY, "takes images of 4 channels"),
        (GRAY, Part("image", (2, 8, 8)), "makes images of 2 channels"),
        (Part("image", (1, 8, 8), low=-1.0, high=3.0), GRAY, "takes images of values -1 … 3"),
    ],
)
def test_what_no_image_file_can_hold_is_refused(nnlab, trained, monkeypatch, taken: Part, made: Part, expected: str):
    trained(*EDGES, model="unet")
    save_images("mine", images(1))
    monkeypatch.setattr(UNet, "directions", lambda self: {"target": (taken, made)})
    status, _, error = nnlab("translate", "last", "mine", "-o", "made")
    assert (status, error) == (
        2,
        f"nnlab: translate: UNet {expected}; image files hold 1 or 3 channels of bytes, which become 0 … 1\n",
    )


@pytest.mark.parametrize("noise", [EDGES, DOWNSCALE], ids=["edges", "downscale"])
def test_a_unet_translates_what_it_reconstructs_alike_and_any_larger_or_smaller_image(noise):
    experiment = built("model=unet", "model.channels=[4,6,5]", *noise)
    experiment.initialize()
    model = experiment.model.eval()
    assert can(model, Translates)
    assert model.directions() == {"target": (model.spec.input, model.spec.target)}
    _, h, w = model.spec.input.shape
    with torch.inference_mode():
        x = torch.rand(3, 1, h, w)
        assert torch.equal(model.translate(x, "target"), model.reconstruct(x))
        least = 4 * h // 8
        assert model.translate(x[..., :least, :], "target").shape == (3, 1, 4, 8)
        with pytest.raises(BadInput, match=rf"{least - 1}×{w} pixels, but this UNet takes images of at least {least}×{least}$"):
            model.translate(x[..., : least - 1, :], "target")


def test_a_unet_changes_each_side_by_the_factor_of_its_training():
    spec = DataSpec("any", "image", (3, 12, 6), parts={"corrupted": Part("image", (1, 8, 12))})
    torch.manual_seed(0)
    model = UNet(spec, channels=[4, 6]).eval()
    assert model.translate(torch.rand(2, 1, 10, 10), "target").shape == (2, 3, 15, 5)
    with pytest.raises(BadInput, match=r"4×3 pixels, but this UNet takes images of at least 2×4$"):
        model.translate(torch.rand(2, 1, 4, 3), "target")
