"""The captions, boxes and keypoints of images in a folder, in one of three layouts; what is wrong with them is named."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from nnlab.data.dataset import free_memory
from nnlab.data.image_files import FORMATS, MOST_NAMED, hidden, image_size, images_under, listed
from nnlab.data.words import words_of
from nnlab.errors import BadInput, one_line, printable, shortened

CSV, JSON = "captions.csv", "annotations.json"
EXPECTED = (
    f"NAME.txt beside each image NAME.png, one caption in a line; or {CSV} with the header file,caption; or {JSON} as of COCO"
)
COCO = (
    'expected {"images": [{"id": 1, "file_name": "a.png"}, …], "annotations": [{"image_id": 1, "caption": "…", '
    '"bbox": [x, y, width, height], "keypoints": [x, y, v, …]}, …]}'
)
LONGEST_FILE = 2**20  # bytes of a text with the captions of one image
MOST_CAPTIONS, MOST_WORDS = 1000, 1000  # of one image, of one caption: more is another kind of text
IN_MEMORY = 12  # times its size on the disk is what a file takes when it is parsed
SLACK = 1  # pixels by which a box or a point may lie beyond the image, as annotation programs round; it is cut off there


@dataclass
class Example:
    """What belongs to an image.

    captions  each as its words with spaces between
    boxes     left, top, width, height in pixels of the file
    points    x and y in pixels of the file; None: missing in the image
    """

    path: Path
    captions: list[str] = field(default_factory=list)
    boxes: list[tuple[float, ...]] = field(default_factory=list)
    points: list[tuple[float, float] | None] = field(default_factory=list)


def read_folder(root: Path) -> list[Example]:
    """The images under a folder, sorted by name, each with at least one caption. Raises BadInput with what is wrong."""
    images = {path.relative_to(root).as_posix(): Example(path) for path in images_under(root)}
    if not images:
        raise BadInput(f"data.folder: no image in {printable(root)}. Known formats: {FORMATS}")
    texts = {path for path in root.rglob("*.txt") if not any(map(hidden, path.relative_to(root).parts))}
    beside = [example.path for example in images.values() if example.path.with_suffix(".txt") in texts]
    layouts = [name for name in (CSV, JSON) if (root / name).is_file()] + (["texts beside images"] if beside else [])
    if len(layouts) > 1:
        raise BadInput(
            f"data.folder: {printable(root)} has captions in two layouts ({' and '.join(layouts)}); keep one of them"
        )
    if not layouts and not texts:
        raise BadInput(f"data.folder: {printable(root)} has no captions; expected {EXPECTED}")
    if layouts == [CSV]:
        read_csv(root / CSV, images)
    elif layouts == [JSON]:
        read_json(root / JSON, images)
    else:
        read_texts(texts, images)
    examples = list(images.values())
    if bare := [example.path for example in examples if not example.captions]:
        where = f"in {layouts[0]}" if layouts and layouts[0] in (CSV, JSON) else "beside them"
        raise BadInput(f"data.folder: images without a caption {where}: {listed(bare)}; write captions, or remove the images")
    if many := [example.path for example in examples if len(example.captions) > MOST_CAPTIONS]:
        raise BadInput(f"data.folder: more than {MOST_CAPTIONS:,} captions of an image: {listed(many)}; keep some")
    return examples


def read_texts(texts: set[Path], images: Mapping[str, Example]) -> None:
    """Captions of NAME.txt for the image NAME.png, one in each line; empty lines at the end do not count."""
    names = {example.path.with_suffix(".txt"): example for example in images.values()}
    if odd := sorted(texts - names.keys()):
        raise BadInput(
            f"data.folder: captions without an image of the same name: {listed(odd)}; add the images, or remove them"
        )
    same = Counter(example.path.with_suffix(".txt") for example in images.values())
    if twice := sorted(path for path, n in same.items() if n > 1):
        raise BadInput(f"data.folder: several images for the captions {listed(twice)}; rename all but one")
    problems = Problems()
    for path in sorted(texts):
        with problems.gathered():
            if path.stat().st_size > LONGEST_FILE:
                raise BadInput(f"{printable(path)}: {path.stat().st_size:,} bytes, too long for the captions of an image")
            lines = text_of(path).rstrip().splitlines()
            for i, line in enumerate(lines or [""], 1):
                names[path].captions.append(checked(line, f"{printable(path)}, line {i}"))
    problems.refuse()


def read_csv(path: Path, images: Mapping[str, Example]) -> None:
    """Captions of a table with the columns file and caption; a file may have several rows."""
    lines = iter(rows_of(path))
    _, header = next(lines, (1, []))
    if [cell.strip().lower() for cell in header] != ["file", "caption"]:
        shown = shortened(",".join(header))
        raise BadInput(
            f"{printable(path)}: the first line is '{shown}'; expected file,caption, and then a file and a caption a line"
        )
    problems = Problems()
    for line, cells in lines:
        place = f"{printable(path)}, line {line}"
        with problems.gathered():
            if len(cells) != 2:
                remedy = "; write a caption with a comma in quotes" if len(cells) > 2 else ""
                raise BadInput(f"{place}: {len(cells)} columns, expected file,caption{remedy}")
            named(cells[0].strip(), images, place).captions.append(checked(cells[1], place))
    problems.refuse()


def read_json(path: Path, images: Mapping[str, Example]) -> None:
    """Captions, boxes and keypoints of a file as of COCO; several annotations of an image are put together, in their order."""
    try:
        whole = json.loads(text_of(path))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{printable(path)}: cannot be read as JSON ({one_line(error)}). Repair it") from error
    parts = [whole.get(name) for name in ("images", "annotations")] if isinstance(whole, dict) else [None]
    if not all(isinstance(part, list) and all(isinstance(entry, dict) for entry in part) for part in parts):
        raise BadInput(f"{printable(path)}: holds another layout; {COCO}")
    by_id: dict[Any, Example] = {}
    problems = Problems()
    for i, entry in enumerate(parts[0]):
        place = f"{printable(path)}, images[{i}]"
        with problems.gathered():
            key, name = entry.get("id"), entry.get("file_name")
            if not isinstance(key, int | str) or not isinstance(name, str):
                raise BadInput(f"{place}: has no id or no file_name; {COCO}")
            if key in by_id:
                raise BadInput(f"{place}: the id {shown(key)} is given twice; give each image its own")
            by_id[key] = named(name, images, place)
    problems.refuse()
    for i, entry in enumerate(parts[1]):
        place = f"{printable(path)}, annotations[{i}]"
        with problems.gathered():
            key = entry.get("image_id")
            if not isinstance(key, int | str) or key not in by_id:
                raise BadInput(f"{place}: image_id {shown(key)} is the id of no image; add the image, or remove the annotation")
            annotate(by_id[key], entry, place)
    problems.refuse()


def annotate(example: Example, entry: Mapping, place: str) -> None:
    """Add an annotation of COCO to what belongs to an image. Raises BadInput if one of its values cannot be used."""
    if not {"caption", "bbox", "keypoints"} & entry.keys():
        raise BadInput(f"{place}: has neither caption nor bbox nor keypoints; {COCO}")
    if "caption" in entry:
        if not isinstance(entry["caption"], str):
            raise BadInput(f"{place}: its caption is {shortened(entry['caption'])}; expected a text")
        example.captions.append(checked(entry["caption"], place))
    if "bbox" not in entry and "keypoints" not in entry:
        return
    height, width = image_size(example.path)
    image = f"{printable(example.path)} of {width}×{height} pixels"
    if "bbox" in entry:
        box = numbers(entry["bbox"], place, "bbox", 4)
        left, top, w, h = box
        if not (w > 0 and h > 0):
            raise BadInput(f"{place}: the box {box} of {image} has no area; expected [x, y, width, height]")
        if min(left, top) < -SLACK or left + w > width + SLACK or top + h > height + SLACK:
            raise BadInput(f"{place}: the box {box} lies outside {image}; expected [x, y, width, height] in pixels of the file")
        right, bottom = min(left + w, width), min(top + h, height)
        left, top = max(left, 0), max(top, 0)
        if not (right > left and bottom > top):
            raise BadInput(f"{place}: the box {box} has no area within {image}; expected [x, y, width, height]")
        example.boxes.append((left, top, right - left, bottom - top))
    if "keypoints" in entry:
        values = numbers(entry["keypoints"], place, "keypoints", None)
        for x, y, visible in zip(values[::3], values[1::3], values[2::3], strict=True):
            if visible and not (-SLACK <= x <= width + SLACK and -SLACK <= y <= height + SLACK):
                raise BadInput(
                    f"{place}: the point ({x:g}, {y:g}) lies outside {image}; give 0 as the third number of a missing one"
                )
            example.points.append((min(max(x, 0), width), min(max(y, 0), height)) if visible else None)


def shown(key: Any) -> str:
    """An id as JSON writes it: "1" is another id than 1."""
    return shortened(json.dumps(key, ensure_ascii=False))


def numbers(values: Any, place: str, key: str, n: int | None) -> list[float]:
    """A list of `n` finite numbers; without n a list of threes. Raises BadInput for anything else."""
    wanted = "[x, y, width, height]" if n else "[x, y, v, x, y, v, …]"
    plain = isinstance(values, list) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if not plain or not (len(values) == n if n else values and len(values) % 3 == 0):
        raise BadInput(f"{place}: its {key} is {shortened(values)}; expected {wanted}")
    if not all(abs(value) < 1e9 for value in values):  # false for NaN, too; whole numbers of JSON have no largest one
        raise BadInput(f"{place}: its {key} is {shortened(values)}; expected numbers of pixels")
    return [float(value) for value in values]


def checked(text: str, place: str) -> str:
    """The words of a caption with spaces between. Raises BadInput without any, and for far too many."""
    words = words_of(text)
    if not words:
        shown = f"'{shortened(text.strip())}' holds no word" if text.strip() else "the caption is empty"
        raise BadInput(f"{place}: {shown}; write one, or remove the image")
    if len(words) > MOST_WORDS:
        raise BadInput(f"{place}: a caption of {len(words):,} words; at most {MOST_WORDS:,} are taken")
    return " ".join(words)


def named(name: str, images: Mapping[str, Example], place: str) -> Example:
    """The image of a name that a file of annotations gives. Raises BadInput if there is none in the folder."""
    known = images.get(PurePosixPath(name).as_posix())
    if known is None:
        raise BadInput(f"{place}: no image '{shortened(name)}' beside this file; add it, or remove the line")
    return known


def text_of(path: Path) -> str:
    """A text file. Raises BadInput if it cannot be read, is too large to parse, or is not in UTF-8."""
    try:
        size, free = path.stat().st_size, free_memory(torch.device("cpu"))
        if size * IN_MEMORY > free:
            raise BadInput(
                f"{printable(path)}: {size / 2**30:.1f} GiB cannot be parsed in {free / 2**30:.1f} GiB of memory; split it"
            )
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{printable(path)}: is no text in UTF-8 ({one_line(error)}). Save it as UTF-8") from error
    except OSError as error:
        raise BadInput(f"{printable(path)}: cannot be read ({one_line(error)})") from error


def rows_of(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The records of a table that are not empty, each with the number of its first line."""
    reader = csv.reader(io.StringIO(text_of(path), newline=""), strict=True, skipinitialspace=True)
    line = 0
    try:
        for cells in reader:
            begins, line = line + 1, reader.line_num
            if cells:
                yield begins, cells
    except csv.Error as error:
        raise BadInput(f"{printable(path)}, line {line + 1}: cannot be read ({one_line(error)}). Repair it") from error


