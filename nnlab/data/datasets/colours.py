"""The colours of an image's pixels as a table of red, green and blue."""

from __future__ import annotations

from typing import Annotated

import torch
from PIL import Image, UnidentifiedImageError

from nnlab.config.constraints import AtLeast
from nnlab.data.dataset import Share
from nnlab.data.parts import with_test
from nnlab.data.split import Arrays
from nnlab.data.table import Table
from nnlab.errors import BadInput, one_line

DRAW = 0xC010


class Colours(Table):
    """The colours of an image: a table of its pixels' red, green and blue, each from 0 to 1.

    file    the image: inside root, or an absolute path; None is a photograph from scikit-learn
    pixels  at most this many, drawn once
    test    share of the test split
    """

    def __init__(
        self, *, file: str | None = None, pixels: Annotated[int, AtLeast(10)] = 20000, test: Share = 0.1, **common
    ) -> None:
        super().__init__(**common)
        self.file = None if file is None else self.root / file
        self.pixels, self.test = pixels, test

    @property
    def name(self) -> str:
        """The name of the image's file without its ending; `Colours` for the photograph of scikit-learn."""
        return "Colours" if self.file is None else self.file.stem

    def image(self) -> Image.Image:
        """Raises BadInput if there is no such image."""
        if self.file is None:
            from sklearn.datasets import load_sample_image  # a second to import

            return Image.fromarray(load_sample_image("flower.jpg"))
        try:
            return Image.open(self.file)
        except FileNotFoundError as error:
            raise BadInput(f"data.file: no file {self.file}. Give one inside data.root, or an absolute path") from error
        except (UnidentifiedImageError, OSError) as error:
            raise BadInput(f"data.file: {self.file} is no image that can be read ({one_line(error)})") from error

    def size(self) -> int:
        with self.image() as image:
            width, height = image.size
        return min(width * height, self.pixels) * 3 * 4

    def load(self) -> Arrays:
        """x (N, 3) float64 in [0, 1], without labels. Raises BadInput if the file is no image that can be read."""
        try:
            with self.image() as stored:
                image = stored.convert("RGB")
        except OSError as error:
            raise BadInput(f"data.file: {self.file} is no image that can be read ({one_line(error)})") from error
        x = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(-1, 3)
        drawn = torch.randperm(len(x), generator=torch.Generator().manual_seed(DRAW))[: self.pixels]
        return with_test(x[drawn].double() / 255, None, self.test, columns=("red", "green", "blue"))
