"""Pictures of several runs in one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnlab.plotting.gallery import MOST, side_by_side


def folder(name: str, **pictures: tuple[int, int, int]) -> Path:
    """Pictures by their (height, width, gray)."""
    path = Path(name)
    path.mkdir()
    for picture, (height, width, gray) in pictures.items():
        Image.fromarray(np.full((height, width, 3), gray, np.uint8)).save(path / f"{picture}.png")
    return path


def test_what_all_runs_have_is_laid_side_by_side() -> None:
    runs = {"k=2": folder("a", map=(100, 80, 50), other=(9, 9, 9)), "k=3": folder("b", map=(100, 80, 150))}
    (written,) = side_by_side(runs, Path("sweep"))
    assert written == Path("sweep/map.png")
    pixels = np.asarray(Image.open(written))
    half = pixels.shape[1] // 2
    for part, gray in ((pixels[:, :half], 50), (pixels[:, half:], 150)):
        assert (part == gray).all(-1).sum() == 100 * 80
    assert (pixels < 45).any()  # the titles


def test_pictures_of_different_sizes_keep_their_scale_below_each_other() -> None:
    runs = {"k=2": folder("a", map=(100, 80, 50)), "k=3": folder("b", map=(200, 160, 150))}
    (written,) = side_by_side(runs, Path("sweep"))
    pixels = np.asarray(Image.open(written))
    assert (pixels == 50).all(-1).sum() == 100 * 80
    assert (pixels == 150).all(-1).sum() == 200 * 160
    assert pixels.shape[1] == 160


@pytest.mark.parametrize("count", [1, MOST + 1])
def test_one_run_and_too_many_are_left_alone(count: int) -> None:
    runs = {str(i): folder(str(i), map=(8, 8, i)) for i in range(count)}
    assert side_by_side(runs, Path("sweep")) == []
    assert not Path("sweep").exists()
