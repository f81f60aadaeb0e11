"""A user's own images come back from codes one by one, under their names and in their colours."""

from __future__ import annotations

import json
import weakref
from pathlib import Path

import numpy as np
import torch
from archived import there_and_back
from own_images import images, save_images
from PIL import Image

import nnlab as package
from nnlab.data.inputs import Reader
from nnlab.plotting.images import to_pixels


def test_a_folder_comes_back_under_the_names_of_its_files(nnlab, trained):
    trained()
    names = ["a/1.png", "a/2.bmp", "b/3.png", "b/deep/ä 4.png"]
    save_images("mine", images(4), names)
    status, out, error = nnlab("compress", "last", "mine", "-o", "codes.npz")
    assert status == 0, error
    status, out, error = nnlab("decompress", "last", "codes.npz", "-o", "back")
    assert (status, out) == (0, "back\n"), error
    found = sorted(path.relative_to("back").as_posix() for path in Path("back").rglob("*.png"))
    assert found == ["a/1.png", "a/2.png", "b/3.png", "b/deep/ä 4.png"]
    model = package.load("last")
    with torch.inference_mode():
        expected = model.reconstruct(torch.from_numpy(images(4)).float()[:, None] * (1 / 255))
    for name, output in zip(found, to_pixels(expected, model.spec), strict=True):
        assert np.array_equal(np.asarray(Image.open(Path("back", name))), output[..., 0])
    figures = json.loads(Path("codes.json").read_text())
    assert figures["bytes_of_files"] == sum(Path("mine", name).stat().st_size for name in names)
    assert figures["bytes_in"] == 4 * 64


def test_files_that_differ_by_their_suffix_alone_stay_two(nnlab, trained):
    trained()
    save_images("mine", images(2), ["a.png", "a.bmp"])
    assert nnlab("compress", "last", "mine", "-o", "codes.npz")[0] == 0
    assert nnlab("decompress", "last", "codes.npz", "-o", "back")[0] == 0
    assert {path.name for path in Path("back").iterdir()} == {"a.png.png", "a.bmp.png"}


def test_one_image_and_an_array_of_them(nnlab, trained):
    trained()
    save_images("mine", images(3), ["0.png", "1.png", "2.png"])
    np.savez("mine.npz", x=images(3))
    folder, of_array, of_one = (there_and_back(nnlab, typed)[0] for typed in ("mine", "mine.npz", "mine/1.png"))
    assert np.array_equal(folder, of_array)
    assert np.allclose(of_one, folder[1:2], atol=1e-6)
    assert nnlab("decompress", "last", "codes.npz", "-o", "one")[0] == 0
    assert [path.name for path in Path("one").iterdir()] == ["1.png"]


def test_what_comes_from_an_array_is_numbered(nnlab, trained):
    trained()
    np.savez("mine.npz", x=images(11))
    nnlab("compress", "last", "mine.npz", "-o", "codes.npz")
    nnlab("decompress", "last", "codes.npz", "-o", "back")
    assert sorted(path.name for path in Path("back").iterdir()) == [f"{i:02d}.png" for i in range(11)]


def test_colours_stay_colours(nnlab, trained):
    np.savez("train.npz", x_train=images(40, 8, 8, 3))
    trained("data=npz", "data.root=.", "data.file=train.npz")
    save_images("mine", images(2, 8, 8, 3), ["a.png", "b.png"])
    nnlab("compress", "last", "mine", "-o", "codes.npz")
    nnlab("decompress", "last", "codes.npz", "-o", "back")
    assert np.asarray(Image.open("back/a.png")).shape == (8, 8, 3)


def test_the_memory_does_not_grow_with_the_number_of_images(nnlab, trained, monkeypatch):
    trained()
    np.savez("mine.npz", x=images(600))
    alive, most, read = [], [], Reader.batch

    def watched(self: Reader, *args: object) -> object:
        batch = read(self, *args)
        alive.append(weakref.ref(batch.input))
        most.append(sum(one() is not None for one in alive))
        return batch

    monkeypatch.setattr(Reader, "batch", watched)
    monkeypatch.setattr(Reader, "chunk", 10)
    assert nnlab("compress", "last", "mine.npz", "--codes", "uint8", "-o", "codes.npz")[0] == 0
    assert len(most) == 2 * 60, "a pass that finds the ranges, and one that encodes"
    assert max(most) <= 2
