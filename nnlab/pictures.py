"""Tensors → pictures: sheets of images with labels in the margin, as a slide would show them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from nnlab.data.spec import DataSpec
from nnlab.runs.files import write_whole

TILE = 48  # a smaller image is enlarged to about so many pixels, each pixel a square
GAP = 2
BACKGROUND, INK = 255, 40
FONT_SIZE = 13
FRAME, REST, MOVING = 300, 2000, 80  # milliseconds of each picture of a film; of its last; of one without a rest


def to_pixels(images: Tensor, spec: DataSpec) -> np.ndarray:
    """(…, C, H, W) values → (…, H, W, 3) uint8, `low` black and `high` white, values beyond them clipped."""
    scaled = (images.detach().float() - spec.low) / ((spec.high - spec.low) or 1.0)
    pixels = scaled.clamp(0, 1).mul(255).round().byte().movedim(-3, -1).cpu().numpy()
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3]


def sheet(tiles: np.ndarray, rows: list[str] | None = None, columns: list[str] | None = None) -> np.ndarray:
    """(R, K, H, W, 3) uint8 → one picture (…, …, 3), with a label left of each row and above each column."""
    scale = max(1, -(-TILE // max(tiles.shape[2:4])))
    tiles = tiles.repeat(scale, axis=2).repeat(scale, axis=3)
    count, width, h, w, _ = tiles.shape
    canvas = np.full((count, h + GAP, width, w + GAP, 3), BACKGROUND, np.uint8)
    canvas[:, :h, :, :w] = tiles.transpose(0, 2, 1, 3, 4)
    canvas = canvas.reshape(count * (h + GAP), width * (w + GAP), 3)[: -GAP or None, : -GAP or None]
    if not rows and not columns:
        return canvas
    font = ImageFont.load_default(size=FONT_SIZE)
    left = max((int(font.getlength(line)) for label in rows or [] for line in label.split("\n")), default=0)
    left, top = (left + 3 * GAP if left else 0), (FONT_SIZE + 2 * GAP if columns else 0)
    picture = Image.new("RGB", (canvas.shape[1] + left, canvas.shape[0] + top), (BACKGROUND,) * 3)
    picture.paste(Image.fromarray(canvas), (left, top))
    draw = ImageDraw.Draw(picture)
    for i, label in enumerate(rows or []):
        middle = top + i * (h + GAP) + h // 2
        draw.multiline_text((left - 2 * GAP, middle), label, fill=(INK,) * 3, font=font, anchor="rm", align="right", spacing=1)
    for i, label in enumerate(columns or []):
        # what hangs below the line, as of a p, stays above the tile
        draw.text((left + i * (w + GAP) + w // 2, top - 1), label, fill=(INK,) * 3, font=font, anchor="md")
    return np.asarray(picture)


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
    """(N, C, H, W) weights → (N, H, W, 3) uint8: gray is zero, each is scaled to its own largest entry."""
    largest = weights.abs().flatten(1).amax(1).clamp(min=1e-12).view(-1, 1, 1, 1)
    pixels = (0.5 + 0.5 * weights.detach().float() / largest).mul(255).round().byte().movedim(-3, -1).cpu().numpy()
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3]


class Film(np.ndarray):
    """A picture (H, W, 3) with those that came before it: where a picture is written, a film is written as an animation."""

    frames: list[np.ndarray]
    durations: list[int]

    @classmethod
    def of(cls, frames: list[np.ndarray], rest: bool = True) -> Film:
        """rest  whether it shows how something came to be, and rests on the last; else it moves on, round and round"""
        film = frames[-1].view(cls)
        film.frames = list(frames)
        film.durations = [*[FRAME] * (len(frames) - 1), REST] if rest else [MOVING] * len(frames)
        return film


def png(picture: np.ndarray) -> bytes:
    """The picture as the bytes of a PNG file; of a film an animated one.

    Where animations do not move, its last picture is what is seen.
    """
    buffer = io.BytesIO()
    frames = [Image.fromarray(np.asarray(frame)) for frame in getattr(picture, "frames", [picture])]
    durations = getattr(picture, "durations", [])
    moving = {"save_all": True, "default_image": True, "append_images": frames, "duration": durations, "loop": 0}
    frames[-1].save(buffer, format="PNG", **(moving if len(frames) > 1 else {}))
    return buffer.getvalue()


def save(picture: np.ndarray, path: Path) -> None:
    """Write a picture as a PNG file. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, png(picture))
