"""A user's own pairs of images: an input, and the target that a model learns to make of it."""

from __future__ import annotations

from collections import Counter
from functools import partial
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np

from nnlab.data.dataset import Dataset, Share, set_aside
from nnlab.data.datasets.image_folder import Side, is_gray, repeated
from nnlab.data.image_files import FORMATS, hidden, images_under, listed, read_all, read_image, split_folders
from nnlab.data.spec import Part
from nnlab.data.split import Arrays, Other
from nnlab.errors import BadInput


class Pairs(Dataset):
    """Pairs of images, in one of two layouts, each perhaps below `train` and `test` (or `val`).

    Two folders, `input` and `target`, hold files of the same names; the endings of the names may differ. Or each image holds
    input and target side by side, as in facades and edges2shoes of pix2pix (Isola et al. 2017).

    folder      inside `root`, or absolute
    input_side  the half that is the input, by default the left; not for two folders
    size        resize targets to (size, size) or (height, width), bilinear; needed if they have different sizes
    input_size  the same for inputs; by default `size`
    grayscale   True: one channel; False: three channels, or one if every image is gray
    test        share of the pairs in the test split, if there is no `test` and no `val`
    """

    parts = ("input",)

    def __init__(
        self,
        *,
        folder: str,
        input_side: Literal["left", "right"] | None = None,
        size: Side | tuple[Side, Side] | None = None,
        input_size: Side | tuple[Side, Side] | None = None,
        grayscale: bool = False,
        test: Share = 0.1,
        **common,
    ) -> None:
        super().__init__(**common)
        self.folder = self.root / folder
        self.input_side, self.grayscale, self.test = input_side, grayscale, test
        resize = [(side, side) if isinstance(side, int) else tuple(side) if side else None for side in (size, input_size)]
        self.sizes = {"target": resize[0], "input": resize[1] or resize[0]}

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.name

    def size(self) -> int:
        roots = split_folders(self.folder)
        self.apart = (roots[0] / "input").is_dir() or (roots[0] / "target").is_dir()
        if self.apart and self.input_side:
            raise BadInput("data.input_side: has no effect on the folders input and target; leave it out")
        self.pairs = [matched(root) if self.apart else halves(root) for root in roots]
        bytes_per_pair = 0
        for name, size in self.sizes.items():
            # not resized: a large size may not fit into memory
            channels, *sides = self.read(name, self.pairs[0][name][0], whole=True).shape
            bytes_per_pair += channels * prod(size or sides)
        return sum(len(pairs["target"]) for pairs in self.pairs) * bytes_per_pair

    def load(self) -> Arrays:
        """x (N, C, H, W) uint8, and the part `input` of the same number of rows. Raises BadInput."""
        self.size()
        images = {
            name: [read_all(pairs[name], partial(self.read, name), self.pairs[0][name][0]) for pairs in self.pairs]
            for name in ("target", "input")
        }
        for name, parts in images.items():
            if not self.grayscale and parts[0].shape[1] == 3 and all(map(is_gray, parts)):
                images[name] = [x[:, :1].contiguous() for x in parts]
        if len(self.pairs) == 1:
            train, test = set_aside(None, len(images["target"][0]), self.test)
            if not len(test) or not len(train):
                which = "test" if not len(test) else "train"
                raise BadInput(f"data.test: {self.test:g} of {len(images['target'][0])} pairs leaves none to {which} on")
            images = {name: [x[train], x[test]] for name, (x,) in images.items()}
        self.remark(repeated(*images["target"]))
        if (self.folder / "test").is_dir() and (self.folder / "val").is_dir():
            self.remark(f"{self.folder.name}: test is the test split, val is not used; data.validation is a part of train")
        given = images["input"]
        other = Other(Part("image", tuple(given[0].shape[1:])), *given)
        return Arrays(images["target"][0], None, images["target"][1], None, others={"input": other})

    def read(self, name: str, path: Path, whole: bool = False) -> np.ndarray:
        """(C, H, W) uint8: the target or the input of a pair, from its file; `whole`: not resized. Raises BadInput."""
        size = None if whole else self.sizes[name]
        if self.apart:
            return read_image(path, size, self.grayscale)
        left = (self.input_side != "right") == (name == "input")
        return read_image(path, size, self.grayscale, half="left" if left else "right")


def matched(root: Path) -> dict[str, list[Path]]:
    """The files of the folders `input` and `target`, in the same order. Raises BadInput, naming those without a partner."""
    files = {name: images_under(root / name) if (root / name).is_dir() else [] for name in ("input", "target")}
    if inside := [root / name / part for name in files for part in ("train", "test") if (root / name / part).is_dir()]:
        raise BadInput(
            f"data.folder: {inside[0]} stands inside {inside[0].parent.name}; put input and target into train and test"
        )
    for name, own in files.items():
        if not own:
            raise BadInput(f"data.folder: no image in {root / name}. Known formats: {FORMATS}")
    keys = {name: [path.relative_to(root / name).with_suffix("").as_posix() for path in own] for name, own in files.items()}
    problems = []
    for name, partner in (("input", "target"), ("target", "input")):
        known = set(keys[partner])
        odd = [str(path) for path, key in zip(files[name], keys[name], strict=True) if key not in known]
        twice = [key for key, n in Counter(keys[name]).items() if n > 1]
        problems += [f"data.folder: without a partner in {root / partner}: {listed(odd)}"] if odd else []
        problems += [f"data.folder: more than one file of this name in {root / name}: {listed(twice)}"] if twice else []
    if problems:
        raise BadInput(*problems)
    return {name: [path for _, path in sorted(zip(keys[name], own, strict=True))] for name, own in files.items()}


def halves(root: Path) -> dict[str, list[Path]]:
    """The files of a folder whose images hold both halves. Raises BadInput if there are none, or folders beside them."""
    folders = sorted(path.name for path in root.iterdir() if path.is_dir() and not hidden(path.name))
    if folders:
        raise BadInput(f"data.folder: {root} holds the folders {listed(folders)}; those of pairs are named input and target")
    files = images_under(root)
    if not files:
        raise BadInput(
            f"data.folder: {root} has neither the folders input and target nor images with both side by side. "
            f"Known formats: {FORMATS}"
        )
    return {"input": files, "target": files}
