"""Crops, colours, blur and cutout: what each does to an image, with a draw for each, and how they are composed."""

from __future__ import annotations

import colorsys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import built
from scipy import ndimage
from torch import Tensor

from nnlab.config.composition import compose_config, expanded, to_dict
from nnlab.data.augmentation.base import Augmentation
from nnlab.data.augmentation.blur import Blur
from nnlab.data.augmentation.colour import LUMA, Colour
from nnlab.data.augmentation.compose import Compose
from nnlab.data.augmentation.crop import Crop
from nnlab.data.augmentation.cutout import Cutout
from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput

SPEC = DataSpec("own", "image", (3, 12, 9), low=-0.5, high=2.0)
UNIT = replace(SPEC, low=0.0, high=1.0)
TABLE = DataSpec("rows", "table", (4,))
ALL = {"crop": Crop, "colour": Colour, "blur": Blur, "cutout": Cutout}


def images(spec: DataSpec = SPEC, n: int = 400) -> Tensor:
    return torch.rand((n, *spec.shape), generator=seeded()) * (spec.high - spec.low) + spec.low


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", ALL)
def test_each_image_has_a_draw_of_its_own_and_stays_within_the_range(name: str) -> None:
    same = images()[:1].expand(64, -1, -1, -1).contiguous()
    changed = ALL[name](SPEC)(same, seeded(1))
    assert changed.shape == same.shape
    assert len(changed.flatten(1).unique(dim=0)) > 20
    assert SPEC.low - 1e-5 <= changed.min() <= changed.max() <= SPEC.high + 1e-5
    assert torch.equal(changed, ALL[name](SPEC)(same, seeded(1)))


@pytest.mark.parametrize("name", ALL)
def test_images_of_one_example_are_changed_by_one_draw(name: str) -> None:
    x = images()
    both = ALL[name](SPEC).together({"target": x, "input": x.clone()}, seeded(1))
    assert torch.allclose(both["target"], both["input"], atol=1e-6)
    assert not torch.allclose(both["target"], x)


@pytest.mark.parametrize("name", ALL)
def test_a_table_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="for images, but rows is a table"):
        ALL[name](TABLE)


def test_a_crop_is_of_the_area_and_shape_that_is_asked_for() -> None:
    """Ramps across and down tell which part of the image is seen: their slopes are its sides."""
    side, n = 64, 4000
    spec = DataSpec("ramps", "image", (2, side, side))
    ramp = torch.linspace(0, 1, side)
    x = torch.stack([ramp.expand(side, side), ramp[:, None].expand(side, side)]).expand(n, 2, side, side).contiguous()
    cropped = Crop(spec, scale=(0.3, 0.6), ratio=(0.8, 1.25))(x, seeded())
    inner = slice(8, -8)
    width = (cropped[:, 0, 32, inner][:, -1] - cropped[:, 0, 32, inner][:, 0]) / (ramp[-9] - ramp[8])
    height = (cropped[:, 1, inner, 32][:, -1] - cropped[:, 1, inner, 32][:, 0]) / (ramp[-9] - ramp[8])
    area, shape = width * height, width / height
    for found, least, most in ((area, 0.3, 0.6), (shape, 0.8, 1.25)):
        assert least - 0.01 < found.min() < least + 0.02
        assert most - 0.02 < found.max() < most + 0.01
    assert area.mean().item() == pytest.approx(0.45, abs=0.01)
    assert shape.log().mean().item() == pytest.approx(0, abs=0.01)
    middle = cropped[:, 0, :, 31:33].mean((1, 2))
    assert middle.min() < 0.35
    assert middle.max() > 0.65
    assert Crop(spec, flip=True).matrices(500, x.device, seeded())[:, 0, 0].sign().mean().abs() < 0.2


def changed_by_hand(image: np.ndarray, draws, i: int) -> np.ndarray:
    """(3, H, W) of values 0 … 1: brightness, contrast, then the colours."""
    level = np.clip(image * draws.brightness[i].item(), 0, 1)
    mean = sum(weight * level[c].mean() for c, weight in enumerate(LUMA))
    level = np.clip(mean + draws.contrast[i].item() * (level - mean), 0, 1)
    return np.clip(np.tensordot(draws.colour[i].numpy(), level, 1), 0, 1)


