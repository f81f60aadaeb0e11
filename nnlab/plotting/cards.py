"""Images under titles, as cards side by side: the examples that are most unusual to a model."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from nnlab.metrics.outliers import Scored
from nnlab.model import Model, Reconstructs, can
from nnlab.plotting.axes import INK
from nnlab.plotting.images import GAP, input_pixels, to_pixels
from nnlab.plotting.picture import BACKGROUND

WIDTH = 112  # pixels that a smaller image is enlarged to, about: what a title takes
SLIDE = 1000  # pixels that cards side by side take, about
FONT_SIZE = 17
FRAME, THICK = (213, 94, 0), 5  # vermilion of Okabe & Ito
LONGEST = 12  # letters of a class's name


def outlier_cards(model: Model, worst: list[tuple[Scored, int]]) -> np.ndarray:
    """Images, the most unusual first, each with its rank, score and class; below it the reconstruction, if there is one.

    A frame marks images of classes that were not in the training.
    """
    inputs = torch.stack([scored.worst[scored.rank(place)] for scored, place in worst])
    rows = {"input": input_pixels(inputs, model.spec)}
    if can(model, Reconstructs):
        rows["output"] = to_pixels(torch.cat([model.reconstruct(part) for part in inputs.split(100)]), model.spec)
    pixels = np.stack([enlarged(images) for images in rows.values()])
    titles = [
        f"{i + 1}:  {figure(scored.score[place])}\n{shortened(scored.class_of(place))}"
        for i, (scored, place) in enumerate(worst)
    ]
    framed = [scored.kept_out for scored, _ in worst]
    for i in np.flatnonzero(framed):
        edge = pixels[0, i].copy()
        pixels[0, i] = FRAME
        pixels[0, i, THICK:-THICK, THICK:-THICK] = edge[THICK:-THICK, THICK:-THICK]
    note = f"framed: of a class kept out of training ({sum(framed)} of {len(worst)})" if any(framed) else ""
    return cards(pixels, list(rows) if len(rows) > 1 else [], titles, note)


def enlarged(pixels: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) → each pixel a square, so that a title fits above an image."""
    times = -(-WIDTH // max(pixels.shape[1:3]))
    return pixels.repeat(times, axis=1).repeat(times, axis=2)


def figure(value: float) -> str:
    """Four digits, zeros too: 107.0 beside 106.9."""
    return f"{value:#.4g}".removesuffix(".")


def shortened(name: str) -> str:
    """A name of at most LONGEST letters; of a longer one the beginning and an ellipsis."""
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def cards(pixels: np.ndarray, names: list[str], titles: list[str], note: str) -> np.ndarray:
    """(R, N, H, W, 3) columns of R images under a title of two lines, as many side by side as a slide is wide.

    names of the R rows stand in the margin, a note of what a frame means below.
    """
    height, width = pixels.shape[2:4]
    across = min(max(1, SLIDE // (width + GAP)), len(titles))
    font = ImageFont.load_default(size=FONT_SIZE)
    left = max((int(font.getlength(name)) + 5 * GAP for name in names), default=0)
    head, tall = int(2.9 * FONT_SIZE), pixels.shape[0] * (height + GAP)
    down = -(-len(titles) // across)
    size = (left + across * (width + GAP), down * (head + tall) + (2 * FONT_SIZE if note else 0))
    if note:
        size = (max(size[0], int(font.getlength(note))), size[1])
    picture = Image.new("RGB", size, (BACKGROUND,) * 3)
    draw = ImageDraw.Draw(picture)
    for i, title in enumerate(titles):
        x, y = left + i % across * (width + GAP), i // across * (head + tall)
        draw.multiline_text((x + width // 2, y + head - 2 * GAP), title, fill=INK, font=font, anchor="md", align="center")
        for row in range(len(pixels)):
            picture.paste(Image.fromarray(pixels[row, i]), (x, y + head + row * (height + GAP)))
    for i in range(down):
        for row, name in enumerate(names):
            middle = i * (head + tall) + head + row * (height + GAP) + height // 2
            draw.text((left - 3 * GAP, middle), name, fill=INK, font=font, anchor="rm")
    draw.text((left, size[1] - GAP), note, fill=FRAME, font=font, anchor="ld")
    return np.asarray(picture)
