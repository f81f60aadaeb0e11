"""A finished picture: its title, its frames, and the file that it becomes. No torch."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

from nnlab.plotting.axes import DPI, Chart, font
from nnlab.runs.files import write_whole

BACKGROUND, INK = 255, 40
FONT_SIZE = 13
FRAME, REST, MOVING = 300, 2000, 80  # milliseconds of each picture of a film; of its last; of one without a rest


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
