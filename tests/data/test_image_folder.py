"""A user's own images: what is read from a folder, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nnlab.data.image_folder import ImageFolder
from nnlab.errors import BadInput

CPU = torch.device("cpu")


def pixels(seed: int, height: int = 6, width: int = 4, channels: int = 3) -> np.ndarray:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write(path: Path, image: np.ndarray) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return image


def write_classes(folder: Path, names: tuple[str, ...] = ("cat", "dog"), each: int = 10, **kind) -> dict[bytes, str]:
    """`each` images a class; the class of each by its bytes."""
    known = {}
    for label, name in enumerate(names):
        for i in range(each):
            image = write(folder / name / f"{i}.png", pixels(1000 * label + i + len(folder.name), **kind))
            known[image.tobytes()] = name
    return known


def opened(root: Path, folder: str = "mine", **options):
    return ImageFolder(root=str(root), folder=folder, **options).load()


def test_each_subfolder_is_a_class_and_no_image_is_lost(tmp_path):
    known = write_classes(tmp_path / "mine")
    read = opened(tmp_path, test=0.3)
    assert read.classes == ("cat", "dog")
    assert (len(read.x_train), len(read.x_test)) == (14, 6)
    found = {}
    for x, y in ((read.x_train, read.y_train), (read.x_test, read.y_test)):
        found |= {
            image.permute(1, 2, 0).numpy().tobytes(): read.classes[label] for image, label in zip(x, y.tolist(), strict=True)
        }
    assert found == known


def test_a_folder_of_images_alone_has_no_classes(tmp_path):
    for i in range(10):
        write(tmp_path / "mine" / f"{i}.png", pixels(i))
    read = opened(tmp_path, test=0.2)
    assert (read.classes, read.y_train, read.y_test) == ((), None, None)
    assert (len(read.x_train), len(read.x_test)) == (8, 2)


@pytest.mark.parametrize("names", [("cat", "dog"), (".",)])
def test_train_and_test_folders_are_the_splits(names, tmp_path):
    write_classes(tmp_path / "mine" / "train", names, each=5)
    test = write_classes(tmp_path / "mine" / "test", names, each=2)
    read = opened(tmp_path)
    assert len(read.x_train) == 5 * len(names)
    assert {image.permute(1, 2, 0).numpy().tobytes() for image in read.x_test} == set(test)
    assert read.classes == (names if len(names) > 1 else ())


def test_train_and_test_with_different_classes_are_refused(tmp_path):
    write_classes(tmp_path / "mine" / "train", ("cat", "dog"))
    write_classes(tmp_path / "mine" / "test", ("cat", "fox"))
    with pytest.raises(BadInput, match="different classes"):
        opened(tmp_path)


def test_gray_images_get_one_channel_without_being_asked(tmp_path):
    known = write_classes(tmp_path / "mine", channels=1)
    read = opened(tmp_path)
    assert read.x_train.shape[1:] == (1, 6, 4)
    assert all(image.numpy().tobytes() in known for image in read.x_train)


def test_one_colour_image_keeps_three_channels_for_all(tmp_path):
    write_classes(tmp_path / "mine", channels=1)
    write(tmp_path / "mine" / "cat" / "colour.png", pixels(1))
    assert opened(tmp_path).x_train.shape[1] == 3


def test_grayscale_gives_the_luma_of_colours(tmp_path):
    for i in range(10):
        write(tmp_path / "mine" / f"{i}.png", np.full((4, 4, 3), (200, 100, 50), np.uint8))
    read = opened(tmp_path, grayscale=True)
    assert read.x_train.shape[1:] == (1, 4, 4)
    assert (read.x_train.float() - (0.299 * 200 + 0.587 * 100 + 0.114 * 50)).abs().max() < 1


@pytest.mark.parametrize(("size", "shape"), [(8, (8, 8)), ([5, 7], (5, 7))])
def test_size_brings_all_images_to_one_height_and_width(size, shape, tmp_path):
    for i in range(10):
        write(tmp_path / "mine" / f"{i}.png", np.full((4 + i, 9, 3), (10, 20, 30), np.uint8))
    read = opened(tmp_path, size=size)
    assert read.x_train.shape[1:] == (3, *shape)
    assert (read.x_train == torch.tensor([10, 20, 30], dtype=torch.uint8)[:, None, None]).all()


def test_images_of_different_sizes_are_refused_naming_the_file(tmp_path):
    write_classes(tmp_path / "mine")
    write(tmp_path / "mine" / "dog" / "odd.png", pixels(1, 5, 4))
    with pytest.raises(BadInput, match=r"odd\.png: 5×4 pixels, but 0\.png has 6×4\. Add data\.size="):
        opened(tmp_path)


@pytest.mark.parametrize("place", ["cat/0.png", "dog/9.png"])
@pytest.mark.parametrize("spoil", ["text", "truncated", "empty"])
def test_an_unreadable_image_is_named(place, spoil, tmp_path):
    write_classes(tmp_path / "mine")
    path = tmp_path / "mine" / place
    path.write_bytes({"text": b"hello", "truncated": path.read_bytes()[:-40], "empty": b""}[spoil])
    with pytest.raises(BadInput, match=rf"{place}: not a readable image"):
        opened(tmp_path)


def test_an_image_too_large_for_its_decoder_is_named(tmp_path, monkeypatch):
    write_classes(tmp_path / "mine")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    with pytest.raises(BadInput, match=r"cat/0\.png: not a readable image"):
        opened(tmp_path)


def test_files_that_are_no_images_are_ignored(tmp_path):
    write_classes(tmp_path / "mine")
    for stray in ("README.txt", "cat/Thumbs.db", "dog/labels.csv"):
        (tmp_path / "mine" / stray).write_text("not an image")
    (tmp_path / "mine" / ".cache").mkdir()
    read = opened(tmp_path)
    assert (len(read.x_train) + len(read.x_test), read.classes) == (20, ("cat", "dog"))


def test_sixteen_bit_images_keep_their_contrast(tmp_path):
    ramp = np.linspace(0, 65535, 24).astype(np.uint16).reshape(6, 4)
    for i in range(10):
        write(tmp_path / "mine" / f"{i}.png", ramp)
    assert np.abs(opened(tmp_path).x_train[0, 0].numpy() - ramp / 257).max() <= 1


@pytest.mark.parametrize("folders", [(), ("cat", "dog")])
def test_a_folder_without_images_is_named(folders, tmp_path):
    (tmp_path / "mine").mkdir()
    for name in folders:
        (tmp_path / "mine" / name).mkdir()
    with pytest.raises(BadInput, match=rf"data\.folder: no image in {tmp_path / 'mine' / (folders or ('',))[0]}"):
        opened(tmp_path)


def test_an_absent_folder_is_named(tmp_path):
    with pytest.raises(BadInput, match=rf"data\.folder: no folder {tmp_path / 'mine'}\."):
        ImageFolder(root=str(tmp_path), folder="mine").open(CPU)


def test_a_share_that_leaves_no_test_is_refused(tmp_path):
    write_classes(tmp_path / "mine", each=3)
    with pytest.raises(BadInput, match=r"data\.test: 0\.1 of 6 examples"):
        opened(tmp_path)


def test_the_size_told_before_loading_is_that_of_the_loaded_arrays(tmp_path):
    write_classes(tmp_path / "mine")
    told = ImageFolder(root=str(tmp_path), folder="mine").size()
    read = opened(tmp_path)
    assert told == sum(t.numel() * t.element_size() for t in (read.x_train, read.y_train, read.x_test, read.y_test))


def test_an_absolute_folder_needs_no_root(tmp_path):
    write_classes(tmp_path / "mine")
    assert opened(Path("elsewhere"), str(tmp_path / "mine")).classes == ("cat", "dog")
