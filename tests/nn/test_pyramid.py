"""The Laplacian pyramid: nothing of an image is lost, nothing aliases, and each level has the size that it is said to have."""

from __future__ import annotations

import pytest
import torch

from nnlab.errors import ArgumentError
from nnlab.nn import pyramid

SHAPES = [(1, 28, 28), (3, 28, 28), (1, 31, 31), (3, 31, 31), (1, 112, 92), (3, 112, 92), (2, 5, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("levels", [None, 2, "most"])
def test_the_parts_make_the_image_again(shape: tuple[int, int, int], levels: int | str | None) -> None:
    most = min(shape[1:]).bit_length() - 1
    sizes = pyramid.level_sizes(shape, most if levels == "most" else levels)
    x = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    parts = pyramid.taken_apart(x, sizes)
    assert [tuple(part.shape[2:]) for part in parts] == sizes
    assert sizes[-1] == shape[1:]
    assert (pyramid.rebuilt(parts) - x).abs().max() <= 1e-6


def test_a_residual_is_the_difference_to_the_enlarged_image() -> None:
    """And not to a blurred one: it can be computed from what the coarser level holds."""
    x = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    coarse, middle, fine = pyramid.taken_apart(x, pyramid.level_sizes((1, 28, 28), 3))
    half = pyramid.down(x, (14, 14))
    assert torch.allclose(coarse, pyramid.down(half, (7, 7)))
    assert torch.allclose(fine, x - pyramid.up(half, (28, 28)), atol=1e-6)
    assert torch.allclose(middle, half - pyramid.up(coarse, (14, 14)), atol=1e-6)
    assert torch.equal(torch.stack(pyramid.images(x, [(28, 28)])), x[None])


def test_an_image_that_is_even_has_no_details() -> None:
    even = torch.full((1, 3, 31, 23), 0.4)
    coarse, *residuals = pyramid.taken_apart(even, pyramid.level_sizes((3, 31, 23)))
    assert torch.allclose(coarse, torch.full_like(coarse, 0.4))
    assert all(residual.abs().max() < 1e-6 for residual in residuals)


def test_stripes_of_one_pixel_become_gray_and_do_not_alias() -> None:
    stripes = (torch.arange(28) % 2).float().expand(1, 1, 28, 28)
    smaller = pyramid.down(stripes, (14, 14))
    assert (smaller[..., 1:-1] - 0.5).abs().max() < 1e-6
    impulse = torch.zeros(1, 1, 1, 28)
    impulse[..., 10] = 1
    assert torch.allclose(pyramid.down(impulse, (1, 14))[0, 0, 0, 3:8], torch.tensor([0, 1, 3, 0, 0]) / 8)


@pytest.mark.parametrize("size", [(14, 14), (13, 9)])
def test_neither_way_leaves_the_range(size: tuple[int, int]) -> None:
    x = (torch.rand(4, 1, 28, 19, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    smaller = pyramid.down(x, size)
    for changed in (smaller, pyramid.up(smaller, (28, 19))):
        assert 0 <= changed.min() <= changed.max() <= 1


@pytest.mark.parametrize(
    ("shape", "levels", "sizes"),
    [
        ((1, 28, 28), None, [(7, 7), (14, 14), (28, 28)]),
        ((3, 32, 32), None, [(8, 8), (16, 16), (32, 32)]),
        ((1, 112, 92), None, [(14, 11), (28, 23), (56, 46), (112, 92)]),
        ((1, 31, 31), 4, [(3, 3), (7, 7), (15, 15), (31, 31)]),
        ((1, 8, 8), None, [(4, 4), (8, 8)]),
        ((1, 8, 8), 3, [(2, 2), (4, 4), (8, 8)]),
    ],
)
def test_each_level_has_half_the_size(shape: tuple, levels: int | None, sizes: list) -> None:
    assert pyramid.level_sizes(shape, levels) == sizes


@pytest.mark.parametrize(
    ("shape", "levels", "said"),
    [
        ((1, 28, 28), 5, "5 levels halve 28×28 to less than 2 pixels; give 4 or fewer"),
        ((1, 31, 9), 4, "give 3 or fewer"),
        ((1, 3, 40), None, "an image of 3×40 is too small for two levels; its sides need 4 pixels"),
        ((4,), None, "the data are a table"),
    ],
)
def test_too_many_levels_are_refused_with_the_largest_number(shape: tuple, levels: int | None, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        pyramid.level_sizes(shape, levels)


@pytest.mark.parametrize("size", [(8, 12), (9, 7)])
def test_two_products_make_an_image_smaller_too(size: tuple[int, int]) -> None:
    x, small = torch.rand(2, 3, *size), (size[0] // 2, size[1] // 2)
    rows, columns = pyramid.down_matrices(size, small)
    assert torch.allclose(rows @ x @ columns.mT, pyramid.down(x, small), atol=1e-6)
