"""Letters and digits drawn by the twelve DejaVu faces that come with matplotlib: classes, pairs, or two domains."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from nnlab.config.constraints import AtLeast
from nnlab.data.datasets.image_folder import repeated
from nnlab.data.images import Images
from nnlab.data.spec import Part
from nnlab.data.split import Arrays, Other
from nnlab.errors import BadInput

FACES = {
    "sans": "Sans",
    "sans_bold": "Sans-Bold",
    "sans_oblique": "Sans-Oblique",
    "sans_bold_oblique": "Sans-BoldOblique",
    "serif": "Serif",
    "serif_bold": "Serif-Bold",
    "serif_italic": "Serif-Italic",
    "serif_bold_italic": "Serif-BoldItalic",
    "mono": "SansMono",
    "mono_bold": "SansMono-Bold",
    "mono_oblique": "SansMono-Oblique",
    "mono_bold_oblique": "SansMono-BoldOblique",
}
NAMES = tuple(FACES)
KINDS = ("Lu", "Ll", "Lo", "Nd")  # Unicode's letters with and without case, and digits: 1,348 are in all faces
DOUBLES = """
110 12c 189 259 391 392 395 396 397 399 39a 39b 39c 39d 39f 3a1 3a3 3a4 3a5 3a7 3aa 3ab 3b1 3b5 3b7 3b9 3ba 3bc 3bf
3cc 3d5 3dc 3f2 3f3 3f4 3f7 3f8 3f9 3fd 400 401 405 406 407 408 410 411 412 413 415 417 41a 41c 41d 41e 41f 420 421
422 425 430 432 435 437 438 43a 43d 43e 43f 440 441 442 443 445 450 451 454 455 456 457 458 472 473 4aa 4ab 4ae 4bb
4c0 4cf 4d0 4d1 4d2 4d3 4d4 4d5 4d6 4d7 4d8 4d9 4e0 4e1 4e6 4e7 4e8 4e9 4ef 4f1 510 511 51a 51b 51c 51d 54d 555 570
575 578 57d 585 1e9f 1f71 1f73 1f75 1f77 1f78 1f79 1f7b 1f7d 1fb8 1fb9 1fbb 1fc9 1fcb 1fd3 1fd8 1fd9 1fdb 1fe3 1fe9
1feb 1ff9 1ffb 210e 2126 212a 212b a78d
"""  # letters that one face or more draws at 28×28 as one before them, such as А (410) as A; a test draws all of them
LETTERS = 1200
SPLIT_SEED = 0x617F
FINE = 4  # a letter is drawn this many times as large and averaged, since a face bends its strokes to a coarse grid
STRIP = 64  # letters that are drawn together
EM = 0.71  # size of a face, as a share of the height of an image; no letter is cut


class Glyphs(Images):
    """1,200 letters and digits of the Latin, Greek, Cyrillic, Armenian and Georgian scripts, in up to twelve faces.

    A letter counts if it is in all faces, and if no face draws it like an earlier one. So a picture tells its letter, and no
    picture of the test is one of training at 28×28. All have one font size and stand in the middle, in white on black.
    The letters are split, always in the same way: those of the test are in no other split. Values are gray levels 0 … 255.

    size          height and width in pixels
    from_, to     None: the classes are the letters, each with a picture in each of the 12 faces. Or two faces: then the part
                  `input` is a letter in the face `from`, and the target the same letter in the face `to`, without labels
    paired        False: two domains instead. The target is of the face `from` and the part `b` of the face `to`; in training
                  they are of different letters, a half of them each; in the test a row of `b` is the same letter as its target
    test_letters  number of letters for the test alone
    """

    parts = ("input", "b")

    def __init__(
        self,
        *,
        size: Annotated[int, AtLeast(8)] = 28,
        from_: Literal[NAMES] | None = None,
        to: Literal[NAMES] | None = None,
        paired: bool = True,
        test_letters: Annotated[int, AtLeast(2)] = 200,
        **common,
    ) -> None:
        super().__init__(**common)
        if (from_ is None) != (to is None):
            lacking = "to" if to is None else "from"
            raise BadInput(f"data.{lacking}: give both faces, as in data.from=sans data.to=serif, or none")
        if from_ and from_ == to:
            others = ", ".join(each for each in NAMES if each != to)
            raise BadInput(f"data.to: {to} is the face of data.from, too; choose another: {others}")
        if not (paired or from_):
            raise BadInput("data.paired: false needs two faces; add data.from=sans data.to=serif, or leave it out")
        if from_ and self.binarize:
            raise BadInput("data.binarize: would change the target alone, not the other face; leave it out")
        if LETTERS - test_letters < 2:
            few = LETTERS - 2
            raise BadInput(f"data.test_letters: {test_letters} of {LETTERS:,} leaves none to train on; give {few} or fewer")
        self.side, self.paired, self.test_letters = size, paired, test_letters
        self.faces = (from_, to) if from_ else NAMES

    def size(self) -> int:
        labels = 8 if len(self.faces) > 2 else 0
        return LETTERS * len(self.faces) * (self.side**2 + labels)

    def load(self) -> Arrays:
        """x (N, 1, H, W) uint8: with two faces a picture per letter, else 12, with labels (N,). No letter is in both splits."""
        alphabet = letters()
        order = torch.randperm(len(alphabet), generator=torch.Generator().manual_seed(SPLIT_SEED))
        test, train = order[: self.test_letters].sort().values, order[self.test_letters :]
        x = {face: drawn(alphabet, face, self.side) for face in self.faces}
        part = Part("image", (1, self.side, self.side))
        if len(x) > 2:
            arrays = classes(torch.stack(list(x.values()), 1), train.sort().values, test, alphabet)
        else:
            source, target = x.values()
            if self.paired:
                train = train.sort().values
                others = {"input": Other(part, source[train], source[test])}
                arrays = Arrays(target[train], None, target[test], None, others=others)
            else:
                of_a, of_b = train[::2].sort().values, train[1::2].sort().values
                others = {"b": Other(part, target[of_b], target[test], paired=False, aligned_test=True)}
                arrays = Arrays(source[of_a], None, source[test], None, others=others)
        self.remark(repeated(arrays.x_train, arrays.x_test))
        return arrays


def classes(x: Tensor, train: Tensor, test: Tensor, alphabet: str) -> Arrays:
    """The arrays of letters (L, faces, 1, H, W) as classes, those at `train` and at `test` (n,)."""
    y = torch.arange(len(x))[:, None].expand(-1, x.shape[1])
    return Arrays(x[train].flatten(0, 1), y[train].flatten(), x[test].flatten(0, 1), y[test].flatten(), tuple(alphabet))


def file(face: str) -> Path:
    """The file of a face."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"DejaVu{FACES[face]}.ttf"


