"""A user's own images: what is read from a folder, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nnlab.data.datasets.image_folder import ImageFolder
from nnlab.data.image_files import read_image
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


def test_classes_of_the_test_are_in_no_other_split_and_keep_their_names(tmp_path):
    names = ("ann", "bob", "cid", "dan")
    known = write_classes(tmp_path / "mine", names, each=6)
    data = ImageFolder(root=str(tmp_path), folder="mine", test_classes=["dan", 1]).open(CPU)
    assert data.spec.classes == names
    for split, classes in ((data.train, {0, 2}), (data.validation, {0, 2}), (data.test, {1, 3})):
        labels = split.labels(split.rows).tolist()
        assert set(labels) <= classes
        shown = split.target.x[split.rows].permute(0, 2, 3, 1)
        assert [known[image.numpy().tobytes()] for image in shown] == [names[label] for label in labels]
    assert (len(data.train) + len(data.validation), len(data.test)) == (12, 12)


@pytest.mark.parametrize(
    ("folders", "classes", "problem"),
    [
        ((".",), ["eve"], r"data\.test_classes: mine has no class 'eve'; there are 0 … 1: cat, dog"),
        ((".",), ["cat", 0], r"data\.test_classes: 'cat' is asked for twice"),
        ((".",), ["cat", "dog"], r"data\.test_classes: these are all classes"),
        (("train", "test"), ["cat"], r"data\.test_classes: .*mine/test is the test split already; leave out one"),
    ],
)
def test_impossible_classes_of_the_test_are_named(folders, classes, problem, tmp_path):
    for folder in folders:
        write_classes(tmp_path / "mine" / folder, each=2)
    with pytest.raises(BadInput, match=problem):
        opened(tmp_path, test_classes=classes)


def test_images_without_classes_have_none_for_the_test(tmp_path):
    write(tmp_path / "mine" / "0.png", pixels(0))
    with pytest.raises(BadInput, match=r"data\.test_classes: mine has no labels to choose by"):
        opened(tmp_path, test_classes=["cat"])


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


@pytest.mark.parametrize(
    ("make", "expected"),
    [(lambda x: x.astype(np.int32), lambda x: x), (lambda x: (x / 255).astype(np.float32), lambda x: x)],
    ids=["int32", "float32"],
)
def test_32_bit_images_keep_their_values(make, expected, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)
    for i, x in enumerate(pixels):
        Image.fromarray(make(x)).save(tmp_path / f"{i}.tif")
    data = ImageFolder(root="", folder=str(tmp_path), test=0.5, validation=0).open(torch.device("cpu"))
    kept = {x.numpy().tobytes() for split in (data.train, data.test) for x in split.target.x[split.rows]}
    assert kept == {expected(x).tobytes() for x in pixels}


@pytest.mark.parametrize("value", [300, -1, np.float32(1.5), np.float32("nan")])
def test_32_bit_images_of_an_unknown_range_are_refused(value, tmp_path):
    kind = np.float32 if isinstance(value, np.float32) else np.int32
    Image.fromarray(np.full((5, 4), value, kind)).save(tmp_path / "a.tif")
    with pytest.raises(BadInput, match=r"a\.tif: 32-bit .* was expected\. Save it with 8 or 16 bits"):
        read_image(tmp_path / "a.tif", None, True)


@pytest.mark.parametrize("leftover", [".ipynb_checkpoints", ".cache/deep", "__MACOSX", "sub/.ipynb_checkpoints"])
def test_hidden_folders_are_skipped_at_every_level(leftover, tmp_path):
    rng = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / name / leftover).mkdir(parents=True)
        for i in range(10):
            image = Image.fromarray(rng.integers(0, 256, (5, 4), dtype=np.uint8))
            image.save(tmp_path / name / f"{i}.png")
            image.save(tmp_path / name / leftover / f"{i}-checkpoint.png")
        (tmp_path / name / "._0.png").write_bytes(b"no image")
    data = ImageFolder(root="", folder=str(tmp_path)).open(torch.device("cpu"))
    assert len(data.train) + len(data.validation) + len(data.test) == 20
    assert not data.remarks


def test_test_images_that_are_also_learned_from_are_counted(tmp_path):
    for part, names in (("train", range(10)), ("test", range(7, 13))):
        (tmp_path / part).mkdir()
        for i in names:
            pixels = np.random.default_rng(i).integers(0, 256, (5, 4), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / part / f"{i}.png")
    data = ImageFolder(root="", folder=str(tmp_path)).open(torch.device("cpu"))
    assert data.remarks == ("3 of 6 test images are also training images, byte by byte",)


def test_the_size_is_known_before_an_image_is_resized(tmp_path):
    Image.new("L", (4, 5)).save(tmp_path / "a.png")
    wide = ImageFolder(root="", folder=str(tmp_path), size=(10**6, 10**6))
    assert wide.size() >= 10**12