class Problems:
    """What is wrong with a file of annotations, gathered so that several mistakes are told at once."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.count = 0

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Keep the problems that the body raises, and go on."""
        try:
            yield
        except BadInput as error:
            self.told = [*self.told, *error.problems][:MOST_NAMED]
            self.count += len(error.problems)

    def refuse(self) -> None:
        """Raise BadInput if there are problems: with the first ones, and how many more there are."""
        if self.told:
            more = [f"data.folder: … and {self.count - len(self.told):,} more"] if self.count > len(self.told) else []
            raise BadInput(*self.told, *more)


def same_number(examples: list[Example], what: str) -> int:
    """How many boxes or points each image has; 0 if none has any. Raises BadInput, naming images that have another number."""
    counts = [len(getattr(example, what)) for example in examples]
    if not any(counts):
        return 0
    lacking = [example.path for example, n in zip(examples, counts, strict=True) if not n]
    if lacking:
        raise BadInput(
            f"data.folder: some images have {what}, but these have none: {listed(lacking)}; give all of them, or none"
        )
    usual = Counter(counts).most_common(1)[0][0]
    odd = [example.path for example, n in zip(examples, counts, strict=True) if n != usual]
    if odd:
        raise BadInput(
            f"data.folder: images of another number of {what} than the others, {usual}: {listed(odd)}; give each so many"
        )
    return usual


def scaled(values: tuple[float, float] | None, by: tuple[float, float]) -> tuple[float, float]:
    """A point in an image that was resized by these factors across and down; (−1, −1) for one that is missing."""
    return (-1.0, -1.0) if values is None else (values[0] * by[0], values[1] * by[1])


def resize_factors(example: Example, size: tuple[int, int] | None) -> tuple[float, float]:
    """By what a resize to (height, width) multiplies x and y of an image; 1 without one."""
    if size is None:
        return 1.0, 1.0
    height, width = image_size(example.path)
    return size[1] / width, size[0] / height
