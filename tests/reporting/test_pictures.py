"""The pictures of a page are the run's, or smaller ones where there is no room for them."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reports import film, png

from nnlab.plotting.picture import Animation
from nnlab.plotting.picture import png as written
from nnlab.reporting import pictures
from nnlab.reporting.charts import POINTS
from nnlab.reporting.pictures import found, opened, within


def kept(content: bytes, name: str = "a.png"):
    Path(name).write_bytes(content)
    return opened(Path(name))


def size(several) -> int:
    return sum(len(picture.bytes) for picture in several if picture)


def frames(picture) -> int:
    return Image.open(io.BytesIO(picture.bytes)).n_frames


def test_a_page_stays_below_its_limit() -> None:
    """Pictures as text, points at 35 bytes each, and a quarter of a megabyte of the rest."""
    assert pictures.ROOM * 4 / 3 + POINTS * 35 + 250_000 < 11_000_000
    assert pictures.ROOM * 4 / 3 + POINTS * 20 + 250_000 < 10_000_000


def test_what_fits_is_as_it_was(own_folder: Path) -> None:
    several = [kept(png(i, 30 + i), f"{i}.png") for i in range(5)] + [kept(film(), "film.png")]
    assert within(several) == several
    assert [picture.bytes for picture in within(several)] == [Path(f"{p.name}.png").read_bytes() for p in several]


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2, 0.05, 0.01])
def test_what_does_not_fit_becomes_smaller_the_largest_first(own_folder: Path, share: float) -> None:
    several = [kept(png(i, side), f"{i}.png") for i, side in enumerate((20, 200, 700, 300))]
    room = int(share * size(several))
    made = within(several, room)
    assert size(made) <= room
    if share == 0.9:
        assert [picture.as_is for picture in made] == [True, True, False, True], "the largest alone"
        assert made[2].size == (700, 700)
    for before, picture in zip(several, made, strict=True):
        if picture and not picture.as_is:
            assert picture.kind == "webp"
            assert Image.open(io.BytesIO(picture.bytes)).size == picture.size
            assert picture.name == before.name


def test_a_smaller_picture_shows_the_same(own_folder: Path) -> None:
    ramp = np.linspace(0, 255, 300).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.broadcast_to(ramp[:, None, None], (300, 300, 3)).copy()).save(buffer, "PNG", compress_level=0)
    (small,) = within([kept(buffer.getvalue())], 50_000)
    assert not small.as_is
    shown = np.asarray(Image.open(io.BytesIO(small.bytes)).convert("L"), dtype=float)
    assert abs(shown - ramp[:, None]).max() < 12


@pytest.mark.parametrize(("kind", "name"), [("PNG", "film.png"), ("GIF", "film.gif")])
def test_a_film_stays_a_film_as_long_as_it_can(own_folder: Path, kind: str, name: str) -> None:
    whole = kept(film(60, kind=kind), name)
    assert (whole.frames, whole.as_is, whole.kind) == (60, True, kind.lower())
    (fewer,) = within([whole], len(whole.bytes) - 1)
    assert fewer.frames == frames(fewer) == 20
    assert not fewer.cut
    (still,) = within([whole], len(whole.bytes) // 100)
    assert (still.frames, still.cut) == (1, True)
    last = Image.fromarray(np.random.default_rng(59).integers(0, 256, (24, 24, 3), dtype=np.uint8)).convert("L")
    shown = Image.open(io.BytesIO(still.bytes)).convert("L")
    assert np.corrcoef(np.ravel(shown), np.ravel(last))[0, 1] > 0.8, "it is the last frame"


def test_the_film_that_nnlab_writes_has_as_many_frames_as_it_shows(own_folder: Path) -> None:
    pixels = [np.full((8, 8, 3), 30 * i, np.uint8) for i in range(5)]
    assert kept(written(Animation.of(pixels))).frames == 5
    assert kept(written(pixels[0])).frames == 1


def test_no_more_films_are_made_smaller_than_there_is_time_for(own_folder: Path) -> None:
    several = [replace(kept(film(6), "film.png"), name=str(i)) for i in range(pictures.FILMS + 2)]
    made = within(several, size(several) // 8)
    assert sum(picture.frames > 1 for picture in made if picture) <= pictures.FILMS
    assert size(made) <= size(several) // 8


def test_only_pictures_are_taken(own_folder: Path) -> None:
    folder = Path("images")
    folder.mkdir()
    (folder / "sample.png").write_bytes(png())
    (folder / "sample.json").write_text(json.dumps({"mse": 0.25, "run": "x", "deep": {"a": 1}}))
    (folder / "curves.png").write_bytes(png())
    (folder / "text.png").write_text("<script>alert(1)</script>")
    (folder / "vector.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "half.png").write_bytes(png()[:20])
    (folder / "link.png").symlink_to((folder / "sample.png").absolute())
    os.mkfifo(folder / "pipe.png")
    (picture,) = found(folder)
    assert (picture.name, picture.values, picture.size) == ("sample", {"mse": 0.25}, (24, 24))
    assert picture.source.startswith("data:image/png;base64,")
    assert found(Path("nowhere")) == []


def test_a_bomb_is_not_decoded(own_folder: Path) -> None:
    Image.new("1", (20_000, 20_000)).save("bomb.png")
    assert opened(Path("bomb.png")) is None


def test_the_step_is_that_of_the_file(own_folder: Path) -> None:
    assert kept(written(np.zeros((8, 8, 3), np.uint8), metadata={"Step": "120"})).step == "120"
    assert kept(written(np.zeros((8, 8, 3), np.uint8), metadata={"Step": "<b>"})).step is None