def test_brightness_contrast_and_colours_are_in_this_order() -> None:
    x, colour = images(UNIT, 20), Colour(UNIT, probability=1)
    draws = colour.draws(20, x.device, seeded(3))
    found = colour(x, seeded(3))
    for i in range(20):
        assert np.allclose(found[i], changed_by_hand(x[i].numpy(), draws, i), atol=1e-5)
    assert draws.brightness.min() >= 0.6
    assert draws.brightness.max() <= 1.4
    shifted = Colour(SPEC, probability=1)(2.5 * x - 0.5, seeded(3))
    assert torch.allclose(shifted, 2.5 * found - 0.5, atol=1e-5), "the same in other units"


def test_a_hue_is_turned_and_brightness_stays() -> None:
    """Against the hue of colorsys, which is another coordinate of colour: the same to a few degrees for pale colours."""
    colour = Colour(UNIT, brightness=0, contrast=0, saturation=0, gray=0, hue=0.5, probability=1)
    pale = torch.tensor([0.6, 0.5, 0.5]).view(1, 3, 1, 1).expand(300, 3, 12, 9).contiguous()
    draws = colour.draws(300, pale.device, seeded())
    turned = colour(pale, seeded())[:, :, 0, 0]
    luma = turned @ torch.tensor(LUMA)
    assert torch.allclose(luma, luma[:1].expand(300), atol=1e-5)
    hues = np.array([colorsys.rgb_to_hsv(*map(float, rgb))[0] for rgb in turned])
    assert set(np.floor(6 * hues).astype(int) % 6) == set(range(6)), "every hue occurs"
    yiq = torch.linalg.eigvals(draws.colour).angle().abs().amax(1)
    assert yiq.max() > 3


def test_gray_images_are_a_share_and_keep_their_brightness() -> None:
    x = images(UNIT, 2000)
    colour = Colour(UNIT, brightness=0, contrast=0, saturation=0, hue=0, gray=0.3, probability=1)
    made = colour(x, seeded())
    gray = (made - made.mean(1, keepdim=True)).abs().flatten(1).amax(1) < 1e-5
    assert gray.float().mean().item() == pytest.approx(0.3, abs=0.04)
    luma = torch.einsum("nchw,c->nhw", x, torch.tensor(LUMA))
    assert torch.allclose(made[gray][:, 0], luma[gray], atol=1e-5)
    assert torch.allclose(made[~gray], x[~gray], atol=1e-5)


def test_only_some_images_are_changed_by_probability() -> None:
    x = images(UNIT, 2000)
    made = Colour(UNIT, gray=0, probability=0.25)(x, seeded())
    assert ((made - x).abs().flatten(1).amax(1) > 1e-4).float().mean().item() == pytest.approx(0.25, abs=0.04)


def test_a_blur_is_a_gaussian_of_the_drawn_width() -> None:
    spec = DataSpec("own", "image", (1, 24, 18))
    x = images(spec, 50)
    made = Blur(spec, sigma=(0.5, 2.0), probability=0.5)(x, seeded(2))
    u = torch.rand((50, 2), generator=seeded(2))
    for i in range(50):
        sigma = 0.5 + 1.5 * u[i, 0].item()
        expected = x[i, 0].numpy()
        if u[i, 1] < 0.5:
            expected = ndimage.gaussian_filter(expected, sigma, mode="mirror", radius=6)
        assert np.allclose(made[i, 0], expected, atol=1e-5)


def test_a_square_is_removed_around_any_pixel() -> None:
    spec = DataSpec("own", "image", (2, 20, 16), low=-1.0)
    made = Cutout(spec, size=0.25)(torch.ones(3000, 2, 20, 16), seeded())
    removed = made == -1
    assert torch.equal(removed[:, 0], removed[:, 1])
    assert removed[:, 0].sum((1, 2)).max() == 16
    whole = removed[:, 0].sum((1, 2)) == 16
    assert whole.float().mean().item() == pytest.approx((20 - 3) * (16 - 3) / (20 * 16), abs=0.03)
    assert removed[:, 0].any(0).all(), "each pixel is removed in some image"