def common_letters() -> list[str]:
    """The letters and digits that all faces have, in the order of Unicode."""
    from matplotlib.ft2font import FT2Font

    known = set.intersection(*(set(FT2Font(str(file(face))).get_charmap()) for face in FACES))
    return [chr(code) for code in sorted(known) if unicodedata.category(chr(code)) in KINDS]


def letters() -> str:
    """The letters that every face draws unlike all others. Raises BadInput if matplotlib has other fonts than these."""
    doubles = {int(code, 16) for code in DOUBLES.split()}
    found = "".join(letter for letter in common_letters() if ord(letter) not in doubles)
    if len(found) != LETTERS:
        raise BadInput(
            f"data: the fonts of this matplotlib have {len(found):,} such letters, not {LETTERS:,}; install matplotlib 3.8+"
        )
    return found


def drawn(alphabet: list[str] | str, face: str, side: int) -> Tensor:
    """(L, 1, side, side) uint8: the letters in a face, each in the middle of its image."""
    large, parts = FINE * side, []
    font = ImageFont.truetype(str(file(face)), int(EM * large), layout_engine=ImageFont.Layout.BASIC)
    for start in range(0, len(alphabet), STRIP):  # one below the other, as a picture of its own takes longer than its letter
        some = alphabet[start : start + STRIP]
        image = Image.new("L", (large, large * len(some)))
        draw = ImageDraw.Draw(image)
        for i, letter in enumerate(some):
            left, top, right, bottom = font.getbbox(letter, anchor="ls")
            place = (large - left - right) // 2, large * i + (large - top - bottom) // 2
            draw.text(place, letter, fill=255, font=font, anchor="ls")
        parts.append(np.asarray(image.reduce(FINE)).reshape(-1, 1, side, side))
    return torch.from_numpy(np.concatenate(parts))
