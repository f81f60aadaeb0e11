"""Tensors → pictures: sheets of images with labels in the margin, large enough for a slide."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin
from torch import Tensor

from nnlab.data.spec import DataSpec, Part
from nnlab.nn import resize
from nnlab.plotting.axes import Chart, font
from nnlab.runs.files import write_whole

TILE = 48  # a smaller image is enlarged to about this many pixels; each pixel becomes a square
GAP = 2
BACKGROUND, INK = 255, 40
FONT_SIZE = 13
LINE = 30  # characters in a line of a long label
FRAME, REST, MOVING = 300, 2000, 80  # milliseconds of each picture of a film; of its last; of one without a rest


def to_pixels(images: Tensor, spec: DataSpec | Part) -> np.ndarray:
    """(…, C, H, W) values → (…, H, W, 3) uint8, `low` black and `high` white, values beyond them clipped."""
    scaled = (images.detach().float() - spec.low) / spec.value_range
    pixels = scaled.clamp(0, 1).mul(255).round().byte().movedim(-3, -1).cpu().numpy()
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3]


def input_pixels(x: Tensor, spec: DataSpec) -> np.ndarray:
    """(…, C, H, W) inputs of a model → (…, H, W, 3) uint8, of the size of its targets."""
    size = (x.shape[-3], *spec.shape[1:])
    return to_pixels(resize.enlarged(x.flatten(0, -4), size).unflatten(0, x.shape[:-3]), spec.input)


def sheet(tiles: np.ndarray, rows: list[str] | None = None, columns: list[str] | None = None, caption: str = "") -> np.ndarray:
    """(R, K, H, W, 3) uint8 → one picture (…, …, 3), with a label left of each row and above each column.

    caption  what the columns' labels count, above them
    """
    scale = max(1, -(-TILE // max(tiles.shape[2:4])))
    tiles = tiles.repeat(scale, axis=2).repeat(scale, axis=3)
    count, width, h, w, _ = tiles.shape
    canvas = np.full((count, h + GAP, width, w + GAP, 3), BACKGROUND, np.uint8)
    canvas[:, :h, :, :w] = tiles.transpose(0, 2, 1, 3, 4)
    canvas = canvas.reshape(count * (h + GAP), width * (w + GAP), 3)[: -GAP or None, : -GAP or None]
    if not rows and not columns:
        return canvas
    letters, line = font(FONT_SIZE), FONT_SIZE + 2 * GAP
    left = max((int(letters.getlength(part)) for label in rows or [] for part in label.split("\n")), default=0)
    left, top = (left + 3 * GAP if left else 0), (line if columns else 0) + (line if caption else 0)
    picture = Image.new("RGB", (canvas.shape[1] + left, canvas.shape[0] + top), (BACKGROUND,) * 3)
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
        draw.text((left + canvas.shape[1] // 2, 0), caption, anchor="ma", **ink)
    return np.asarray(picture)


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


class Animation(np.ndarray):
    """A picture (H, W, 3) with those that came before it: it is saved as an animation.

    captions  one per frame ("epoch 3"), under the title; empty if not needed
    """

    frames: list[np.ndarray]
    durations: list[int]
    captions: list[str]

    @classmethod
    def of(cls, frames: list[np.ndarray], rest: bool = True, captions: list[str] | None = None) -> Animation:
        """rest  whether it stops for a while at the last frame; else it is a loop"""
        film = frames[-1].view(cls)
        film.frames, film.captions = list(frames), captions or []
        film.durations = [*[FRAME] * (len(frames) - 1), REST] if rest else [MOVING] * len(frames)
        return film

    def with_frames(self, frames: list[np.ndarray]) -> Animation:
        """The same animation with other frames, equally many."""
        film = Animation.of(frames, captions=self.captions)
        film.durations = self.durations
        return film


def headed(picture: np.ndarray, title: str, when: str = "") -> np.ndarray:
    """A picture with a title and a caption; in an animation each frame has its own caption."""
    frames = getattr(picture, "frames", None)
    if not frames:
        text = ", ".join(filter(None, (title, when)))
        return with_figure(under(np.asarray(picture), text), picture, text)
    captions = picture.captions or [""] * len(frames)
    titles = [", ".join(filter(None, (title, caption))) for caption in captions]
    return picture.with_frames([under(np.asarray(frame), text) for frame, text in zip(frames, titles, strict=True)])


def with_figure(pixels: np.ndarray, picture: np.ndarray, title: str = "") -> np.ndarray:
    """The same picture with other pixels; a chart keeps its figure."""
    figure = getattr(picture, "figure", None)
    return pixels if figure is None else Chart.of(pixels, figure, title or picture.title)


def under(pixels: np.ndarray, title: str) -> np.ndarray:
    """(H, W, 3) uint8 with a title above it, in as many lines as needed; wider if a word is wider."""
    size = int(np.clip(pixels.shape[1] / 36, FONT_SIZE, 22))
    letters, lines = font(size), [""]
    for word in title.split():
        longer = f"{lines[-1]} {word}".strip()
        lines = [*lines[:-1], longer] if letters.getlength(longer) <= pixels.shape[1] or not lines[-1] else [*lines, word]
    width = max(pixels.shape[1], *(int(letters.getlength(line)) + 1 for line in lines))
    top, step = size // 2, round(1.35 * size)
    strip = Image.new("RGB", (width, top + step * len(lines) + size // 3), (BACKGROUND,) * 3)
    for i, line in enumerate(lines):
        ImageDraw.Draw(strip).text((width // 2, top + i * step), line, fill=(INK,) * 3, font=letters, anchor="ma")
    spare = width - pixels.shape[1]
    wide = np.pad(pixels, ((0, 0), (spare // 2, spare - spare // 2), (0, 0)), constant_values=BACKGROUND)
    return np.concatenate([np.asarray(strip), wide])


DPI = 120  # as plots have it


def png(picture: np.ndarray, dpi: int = DPI, metadata: Mapping[str, str] | None = None) -> bytes:
    """The picture as the bytes of a PNG file; an animation as an animated PNG.

    Viewers without animations show its last frame.

    dpi    pixels per inch that the file states: how large it is on paper
    metadata  of the file: the run, the step, …
    """
    frames, moving = frames_of(picture)
    about = PngImagePlugin.PngInfo()
    for name, text in (metadata or {}).items():
        about.add_itxt(name, text)
    buffer = io.BytesIO()
    moving = {**moving, "append_images": frames, "default_image": True} if moving else {}
    frames[-1].save(buffer, "PNG", pnginfo=about, dpi=(dpi, dpi), **moving)
    return buffer.getvalue()


def frames_of(picture: np.ndarray) -> tuple[list[Image.Image], dict]:
    """The frames of a picture and the options of an animated file; empty for a single frame."""
    frames = [Image.fromarray(np.asarray(frame)) for frame in getattr(picture, "frames", [picture])]
    moving = {"save_all": True, "append_images": frames[1:], "duration": getattr(picture, "durations", []), "loop": 0}
    return frames, moving if len(frames) > 1 else {}


def gif(picture: np.ndarray) -> bytes:
    """The picture as the bytes of a GIF file; most slides can show a GIF, but not an animated PNG."""
    frames, moving = frames_of(picture)
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", **moving)
    return buffer.getvalue()


def pdf(picture: np.ndarray, dpi: int = DPI) -> bytes:
    """The picture, or the last frame of a film, as a page of its size."""
    buffer = io.BytesIO()
    frames_of(picture)[0][-1].save(buffer, "PDF", resolution=dpi)
    return buffer.getvalue()


def svg(picture: np.ndarray, dpi: int = DPI) -> bytes:
    """The picture, or the last frame of a film, as an SVG that holds its pixels, each a sharp square at any size."""
    last = frames_of(picture)[0][-1]
    (width, height), data = last.size, base64.b64encode(png(np.asarray(last), dpi)).decode()
    size = f'width="{width / dpi:.3f}in" height="{height / dpi:.3f}in" viewBox="0 0 {width} {height}"'
    href = f'style="image-rendering:pixelated" href="data:image/png;base64,{data}"'
    image = f'<image width="{width}" height="{height}" {href}/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{image}</svg>\n'.encode()


def enlarged(picture: np.ndarray, scale: int) -> np.ndarray:
    """Each pixel as a square of `scale` by `scale`."""
    if scale == 1:
        return picture
    if isinstance(picture, Animation):
        return picture.with_frames([enlarged(np.asarray(frame), scale) for frame in picture.frames])
    return with_figure(np.asarray(picture).repeat(scale, 0).repeat(scale, 1), picture)


def save(picture: np.ndarray, path: Path, dpi: int = DPI, metadata: Mapping[str, str] | None = None) -> None:
    """Write a picture as the file's name says (.png, .gif, .pdf, .svg); as the last two a chart has lines and letters.

    Raises OSError.
    """
    kind = path.suffix.lower()
    if kind in (".pdf", ".svg") and getattr(picture, "figure", None) is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, picture.vector(kind[1:], metadata or {}))
        return
    content = {
        ".gif": lambda: gif(picture),
        ".pdf": lambda: pdf(picture, dpi),
        ".svg": lambda: svg(picture, dpi),
    }.get(kind, lambda: png(picture, dpi, metadata))()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