class Marks(Augmentation):
    """Multiplies by ten and adds a number, so that the order shows."""

    number = 0

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return 10 * x + self.number


def test_composed_ones_come_in_a_fixed_order(monkeypatch: pytest.MonkeyPatch) -> None:
    order = ["affine", "crop", "colour", "blur", "cutout"]
    made = {name: type(name, (Marks,), {"number": i})(SPEC) for i, name in enumerate(order, start=1)}
    monkeypatch.setattr("nnlab.data.augmentation.compose.build", lambda node, *rest, place: made[node["name"]])
    composed = Compose(SPEC, **{name: {"name": name} for name in reversed(order)})
    assert composed(torch.zeros(1), seeded()) == 12345
    assert composed.together({"a": torch.zeros(1, 1, 1, 1)}, seeded())["a"].item() == 12345


def test_a_list_of_names_is_their_composition() -> None:
    typed = ["model=cnn", "augmentation=[crop,cutout]", "augmentation.crop.scale=[0.5,0.9]"]
    assert expanded(typed)[1:4] == [
        "augmentation=compose",
        "+augmentation@augmentation.crop=crop",
        "+augmentation@augmentation.cutout=cutout",
    ]
    node = to_dict(compose_config(typed))["augmentation"]
    assert [name for name, part in node.items() if name != "_target_" and part != "none"] == ["crop", "cutout"]
    assert node["crop"]["scale"] == [0.5, 0.9]
    experiment = built(*typed, "data=digits", "device=cpu")
    assert [type(step) for step in experiment.trainer.augmentation.steps] == [Crop, Cutout]


def test_simclr_is_crops_mirror_images_and_colours() -> None:
    experiment = built("model=cnn", "data=digits", "augmentation=simclr", "device=cpu")
    crop, colour = experiment.trainer.augmentation.steps
    assert (type(crop), crop.flip, type(colour)) == (Crop, True, Colour)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("augmentation=[crop,nope]", "augmentation=[crop,nope]: no such augmentation to compose: 'nope'"),
        ("augmentation=[simclr,blur]", "simclr is a list itself; give augmentation=simclr, and add another to it by +aug"),
        ("augmentation=[crop,crop]", "augmentation=[crop,crop]: crop comes twice; give it once"),
        ("augmentation=[]", "augmentation=[]: composes nothing; give some of affine, crop"),
        ("augmentation=[crop],[cutout] -m", "a sweep over lists is not possible"),
        ("augmentation=crop augmentation.scale=[1,1] augmentation.ratio=[1,1]", "which changes nothing; leave it out"),
        ("augmentation=colour augmentation.probability=0", "change nothing of the images of Digits"),
        ("augmentation=compose", "composed of nothing; give some, as in augmentation=[crop,colour]"),
        ("augmentation=[crop] augmentation.crop.scale=[0.9,0.5]", "expected the smaller number first, got [0.9,0.5]"),
        ("augmentation=blur augmentation.sigma=[2,1]", "augmentation.sigma: expected the smaller number first"),
        ("augmentation=colour augmentation.brightness=0 augmentation.contrast=0", "change nothing of the images of Digits"),
        ("augmentation=[colour] augmentation.colour.hue=3", "augmentation.colour.hue: expected a number between 0 and 0.5"),
    ],
)
def test_what_cannot_be_is_refused_before_training(nnlab, typed: str, said: str) -> None:
    status, _, error = nnlab("train", "model=cnn", "data=digits", *typed.split())
    assert status == 2
    assert said in error
    assert not Path("outputs").exists()


def test_what_the_message_about_a_list_of_lists_says_is_possible() -> None:
    steps = built(
        "model=cnn", "data=digits", "augmentation=simclr", "+augmentation@augmentation.blur=blur"
    ).trainer.augmentation.steps
    assert [type(step).__name__ for step in steps] == ["Crop", "Colour", "Blur"]
