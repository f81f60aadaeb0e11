"""The pictures of several runs side by side. No torch."""

from __future__ import annotations

from pathlib import Path

from nnlab.runs.files import own, replacing

MOST = 16  # at most this many runs side by side
GAP = 12  # pixels between two
TITLE = 22  # a title's height is the picture's height divided by this


def side_by_side(runs: dict[str, Path], into: Path, only: str = "*.png") -> list[Path]:
    """For each name of a picture that several runs have, one picture with theirs, each under its title, nearly square.

    runs  title → folder of pictures
    only  the pattern of the names
    Returns the files that were written into the folder `into`.
    """
    held: dict[str, dict[str, Path]] = {}
    for title, folder in runs.items() if len(runs) <= MOST else ():
        for path in folder.glob(only):
            if not path.is_symlink():
                held.setdefault(path.name, {})[title] = path
    several = {name: pictures for name, pictures in sorted(held.items()) if len(pictures) > 1}
    if several:
        own(into)
    for name, pictures in several.items():
        with replacing(into / name) as file:
            beside(pictures).save(file, "PNG")
    return [into / name for name in several]


def beside(pictures: dict[str, Path]):
    """title → file, as one picture: all to one scale, and below each other if their sizes differ."""
    from PIL import Image, ImageDraw

    from nnlab.plotting.axes import font

    opened = [Image.open(path).convert("RGB") for path in pictures.values()]
    width = max(picture.width for picture in opened)
    size = max(13, min(picture.height for picture in opened) // TITLE)
    alike = len({picture.size for picture in opened}) == 1
    columns = round(len(opened) ** 0.5 + 0.49) if alike else 1
    tall = [max(picture.height for picture in opened[i : i + columns]) for i in range(0, len(opened), columns)]
    between = 2 * size + GAP
    sheet = Image.new("RGB", (columns * (width + GAP) - GAP, sum(tall) + between * len(tall) - GAP), "white")
    draw, top = ImageDraw.Draw(sheet), 0
    for row, height in enumerate(tall):
        first = row * columns
        for column, (title, picture) in enumerate(list(zip(pictures, opened, strict=True))[first : first + columns]):
            left = column * (width + GAP)
            draw.text((left + width // 2, top + size // 3), title, fill=(40, 40, 40), font=font(size), anchor="ma")
            sheet.paste(picture, (left + (width - picture.width) // 2, top + 2 * size))
        top += height + between
    return sheet
