"""Tensors → pictures: sheets of images with labels in the margin, large enough for a slide."""

from __future__ import annotations

import textwrap

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from nnlab.data.spec import DataSpec, Part
from nnlab.nn import resize
from nnlab.plotting.axes import font
from nnlab.plotting.picture import BACKGROUND, FONT_SIZE, INK

TILE = 48  # a smaller image is enlarged to about this many pixels; each pixel becomes a square
GAP = 2
LINE = 30  # characters in a line of a long label
FRAME, FRAMED = 2, (220, 30, 30)  # the width of a frame, which lies over the edge of its tile, and its colour, red


def to_pixels(images: Tensor, spec: DataSpec | Part) -> np.ndarray:
    """(…, C, H, W) values → (…, H, W, 3) uint8, `low` black and `high` white, values beyond them clipped."""
    scaled = (images.detach().float() - spec.low) / spec.value_range
    pixels = scaled.clamp(0, 1).mul(255).round().byte().movedim(-3, -1).cpu().numpy()
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3]


def input_pixels(x: Tensor, spec: DataSpec) -> np.ndarray:
    """(…, C, H, W) inputs of a model → (…, H, W, 3) uint8, of the size of its targets."""
    size = (x.shape[-3], *spec.shape[1:])
    return to_pixels(resize.enlarged(x.flatten(0, -4), size).unflatten(0, x.shape[:-3]), spec.input)


def sheet(
    tiles: np.ndarray,
    rows: list[str] | None = None,
    columns: list[str] | None = None,
    caption: str = "",
    framed: np.ndarray | None = None,
) -> np.ndarray:
    """(R, K, H, W, 3) uint8 → one picture (…, …, 3), with a label left of each row and above each column.

    caption  what the columns' labels count, or what a frame means; above the columns' labels
    framed   (R, K) bool, the tiles that get a red frame
    """
    scale = max(1, -(-TILE // max(tiles.shape[2:4])))
    tiles = tiles.repeat(scale, axis=2).repeat(scale, axis=3)
    if framed is not None:
        for y, x in np.argwhere(framed):
            inside = tiles[y, x, FRAME:-FRAME, FRAME:-FRAME].copy()
            tiles[y, x] = FRAMED
            tiles[y, x, FRAME:-FRAME, FRAME:-FRAME] = inside
    count, width, h, w, _ = tiles.shape
    canvas = np.full((count, h + GAP, width, w + GAP, 3), BACKGROUND, np.uint8)
    canvas[:, :h, :, :w] = tiles.transpose(0, 2, 1, 3, 4)
    canvas = canvas.reshape(count * (h + GAP), width * (w + GAP), 3)[: -GAP or None, : -GAP or None]
    if not rows and not columns:
        return canvas
    letters, line = font(FONT_SIZE), FONT_SIZE + 2 * GAP
    left = max((int(letters.getlength(part)) for label in rows or [] for part in label.split("\n")), default=0)
    left, top = (left + 3 * GAP if left else 0), (line if columns else 0) + (line if caption else 0)
    across = max(canvas.shape[1], int(letters.getlength(caption)) + 3 * GAP if caption else 0)
    picture = Image.new("RGB", (across + left, canvas.shape[0] + top), (BACKGROUND,) * 3)
    picture.paste(Image.fromarray(canvas), (left, top))
    draw = ImageDraw.Draw(picture)
    ink = {"fill": (INK,) * 3, "font": letters}
    for i, label in enumerate(rows or []):
        middle = top + i * (h + GAP) + h // 2
        draw.multiline_text((left - 2 * GAP, middle), label, anchor="rm", align="right", spacing=1, **ink)
    for i, label in enumerate(columns or []):
        # what hangs below the line, as of a p, stays above the tile
        draw.text((left + i * (w + GAP) + w // 2, top - 1), label, anchor="md", **ink)
    if caption:
        draw.text((left + across // 2, 0), caption, anchor="ma", **ink)
    return np.asarray(picture)


def neighbours_sheet(tiles: np.ndarray, rows: list[str] | None, others: np.ndarray | None) -> np.ndarray:
    """(R, 1 + K, H, W, 3) uint8, a query and its K neighbours per row → a sheet.

    others  (R, K) bool, the neighbours of another class, which are framed; None without classes
    """
    columns = ["query", *map(str, range(1, tiles.shape[1]))]
    if others is None:
        return sheet(tiles, rows, columns)
    return sheet(tiles, rows, columns, "red frame: of another class", np.pad(others, ((0, 0), (1, 0))))


def lines(text: str, width: int = LINE) -> str:
    """A text in lines of at most so many characters, for the margin of a sheet; a longer word has a line of its own."""
    return textwrap.fill(text, width, break_long_words=False)


def grid(images: Tensor, spec: DataSpec, columns: int | None = None) -> np.ndarray:
    """(N, C, H, W) → a sheet, nearly square unless the number of columns is given; the last row may be short."""
    return tiled(to_pixels(images, spec), columns)


def tiled(pixels: np.ndarray, columns: int | None = None) -> np.ndarray:
    """(N, H, W, 3) uint8 → a sheet, as `grid` makes it."""
    columns = min(columns or int(np.ceil(np.sqrt(len(pixels)))), len(pixels))
    rows = -(-len(pixels) // columns)
    tiles = np.full((rows * columns, *pixels.shape[1:]), BACKGROUND, np.uint8)
    tiles[: len(pixels)] = pixels
    return sheet(tiles.reshape(rows, columns, *pixels.shape[1:]))


def titled(pixels: np.ndarray, titles: list[str], columns: int) -> np.ndarray:
    """(N, H, W, 3) uint8 → rows of tiles, each with a title above it."""
    columns, rows = min(columns, len(pixels)), []
    for start in range(0, len(pixels), columns):
        tiles = np.full((columns, *pixels.shape[1:]), BACKGROUND, np.uint8)
        part = pixels[start : start + columns]
        tiles[: len(part)] = part
        rows.append(sheet(tiles[None], columns=[*titles[start : start + columns], *[""] * (columns - len(part))]))
    return np.concatenate(rows)


def directions(weights: Tensor) -> np.ndarray:
    """(N, C, H, W) weights → (N, H, W, 3) uint8: gray is zero, and each has its own scale."""
    largest = weights.abs().flatten(1).amax(1).clamp(min=1e-12).view(-1, 1, 1, 1)
    pixels = (0.5 + 0.5 * weights.detach().float() / largest).mul(255).round().byte().movedim(-3, -1).cpu().numpy()
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3]
