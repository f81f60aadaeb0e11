"""A user's own pairs: two folders with files of the same names, or images with both side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nnlab.data.datasets.pairs import Pairs
from nnlab.data.feed import BatchBuilder
from nnlab.errors import BadInput

CPU = torch.device("cpu")


def pixels(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def save(images: np.ndarray, folder: Path, ending: str = "png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:02d}.{ending}")


def opened(**options):
    return Pairs(root=".", folder="mine", **options).open(CPU)


def all_of(data) -> dict[str, torch.Tensor]:
    """Input and target of all examples, (N, C, H, W) bytes, in the order of the file."""
    parts = [BatchBuilder(split).batch(split.rows, torch.Generator()) for split in (data.train, data.validation)]
    order = torch.cat([data.train.rows, data.validation.rows]).argsort()
    return {name: (torch.cat([part[name] for part in parts])[order] * 255).round().byte() for name in ("input", "target")}


GIVEN, WANTED = pixels(20, 6, 8), pixels(20, 6, 8, 3, seed=1)


def test_files_of_the_same_names_are_pairs_whatever_their_endings(own_folder: Path) -> None:
    save(GIVEN, Path("mine/train/input"), "bmp")
    save(WANTED, Path("mine/train/target"))
    save(GIVEN[:3], Path("mine/test/input"))
    save(WANTED[:3], Path("mine/test/target"))
    data = opened()
    assert (data.spec.name, data.spec.shape, data.spec.input.shape, len(data.test)) == ("mine", (3, 6, 8), (1, 6, 8), 3)
    found = all_of(data)
    assert np.array_equal(found["input"][:, 0], GIVEN)
    assert np.array_equal(found["target"], WANTED.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("side", ["left", "right"])
def test_halves_of_an_image_are_a_pair(own_folder: Path, side: str) -> None:
    left, right = pixels(20, 6, 8, 3), WANTED
    save(np.concatenate([left, right], 2), Path("mine/train"))
    save(np.concatenate([left, right], 2)[:4], Path("mine/val"))
    data = opened(input_side=side)
    found = all_of(data)
    halves = {"left": left, "right": right}
    other = {"left": "right", "right": "left"}[side]
    assert np.array_equal(found["input"], halves[side].transpose(0, 3, 1, 2))
    assert np.array_equal(found["target"], halves[other].transpose(0, 3, 1, 2))
    assert len(data.test) == 4


def test_without_a_test_folder_a_share_of_the_pairs_is_the_test_split(own_folder: Path) -> None:
    save(GIVEN, Path("mine/input"))
    save(WANTED, Path("mine/target"))
    data = opened(test=0.2, size=4, input_size=(2, 6))
    assert (len(data.train) + len(data.validation), len(data.test)) == (16, 4)
    assert (data.spec.shape, data.spec.input.shape) == ((3, 4, 4), (1, 2, 6))
    assert data.spec.paired


def test_what_is_wrong_with_pairs_is_named(own_folder: Path) -> None:
    with pytest.raises(BadInput, match=r"data\.folder: no folder mine"):
        opened()
    Path("mine").mkdir()
    with pytest.raises(BadInput, match="mine has neither the folders input and target nor images with both side by side"):
        opened()
    save(GIVEN[:3], Path("mine/input"))
    with pytest.raises(BadInput, match=r"no image in mine/target"):
        opened()
    save(WANTED[:2], Path("mine/target"))
    Image.fromarray(WANTED[0]).save("mine/target/other.png")
    with pytest.raises(BadInput) as error:
        opened()
    assert error.value.problems == (
        "data.folder: without a partner in mine/target: mine/input/02.png",
        "data.folder: without a partner in mine/input: mine/target/other.png",
    )
    Path("mine/target/other.png").rename("mine/target/02.png")
    save(WANTED[:1], Path("mine/target"), "bmp")
    with pytest.raises(BadInput, match="more than one file of this name in mine/target: 00"):
        opened()


def test_halves_of_an_odd_width_and_of_other_sizes_are_named(own_folder: Path) -> None:
    save(pixels(4, 6, 8), Path("mine"))
    Image.fromarray(pixels(1, 6, 9)[0]).save("mine/03.png")
    with pytest.raises(BadInput, match=r"mine/03\.png: 9 pixels wide, which has no two halves"):
        opened(test=0.5)
    Image.fromarray(pixels(1, 6, 10)[0]).save("mine/03.png")
    with pytest.raises(BadInput, match=r"mine/03\.png: 6×5 pixels, but 00\.png has 6×4. Add data\.size=64 to resize all"):
        opened(test=0.5)
    assert opened(test=0.5, size=4).spec.shape == (1, 4, 4)
