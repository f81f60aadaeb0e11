"""Texts and boxes of a command line, as a model that draws by them is given them, and the picture of what it draws."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from nnlab.commands.capability import names_of
from nnlab.data.spec import Part
from nnlab.data.words import encode, unknown_words
from nnlab.errors import BadInput
from nnlab.model import Model, SamplesGiven
from nnlab.plotting.images import lines, sheet, to_pixels
from nnlab.plotting.picture import BACKGROUND

MOST_COLUMNS = 12


def asked_parts(
    model: SamplesGiven, texts: Sequence[str], boxes: Sequence[Sequence[float]], n: int, generator: torch.Generator
) -> tuple[list[str], dict[str, Tensor]]:
    """The titles of the rows, and for each of their n examples the parts that the model is given, (rows · n, …) each.

    Unknown words are told. What was not asked for, as a box, is drawn of the training data, and that is told, too.
    Raises BadInput for a text without a known word, and for a box outside the image.
    """
    device, spec, asked = generator.device, model.spec, {}
    rows = 1
    if boxes:
        places = boxes_of(boxes, spec["box"], spec.shape)
        rows = len(places)
    if texts:
        numbers = [numbers_of(text, spec["caption"]) for text in texts]
        if rows > 1 and len(numbers) > 1 and rows != len(numbers):
            raise BadInput(f"--box: {rows} boxes for {len(numbers)} texts; give one for all, or one for each")
        rows = max(rows, len(numbers))
        asked["caption"] = torch.tensor(numbers, device=device).expand(rows, -1)
    if boxes:
        asked["box"] = places.to(device).expand(rows, *spec["box"].shape)
    parts = {name: part.repeat_interleave(n, 0) for name, part in asked.items()}
    left = [name for name in model.conditions if name not in parts]
    if left:
        drawn = model.drawn_conditions(rows * n, generator)
        parts |= {name: drawn[name] for name in left}
        of = " and ".join({"box": "boxes", "caption": "captions"}.get(name, name) for name in left)
        print(f"nnlab: {of} are not given; those of training examples are used", file=sys.stderr)
    titles = [texts[min(i, len(texts) - 1)] if texts else "" for i in range(rows)]
    if boxes and rows > len(texts):
        titles = [f"{title}\n{told(place)}".strip() for title, place in zip(titles, asked["box"].tolist(), strict=True)]
    return titles, parts


def require_boxes(model: Model) -> None:
    """Raise BadInput for a model that is given no boxes; if others of its kind are, it says how to train one."""
    name = type(model).__name__
    if "box" in getattr(model, "conditions", ()):
        return
    if "box" in model.places:
        raise BadInput(f"--box: this {name} has learned without boxes; train one with model.place=box")
    raise BadInput(f"--box: {name} is given no boxes; models that are: {', '.join(names_of_boxes()) or 'none yet'}")


def names_of_boxes() -> list[str]:
    """The shipped models that can be given a box."""
    from nnlab.config.build import classes_of

    known = classes_of("model")
    return [name for name in names_of(SamplesGiven) if "box" in (*known[name].needs, *known[name].places)]


def numbers_of(text: str, caption: Part) -> list[int]:
    """A text as the numbers of its words. Unknown ones are told; raises BadInput if none is known."""
    numbers, unknown = encode(text, caption.names, caption.shape[0], "--text")
    if unknown:
        print(f"nnlab: {unknown_words(unknown, caption.names, '--text')}", file=sys.stderr)
    return numbers


def boxes_of(boxes: Sequence[Sequence[float]], part: Part, shape: Sequence[int]) -> Tensor:
    """(rows, *part.shape) boxes: a row each, or of scenes of D objects one row of D boxes.

    Raises BadInput for a box outside the image or of no area, and for another number than D.
    """
    _, high, wide = shape
    for box in boxes:
        left, top, width, height = box
        if width <= 0 or height <= 0:
            raise BadInput(f"--box {told(box)}: has no area; width and height must be above 0")
        if width < 1 or height < 1:
            raise BadInput(f"--box {told(box)}: is smaller than a pixel; width and height are in pixels, at least 1")
        if left < 0 or top < 0 or left + width > wide or top + height > high:
            raise BadInput(f"--box {told(box)}: leaves the image, which is {wide} pixels wide and {high} high")
    values = torch.tensor(boxes, dtype=torch.float32)
    if len(part.shape) == 1:
        return values
    if len(boxes) != part.shape[0]:
        raise BadInput(f"--box: the scenes have {part.shape[0]} objects, got {len(boxes)} boxes; give --box for each object")
    return values[None]


def told(box: Sequence) -> str:
    """A box, or several, as a user writes them."""
    if isinstance(box[0], list):
        return " ".join(map(told, box))
    return ",".join(f"{value:g}" for value in box)


def text_picture(
    model: SamplesGiven, titles: Sequence[str], parts: Mapping[str, Tensor], n: int, generator: torch.Generator
) -> np.ndarray:
    """A row of n examples per title; of a single title several rows if there are many."""
    pixels = to_pixels(model.sample_given(parts, generator), model.spec)
    columns = min(n, MOST_COLUMNS) if len(titles) == 1 else n
    whole = -(-n // columns) * columns
    tiles = np.full((len(titles), whole, *pixels.shape[1:]), BACKGROUND, np.uint8)
    tiles[:, :n] = pixels.reshape(len(titles), n, *pixels.shape[1:])
    labels = [part for title in titles for part in (wrapped(title), *[""] * (whole // columns - 1))]
    return sheet(tiles.reshape(-1, columns, *pixels.shape[1:]), labels)


def wrapped(title: str) -> str:
    """A title in short lines, with the line breaks that it has."""
    return "\n".join(map(lines, title.split("\n")))
