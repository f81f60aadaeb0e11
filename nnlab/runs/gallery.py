"""The pictures of several runs side by side. No torch."""

from __future__ import annotations

from pathlib import Path

from nnlab.runs.files import own, replacing

MOST = 16  # runs: of more one would see too little
GAP = 12  # pixels between two
TITLE = 22  # a title's share of a picture's height is one in so many


def side_by_side(runs: dict[str, Path], into: Path) -> list[Path]:
    """For each name of a picture that all runs have, one picture with theirs, each under its title, nearly square.

    runs  title → folder of pictures
    Returns the files that were written into the folder `into`.
    """
    held = [{path.name for path in folder.glob("*.png") if not path.is_symlink()} for folder in runs.values()]
    common = sorted(set.intersection(*held)) if 1 < len(runs) <= MOST else []
    if common:
        own(into)
    for name in common:
        with replacing(into / name) as file:
            beside({title: folder / name for title, folder in runs.items()}).save(file, "PNG")
    return [into / name for name in common]


def beside(pictures: dict[str, Path]):
    """title → file, as one picture; all are brought to the height of the first."""
    from PIL import Image, ImageDraw, ImageFont

    opened = [Image.open(path).convert("RGB") for path in pictures.values()]
    height = opened[0].height
    scaled = [picture.resize((round(picture.width * height / picture.height), height)) for picture in opened]
    size = max(13, height // TITLE)
    width, font = max(picture.width for picture in scaled), ImageFont.load_default(size=size)
    columns = round(len(scaled) ** 0.5 + 0.49)
    rows, cell = -(-len(scaled) // columns), (width + GAP, height + 2 * size + GAP)
    sheet = Image.new("RGB", (columns * cell[0] - GAP, rows * cell[1] - GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (title, picture) in enumerate(zip(pictures, scaled, strict=True)):
        left, top = i % columns * cell[0], i // columns * cell[1]
        draw.text((left + width // 2, top + size // 3), title, fill=(40, 40, 40), font=font, anchor="ma")
        sheet.paste(picture, (left + (width - picture.width) // 2, top + 2 * size))
    return sheet
