"""Image files of a folder, and their pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from nnlab.errors import BadInput, printable

UNREADABLE = (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError)
FORMATS = "png, jpg, bmp, pgm, webp, …"
MOST_NAMED = 5  # files that a message names
LEFTOVERS = frozenset({"__MACOSX"})  # folders that archive programs add


def is_image(path: Path) -> bool:
    """Whether a file has the name of an image."""
    return path.suffix.lower() in Image.registered_extensions()


def hidden(name: str) -> bool:
    """Whether a file or a folder is hidden: .ipynb_checkpoints, .DS_Store, ._photo.png, __MACOSX, …"""
    return name.startswith(".") or name in LEFTOVERS


def images_under(folder: Path) -> list[Path]:
    """The image files in a folder and its subfolders, sorted, without hidden files and folders."""
    files = (path for path in folder.rglob("*") if is_image(path) and path.is_file())
    return sorted(path for path in files if not any(map(hidden, path.relative_to(folder).parts)))


def split_folders(folder: Path) -> list[Path]:
    """The folder itself, or the folders `train` and, if there is one, `test` or else `val` in it.

    Raises BadInput if there is no such folder, or one for the test without `train`.
    """
    if not folder.is_dir():
        raise BadInput(f"data.folder: no folder {folder}. Give one inside data.root, or an absolute path")
    held = next((name for name in ("test", "val") if (folder / name).is_dir()), None)
    if not (folder / "train").is_dir():
        if held:
            raise BadInput(f"data.folder: {folder} has the folder {held} but no train; put the other examples into train")
        return [folder]
    return [folder / "train", *([folder / held] if held else [])]


def listed(names: Sequence[object]) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(map(printable, names[:MOST_NAMED])) + more


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of an image in pixels, from the beginning of its file. Raises BadInput if it cannot be read."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def read_image(
    path: Path, size: tuple[int, int] | None, grayscale: bool, half: Literal["left", "right"] | None = None
) -> np.ndarray:
    """(C, H, W) uint8, resized to (H, W) if a size is given; of an image with two side by side a half.

    Raises BadInput if the file cannot be read, or has no two halves.
    """
    try:
        with Image.open(path) as image:
            image = in_bytes(image, path).convert("L" if grayscale else "RGB")
            if half:
                if image.width % 2:
                    raise BadInput(f"{path}: {image.width} pixels wide, which has no two halves; give images of an even width")
                left = 0 if half == "left" else image.width // 2
                image = image.crop((left, 0, left + image.width // 2, image.height))
            if size:
                image = image.resize(size[::-1], Image.Resampling.BILINEAR)
            pixels = np.asarray(image)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _unreadable(path: Path, error: BaseException) -> BadInput:
    return BadInput(f"{path}: not a readable image ({error}). Repair or remove it")


def read_all(files: Sequence[Path], read: Callable[[Path], np.ndarray], like: Path) -> Tensor:
    """(N, C, H, W) uint8 of files by a function of one. Raises BadInput if one has another size than the file `like`."""
    first = read(like)
    x = np.empty((len(files), *first.shape), np.uint8)

    def fill(i: int) -> None:
        pixels = read(files[i])
        if pixels.shape != first.shape:
            sizes = [f"{h}×{w}" for _, h, w in (first.shape, pixels.shape)]
            raise BadInput(f"{files[i]}: {sizes[1]} pixels, but {like.name} has {sizes[0]}. Add data.size=64 to resize all")
        x[i] = pixels

    with ThreadPoolExecutor() as pool:  # PIL releases Python's lock while it decodes
        for _ in pool.map(fill, range(len(files))):
            pass
    return torch.from_numpy(x)


def in_bytes(image: Image.Image, path: Path) -> Image.Image:
    """The image with 8 bits per pixel and channel, scaled (PIL would clip).

    16 bits are 0 … 65535, and the upper 8 are kept. 32-bit integers are 0 … 255 and 32-bit floats 0 … 1. Raises BadInput for
    other values, whose meaning is not known.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format != "TIFF"):  # PIL opens 16-bit PNG and PGM as I
        return Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8))
    if image.mode not in ("I", "F"):
        return image
    pixels = np.asarray(image)
    limit = 255 if image.mode == "I" else 1
    if not (pixels.min() >= 0 and pixels.max() <= limit):  # false for NaN, too
        kind = "32-bit whole numbers" if image.mode == "I" else "32-bit floats"
        raise BadInput(
            f"{path}: {kind} of {pixels.min():g} … {pixels.max():g}, where 0 … {limit} was expected. "
            "Save it with 8 or 16 bits, or give the images as data=npz with data.range"
        )
    return Image.fromarray(pixels.astype(np.uint8) if image.mode == "I" else np.rint(pixels * 255).astype(np.uint8))
