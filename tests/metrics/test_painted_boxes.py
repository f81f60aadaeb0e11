"""What is painted in a box: its bounds, the overlap of two boxes and the share of the ink inside, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nnlab.data.spec import DataSpec
from nnlab.metrics.boxes import INK, ink, intersection_over_union, moved_by_half, painted, share_inside

SPEC = DataSpec("own", "image", (3, 6, 8))


def picture(*pixels: tuple[int, int, float]) -> Tensor:
    """One image with these values at (row, column), in one channel of three."""
    x = torch.zeros(1, 3, 6, 8)
    for row, column, value in pixels:
        x[0, (row + column) % 3, row, column] = value
    return x


def test_bounds_are_left_top_width_height_of_what_is_bright_enough() -> None:
    x = picture((1, 2, 1.0), (4, 3, 0.5), (5, 7, INK - 0.01))
    assert painted(ink(x, SPEC)).tolist() == [[2, 1, 2, 4]]
    assert painted(ink(picture(), SPEC)).tolist() == [[0, 0, 0, 0]]


def test_ink_is_a_share_of_the_range() -> None:
    wide = DataSpec("own", "image", (3, 6, 8), low=-1.0, high=1.0)
    assert torch.allclose(ink(picture((1, 2, 0.5)) * 2 - 1, wide), ink(picture((1, 2, 0.5)), SPEC))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 4, 2), (0, 0, 4, 2), 1),
        ((0, 0, 4, 2), (2, 1, 4, 2), 2 / 14),
        ((0, 0, 4, 2), (1, 0, 2, 1), 2 / 8),
        ((0, 0, 4, 2), (4, 0, 4, 2), 0),  # beside each other
        ((0, 0, 4, 2), (5, 5, 1, 1), 0),
        ((0, 0, 0, 0), (0, 0, 4, 2), 0),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0),
    ],
)
def test_the_overlap_of_two_boxes(a: tuple, b: tuple, expected: float) -> None:
    both = torch.tensor([a], dtype=torch.float32), torch.tensor([b], dtype=torch.float32)
    assert intersection_over_union(*both).item() == pytest.approx(expected)
    assert intersection_over_union(*both[::-1]).item() == pytest.approx(expected)


def test_the_share_of_the_ink_inside() -> None:
    level = ink(picture((1, 2, 1.0), (1, 3, 0.5), (4, 3, 0.5)), SPEC)
    for box, expected in (((2, 1, 2, 4), 1), ((2, 1, 1, 1), 0.5), ((3, 1, 1, 1), 0.25), ((3, 1, 1, 4), 0.5), ((4, 0, 4, 6), 0)):
        assert share_inside(level, torch.tensor([box], dtype=torch.float32)).item() == pytest.approx(expected)
    assert share_inside(torch.zeros(1, 6, 8), torch.tensor([[0.0, 0.0, 8.0, 6.0]])).item() == 0


def test_a_box_moves_by_half_of_its_room_and_keeps_its_size() -> None:
    boxes = torch.tensor([[0, 0, 2, 2], [6, 4, 2, 2], [1, 0, 7, 3], [0, 0, 8, 6]], dtype=torch.float32)
    expected = [[3, 2, 2, 2], [3, 2, 2, 2], [1, 1, 7, 3], [0, 0, 8, 6]]
    assert moved_by_half(boxes, SPEC.shape).tolist() == expected


def test_points_move_together_and_missing_ones_stay_missing() -> None:
    points = torch.tensor([[[1, 1], [3, 2], [-1, -1]], [[-1, -1], [-1, -1], [-1, -1]], [[7, 5], [5, 4], [6, 4]]]).float()
    expected = [[[4, 3], [6, 4], [-1, -1]], [[-1, -1], [-1, -1], [-1, -1]], [[4, 3], [2, 2], [3, 2]]]
    assert moved_by_half(points, SPEC.shape).tolist() == expected
