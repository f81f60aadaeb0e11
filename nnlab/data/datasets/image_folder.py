"""A user's own images in a folder, with one subfolder per class if there are classes."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from nnlab.config.constraints import AtLeast, NonEmpty
from nnlab.data.classes import class_indices
from nnlab.data.dataset import Share
from nnlab.data.image_files import FORMATS, hidden, images_under, is_image, read_all, read_image
from nnlab.data.images import Images
from nnlab.data.parts import with_test
from nnlab.data.split import Arrays
from nnlab.errors import BadInput, printable

Side = Annotated[int, AtLeast(1)]


class ImageFolder(Images):
    """A user's own images: one folder per class (as in torchvision's ImageFolder), or images without classes.

    folder     inside `root`, or absolute; it has the classes or images, or folders `train` and perhaps `test` with them
    size       resize to (size, size) or (height, width), bilinear; needed if the images have different sizes
    grayscale  True: one channel; False: three channels, or one if every image is gray
    test       share of each class in the test split, if there is no `test` folder and no `test_classes`
    test_classes  numbers or names of classes, sorted by name: all their images are the test split, and none of them are in
                  training, so that a model is tested on people, say, that it has never seen. All classes keep their numbers
    """

    def __init__(
        self,
        *,
        folder: str,
        size: Side | tuple[Side, Side] | None = None,
        grayscale: bool = False,
        test: Share = 0.1,
        test_classes: Annotated[list[int | str], NonEmpty()] | None = None,
        **common,
    ) -> None:
        super().__init__(**common)
        self.folder = self.root / folder
        self.resize = (size, size) if isinstance(size, int) else tuple(size) if size else None
        self.grayscale = grayscale
        self.test, self.test_classes = test, test_classes

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.name

    def size(self) -> int:
        self.parts = [self.folder / part for part in ("train", "test") if (self.folder / part).is_dir()]
        if not (self.folder / "train").is_dir():
            self.parts = [self.folder]
        listed = [list_images(part) for part in self.parts]
        self.files = [files for files, _, _ in listed]
        self.labels = [labels for _, labels, _ in listed]
        self.classes = listed[0][2]
        if any(classes != self.classes for _, _, classes in listed):
            raise BadInput(f"data.folder: {self.parts[0]} and {self.parts[1]} hold different classes")
        self.tested = self._tested()
        channels, *sides = read_image(self.files[0][0], None, self.grayscale).shape  # a resized image may not fit into memory
        self.shape = (channels, *(self.resize or sides))
        return sum(map(len, self.files)) * (prod(self.shape) + 8)

    def load(self) -> Arrays:
        """x (N, C, H, W) uint8, labels (N,) if there are classes; C is 1 if all images are gray. Raises BadInput."""
        self.size()
        images = [read_all(files, self._read, self.files[0][0]) for files in self.files]
        if not self.grayscale and images[0].shape[1] == 3 and all(is_gray(x) for x in images):
            images = [x[:, :1].contiguous() for x in images]
        if len(images) == 2:
            arrays = Arrays(images[0], self.labels[0], images[1], self.labels[1], self.classes)
        elif self.tested:
            test = torch.isin(self.labels[0], torch.tensor(self.tested))
            x, y = images[0], self.labels[0]
            arrays = Arrays(x[~test], y[~test], x[test], y[test], self.classes)
        else:
            arrays = with_test(images[0], self.labels[0], self.test, self.classes, scale=1 / 255)
        self.remark(repeated(arrays.x_train, arrays.x_test))
        return arrays

    def _tested(self) -> list[int]:
        """The numbers of the classes that are for the test alone. Raises BadInput if they cannot be."""
        if self.test_classes is None:
            return []
        if len(self.parts) == 2:
            raise BadInput(f"data.test_classes: {self.parts[1]} is the test split already; leave out one of them")
        tested = class_indices(self.test_classes, self.classes, self.name, "data.test_classes")
        if len(tested) == len(self.classes):
            raise BadInput("data.test_classes: these are all classes, which leaves none to train on; leave out some")
        return tested

    def _read(self, path: Path) -> np.ndarray:
        return read_image(path, self.resize, self.grayscale)


def is_gray(x: Tensor) -> bool:
    """Whether red, green and blue are the same at every pixel of images (N, 3, H, W)."""
    return bool((x[:, 0] == x[:, 1]).all() and (x[:, 0] == x[:, 2]).all())


def list_images(folder: Path) -> tuple[list[Path], Tensor | None, tuple[str, ...]]:
    """The image files under a folder, their labels, and the names of the classes: its subfolders, or none."""
    if not folder.is_dir():
        raise BadInput(f"data.folder: no folder {folder}. Give one inside data.root, or an absolute path")
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir() and not hidden(path.name))
    loose = [p for p in folder.iterdir() if is_image(p) and p.is_file() and not hidden(p.name)]
    if classes and loose:
        raise BadInput(
            f"data.folder: {folder} holds both images ({loose[0].name}) and folders ({classes[0]}); "
            "put every image into the folder of its class, or all into one folder"
        )
    files, labels = [], []
    for label, name in enumerate(classes or ["."]):
        paths = images_under(folder / name)
        files += paths
        labels += [label] * len(paths)
        if not paths:
            raise BadInput(f"data.folder: no image in {folder / name}. Known formats: {FORMATS}")
    return files, torch.tensor(labels) if classes else None, tuple(map(printable, classes))


def repeated(train: Tensor, test: Tensor) -> str:
    """A warning if test images are also training images, with equal bytes; else empty."""
    known = {x.numpy().tobytes() for x in train}
    n = sum(x.numpy().tobytes() in known for x in test)
    return f"{n:,} of {len(test):,} test images are also training images, byte by byte" if n else ""
