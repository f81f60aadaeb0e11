"""A user's own images with captions, and perhaps boxes and keypoints."""

from __future__ import annotations

from functools import partial
from math import prod
from pathlib import Path

import numpy as np
import torch

from nnlab.data.annotations import Example, read_folder, resize_factors, same_number, scaled
from nnlab.data.captioned import Captioned, Count, bytes_of, captions_of
from nnlab.data.dataset import Share, set_aside
from nnlab.data.datasets.image_folder import Side, is_gray, repeated
from nnlab.data.image_files import read_all, read_image, split_folders
from nnlab.data.spec import Part
from nnlab.data.split import Arrays, Other
from nnlab.data.words import numbered
from nnlab.errors import BadInput


class Captions(Captioned):
    """Images with captions, any number for each, in one of three layouts, each perhaps below `train` and `test` (or `val`).

    NAME.txt beside NAME.png, one caption in a line; `captions.csv` with the header file,caption and any number of lines for a
    file; or `annotations.json` as of COCO (Lin et al. 2014), which may also give boxes and keypoints. File names are inside the
    folder of the csv or the json. Parts:

    caption    texts of all captions; a batch has one for each image, drawn at each reading
    box        (4,) left, top, width, height of COCO's `bbox`; (D, 4) if each image has D of them
    keypoints  (P, 2) x, y of COCO's `keypoints`; (−1, −1) where its v is 0
    Boxes and keypoints are in pixels of the images as they are resized. All images have the same number of them, or none.

    folder     inside `root`, or absolute
    size       resize to (size, size) or (height, width), bilinear; needed if the images have different sizes
    grayscale  True: one channel; False: three channels, or one if every image is gray
    test       share of the images in the test split, if there is no `test` and no `val`
    """

    parts = ("caption", "box", "keypoints")

    def __init__(
        self,
        *,
        folder: str,
        size: Side | tuple[Side, Side] | None = None,
        grayscale: bool = False,
        test: Share = 0.1,
        words_seen: Count = 2,
        **common,
    ) -> None:
        super().__init__(words_seen=words_seen, **common)
        self.folder = self.root / folder
        self.resize = (size, size) if isinstance(size, int) else tuple(size) if size else None
        self.grayscale, self.test = grayscale, test

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.name

    def size(self) -> int:
        self.examples = [read_folder(root) for root in split_folders(self.folder)]
        whole = [example for part in self.examples for example in part]
        self.boxes, self.points = same_number(whole, "boxes"), same_number(whole, "points")
        channels, *sides = self.read(whole[0].path, None).shape  # not resized: a large size may not fit into memory
        texts = [text for example in whole for text in example.captions]
        captions = bytes_of(len(whole), max(len(example.captions) for example in whole), max(len(t.split()) for t in texts))
        return captions + len(whole) * (channels * prod(self.resize or sides) + 16 * self.boxes + 8 * self.points)

    def load(self) -> Arrays:
        """x (N, C, H, W) uint8 without labels, and the parts. Raises BadInput with all that is wrong with the files."""
        self.size()
        parts = self.examples
        if len(parts) == 1:
            train, test = set_aside(None, len(parts[0]), self.test)
            if not len(test) or not len(train):
                which = "test" if not len(test) else "train"
                remedy = "give another share, or more images"
                raise BadInput(f"data.test: {self.test:g} of {len(parts[0])} images leaves none to {which} on; {remedy}")
            parts = [[parts[0][i] for i in rows.tolist()] for rows in (train, test)]
        read, first = partial(self.read, size=self.resize), parts[0][0].path
        x = [read_all([example.path for example in part], read, first) for part in parts]
        if not self.grayscale and x[0].shape[1] == 3 and all(map(is_gray, x)):
            x = [own[:, :1].contiguous() for own in x]
        self.remark(repeated(*x))
        if (self.folder / "test").is_dir() and (self.folder / "val").is_dir():
            self.remark(f"{self.folder.name}: test is the test split, val is not used; data.validation is a part of train")
        whole = [example for part in parts for example in part]
        repeats = sum(len(example.captions) - len(set(example.captions)) for example in whole)
        if repeats:
            self.remark(f"{repeats:,} captions are given again for the same image; each counts once more")
        numbers, words = numbered([example.captions for example in whole])
        others = {"caption": captions_of(numbers, words, len(parts[0])), **self.places(parts)}
        return Arrays(x[0], None, x[1], None, others=others)

    def places(self, parts: list[list[Example]]) -> dict[str, Other]:
        """The parts `box` and `keypoints` of the training and of the test images, as far as there are any."""
        found = {}
        factors = (
            [[resize_factors(example, self.resize) for example in part] for part in parts] if self.boxes + self.points else []
        )
        if self.boxes:
            shape = (self.boxes, 4) if self.boxes > 1 else (4,)
            values = [
                [[(*scaled(box[:2], by), *scaled(box[2:], by)) for box in e.boxes] for e, by in zip(part, own, strict=True)]
                for part, own in zip(parts, factors, strict=True)
            ]
            found["box"] = Other(
                Part("box", shape), *(torch.tensor(own, dtype=torch.float32).view(-1, *shape) for own in values)
            )
        if self.points:
            values = [
                [[scaled(point, by) for point in example.points] for example, by in zip(part, own, strict=True)]
                for part, own in zip(parts, factors, strict=True)
            ]
            part = Part("points", (self.points, 2))
            found["keypoints"] = Other(part, *(torch.tensor(own, dtype=torch.float32) for own in values))
        return found

    def read(self, path: Path, size: tuple[int, int] | None) -> np.ndarray:
        """(C, H, W) uint8 of an image, resized to (H, W) if a size is given. Raises BadInput."""
        return read_image(path, size, self.grayscale)
