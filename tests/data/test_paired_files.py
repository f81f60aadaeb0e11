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
    with pytest.raises(BadInput, match=r"data\.input_side: has no effect on the folders input and target"):
        opened(input_side="right")


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


def test_layouts_that_mean_something_else_are_refused(own_folder: Path) -> None:
    save(GIVEN[:3], Path("mine/inputs"))
    save(WANTED[:3], Path("mine/targets"))
    with pytest.raises(BadInput, match="holds the folders inputs, targets; those of pairs are named input and target"):
        opened()
    Path("mine/inputs").rename("mine/input")
    Path("mine/targets").rename("mine/target")
    save(GIVEN[:3], Path("mine/test/input"))
    with pytest.raises(BadInput, match="has the folder test but no train; put the other examples into train"):
        opened()
    Path("mine/test").rename("mine/input/test")
    with pytest.raises(BadInput, match="mine/input/test stands inside input; put input and target into train and test"):
        opened()


def test_images_of_the_test_split_have_the_size_of_the_others(own_folder: Path) -> None:
    for part, side in (("train", 8), ("test", 6)):
        save(pixels(4, side, side), Path(f"mine/{part}/input"))
        save(pixels(4, 8, 8, seed=2), Path(f"mine/{part}/target"))
    with pytest.raises(BadInput, match=r"mine/test/input/00\.png: 6×6 pixels, but 00\.png has 8×8"):
        opened()


def test_another_input_of_the_same_target_is_other_data(own_folder: Path) -> None:
    save(GIVEN, Path("mine/input"))
    save(WANTED, Path("mine/target"))
    before = opened().spec.digest
    save(255 - GIVEN[:1], Path("mine/input"))
    assert opened().spec.digest != before


def test_a_run_on_pairs_and_one_on_edges_go_their_whole_way(own_folder: Path, nnlab) -> None:
    save(pixels(20, 8, 8), Path("mine/input"))
    save(pixels(20, 8, 8, 3, seed=1), Path("mine/target"))
    small = ["model=unet", "model.channels=[4,8]", "trainer.steps=2", "trainer.show_every=never"]
    kinds = {
        "pairs": ["data=pairs", "data.root=.", "data.folder=mine"],
        "edges": ["data=digits", "data.limit=60", "noise=edges"],
    }
    for name, kind in kinds.items():
        status, _, error = nnlab("train", *small, *kind, f"hydra.run.dir={name}")
        assert status == 0, error
        assert nnlab("resume", name, "trainer.steps=3")[0] == 0
        for verb in (["evaluate", name], ["reconstruct", name], ["reconstruct", name, "--input", "mine/input/00.png"]):
            status, _, error = nnlab(*verb)
            assert status == 0, error
    assert (
        "makes other inputs than this model learned from, those of Edges" in nnlab("reconstruct", "edges", "--noise", "none")[2]
    )
    assert "makes other inputs than" in nnlab("reconstruct", "pairs", "--noise", "edges")[2]
    assert "KMeans learns from single examples, but mine holds pairs" in nnlab("train", "model=kmeans", *kinds["pairs"])[2]
