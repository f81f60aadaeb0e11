"""The pictures of runs, as a page holds them: their files as they are, or smaller ones where they are too many. No torch."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from nnlab.runs.files import read
from nnlab.runs.text_formats import numbers, read_json

ROOM = 5 * 2**20  # bytes of all pictures of a page; as text they take a third more
LARGEST = 32 * 2**20  # bytes of a file, beyond which it is not read
PIXELS = 40_000_000  # of a picture, beyond which it is not decoded
RUNS, EACH = 24, 40  # runs with pictures, and pictures of a run, at the most
KINDS = {"PNG": "png", "GIF": "gif", "WEBP": "webp", "JPEG": "jpeg"}
DRAWN_ANYWAY = "curves"  # the page has these as charts
FRAMES, FILMS = 24, 3  # of a film that is made smaller; how many are, since each takes a second
SIZES = ((85, 1600), (80, 640), (70, 320))  # quality and longest side of smaller and smaller pictures
BROKEN = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)


@dataclass(frozen=True)
class Picture:
    """A picture of a run.

    name    without the ending of its file
    kind    of the bytes: png, gif, webp or jpeg
    bytes   of the file
    size    its width and height in pixels
    frames  1, or the number of frames of an animation
    step    of the weights that it shows, if the file says so
    values  the metrics in the .json beside it
    as_is   whether the bytes are those of the file
    cut     whether it is the last frame of an animation
    """

    name: str
    kind: str
    bytes: bytes
    size: tuple[int, int]
    frames: int
    step: str | None
    values: dict[str, float]
    as_is: bool = True
    cut: bool = False

    @property
    def source(self) -> str:
        """The picture as an address that holds it."""
        return f"data:image/{self.kind};base64,{base64.b64encode(self.bytes).decode()}"


def found(folder: Path) -> list[Picture]:
    """The pictures in a run's images/, by name, EACH at the most. A file that is no picture, or a link, is left out."""
    if not folder.is_dir() or folder.is_symlink():
        return []
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".gif") and path.stem != DRAWN_ANYWAY)
    return [picture for path in paths[:EACH] if (picture := opened(path))]


def opened(path: Path) -> Picture | None:
    """A picture from its file; None if it is none."""
    try:
        content = read(path, LARGEST)
        with decoded(content) as image:
            kind, size = KINDS[image.format], image.size
            frames = getattr(image, "n_frames", 1) - still_before(image)
            step = image.info.get("Step")
    except (*BROKEN, KeyError):
        return None
    step = str(step) if isinstance(step, str) and step.isdecimal() else None
    return Picture(path.stem, kind, content, size, frames, step, numbers(read_json(path.with_suffix(".json"))))


def decoded(content: bytes) -> Image.Image:
    """An image whose size is known, and whose pixels are not yet read. Raises one of BROKEN."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(io.BytesIO(content), formats=tuple(KINDS))
        except Image.DecompressionBombWarning as error:
            raise ValueError(str(error)) from error
    if image.width * image.height > PIXELS:
        raise ValueError("too many pixels")
    return image


def still_before(image: Image.Image) -> int:
    """1 if an animated PNG has a still picture before its frames, for viewers that show no animation; nnlab's have one."""
    return int(bool(image.info.get("default_image")))


def within(pictures: Sequence[Picture], room: int = ROOM) -> list[Picture | None]:
    """The pictures in at most so many bytes; None for one that does not fit.

    As long as they do not fit, the largest are made smaller: first still pictures are compressed with a small loss, then
    animations get fewer frames, then an animation becomes its last frame, then all become smaller in pixels.
    """
    kept: list[Picture | None] = list(pictures)
    films = 0

    def film(picture: Picture) -> Picture | None:
        nonlocal films
        films += 1
        return shorter(picture) if films <= FILMS else None

    ways: list[tuple[Callable[[Picture], bool], Callable[[Picture], Picture | None]]] = [
        (lambda p: p.frames == 1, lambda p: compressed(p, *SIZES[0])),
        (lambda p: p.frames > 1, film),
        (lambda p: p.frames > 1, lambda p: compressed(p, *SIZES[0])),
        *((lambda p: True, lambda p, size=size: compressed(p, *size)) for size in SIZES[1:]),
    ]
    for fits, smaller in ways:
        order = sorted((i for i, p in enumerate(kept) if p and fits(p)), key=lambda i: -len(kept[i].bytes))
        for i in order:
            if sum(len(p.bytes) for p in kept if p) <= room:
                return kept
            made = smaller(kept[i])
            if made and len(made.bytes) < len(kept[i].bytes):
                kept[i] = made
    for i in sorted(range(len(kept)), key=lambda i: -len(kept[i].bytes)):
        if sum(len(p.bytes) for p in kept if p) <= room:
            break
        kept[i] = None
    return kept


def compressed(picture: Picture, quality: int, side: int) -> Picture | None:
    """A still picture as a WebP of at most `side` pixels, of an animation its last frame; None if it cannot be decoded."""
    with suppress(*BROKEN), decoded(picture.bytes) as image:
        if picture.frames > 1 and not still_before(image):
            image.seek(picture.frames - 1)
        still = image.convert("RGB")
        still.thumbnail((side, side))
        return remade(picture, still, quality, frames=1, cut=picture.cut or picture.frames > 1)
    return None


def shorter(picture: Picture) -> Picture | None:
    """An animation of at most FRAMES frames of at most 640 pixels; None if it cannot be decoded."""
    side = SIZES[1][1]
    with suppress(*BROKEN), decoded(picture.bytes) as image:
        every, first = -(-picture.frames // FRAMES), still_before(image)
        frames, times = [], []
        for i in range(picture.frames):
            image.seek(i + first)
            times.append(image.info.get("duration", 100))
            if (picture.frames - 1 - i) % every == 0:
                frames.append(image.convert("RGB"))
                frames[-1].thumbnail((side, side))
        shown = [sum(times[i : i + every]) for i in range((picture.frames - 1) % every, picture.frames, every)]
        more = {"save_all": True, "append_images": frames[1:], "duration": [round(t) for t in shown], "loop": 0}
        return remade(picture, frames[0], SIZES[1][0], frames=len(frames), **more)
    return None


def remade(picture: Picture, image: Image.Image, quality: int, *, frames: int, cut: bool = False, **options: object) -> Picture:
    """The picture with the bytes of a new file."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=1, **options)
    return replace(picture, kind="webp", bytes=buffer.getvalue(), size=image.size, frames=frames, as_is=False, cut=cut)
