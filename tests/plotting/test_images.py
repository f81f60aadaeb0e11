"""Tensors as pictures: where each pixel lands."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from nnlab.data.spec import DataSpec
from nnlab.plotting.images import FRAME, FRAMED, GAP, TILE, grid, sheet, to_pixels
from nnlab.plotting.picture import BACKGROUND, png, save

GRAY, COLOUR = DataSpec("gray", "image", (1, 60, 50)), DataSpec("colour", "image", (3, 60, 50))


def tiles(rows: int, columns: int, height: int = 60, width: int = 50) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (rows, columns, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (-3.0, 9.0)])
def test_low_is_black_high_is_white_and_what_lies_beyond_is_clipped(low, high):
    spec = DataSpec("any", "image", (1, 1, 6), low=low, high=high)
    values = low + (high - low) * torch.tensor([-0.5, 0.0, 0.4, 0.65, 1.0, 7.0])
    assert to_pixels(values.view(1, 1, 6), spec)[0].tolist() == [[level] * 3 for level in (0, 0, 102, 166, 255, 255)]


def test_colours_keep_their_channels():
    x = torch.randint(0, 256, (2, 4, 3, 5, 6), generator=torch.Generator().manual_seed(0))
    assert np.array_equal(to_pixels(x / 255, COLOUR), x.movedim(2, -1).numpy())


def test_every_gray_level_survives():
    levels = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
    assert np.array_equal(to_pixels(levels * (1 / 255), GRAY)[..., 0], levels[0].numpy())


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3), (5, 1)])
def test_a_sheet_holds_each_tile_in_its_place_with_gaps_between(rows, columns):
    x = tiles(rows, columns)
    picture = sheet(x)
    assert picture.shape == (rows * 60 + (rows - 1) * GAP, columns * 50 + (columns - 1) * GAP, 3)
    free = np.ones(picture.shape[:2], bool)
    for i in range(rows):
        for j in range(columns):
            place = np.s_[i * (60 + GAP) : i * (60 + GAP) + 60, j * (50 + GAP) : j * (50 + GAP) + 50]
            assert np.array_equal(picture[place], x[i, j])
            free[place] = False
    assert (picture[free] == BACKGROUND).all()


def test_a_framed_tile_has_a_red_edge_and_keeps_its_middle():
    x = tiles(2, 2)
    before = x.copy()
    picture = sheet(x, framed=np.array([[False, True], [False, False]]))
    assert np.array_equal(x, before)
    frame = picture[:60, 50 + GAP :].copy()
    assert np.array_equal(frame[FRAME:-FRAME, FRAME:-FRAME], x[0, 1, FRAME:-FRAME, FRAME:-FRAME])
    frame[FRAME:-FRAME, FRAME:-FRAME] = FRAMED
    assert (frame == FRAMED).all()
    assert np.array_equal(picture[:60, :50], x[0, 0])
    assert np.array_equal(picture[60 + GAP :, 50 + GAP :], x[1, 1])


def test_a_caption_wider_than_the_tiles_is_whole():
    wide, narrow = (
        sheet(tiles(1, 1), ["row"], ["a"], caption) for caption in ("a caption that is wider than its only tile", "a")
    )
    assert wide.shape[1] > narrow.shape[1]
    assert (wide[:, -1] == BACKGROUND).all()


@pytest.mark.parametrize(("height", "width", "scale"), [(8, 8, 6), (28, 28, 2), (5, 20, 3), (48, 48, 1), (100, 10, 1)])
def test_small_images_are_enlarged_to_squares_of_a_pixel(height, width, scale):
    x = tiles(1, 1, height, width)
    picture = sheet(x)
    assert max(picture.shape) >= TILE
    assert np.array_equal(picture, x[0, 0].repeat(scale, axis=0).repeat(scale, axis=1))


@pytest.mark.parametrize("rows", [None, ["input", "output of the model"], ["z0\n1.25 nats", "z11\n0.00 nats"]])
@pytest.mark.parametrize("columns", [None, ["-3.0", "0", "+3.0"]])
def test_labels_enlarge_the_picture_and_leave_the_images_as_they_are(rows, columns):
    x = tiles(2, 3)
    plain, labelled = sheet(x), sheet(x, rows, columns)
    top, left = (a - b for a, b in zip(labelled.shape[:2], plain.shape[:2], strict=True))
    assert (top > 0, left > 0) == (columns is not None, rows is not None)
    assert np.array_equal(labelled[top:, left:], plain)
    if rows:
        for i in range(2):  # ink beside each row
            assert labelled[top + i * (60 + GAP) : top + i * (60 + GAP) + 60, :left].min() < 128
    if columns:
        for j in range(3):  # and above each column
            assert labelled[:top, left + j * (50 + GAP) : left + j * (50 + GAP) + 50].min() < 128


def test_a_longer_label_takes_more_room():
    widths = [sheet(tiles(1, 1), ["n" * n]).shape[1] for n in (1, 5, 10)]
    assert widths == sorted(set(widths))


@pytest.mark.parametrize(
    ("n", "columns", "shape"),
    [(9, None, (3, 3)), (10, None, (3, 4)), (2, None, (1, 2)), (1, None, (1, 1)), (5, 2, (3, 2)), (2, 8, (1, 2))],
)
def test_a_grid_fills_rows_in_order_and_leaves_the_rest_blank(n, columns, shape):
    x = torch.rand(n, *GRAY.shape, generator=torch.Generator().manual_seed(0))
    expected = np.full((shape[0] * shape[1], 60, 50, 3), BACKGROUND, np.uint8)
    expected[:n] = to_pixels(x, GRAY)
    assert np.array_equal(grid(x, GRAY, columns), sheet(expected.reshape(*shape, 60, 50, 3)))


def test_a_png_gives_the_picture_back(tmp_path):
    picture = sheet(tiles(2, 2), ["a", "b"])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(picture)))), picture)
    save(picture, tmp_path / "new" / "picture.png")
    assert (tmp_path / "new" / "picture.png").read_bytes() == png(picture)
