"""Boxes of images: cutting out and pasting undo each other; torch's own spatial transformer agrees; points and planes."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from nnlab.nn.boxes import at_points, bumps, covered, crop, paste, relative

HEIGHT, WIDTH = 7, 5
EVERY = [
    (left, top, width, height)
    for left, top in product(range(WIDTH), range(HEIGHT))
    for width, height in product(range(1, WIDTH - left + 1), range(1, HEIGHT - top + 1))
]


def images(n: int = 1, seed: int = 0) -> Tensor:
    return torch.rand(n, 2, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed))


def shares(*boxes: tuple[float, ...]) -> Tensor:
    return relative(torch.tensor(boxes, dtype=torch.float32), (2, HEIGHT, WIDTH))


def test_pasting_what_was_cut_out_changes_nothing_in_any_box() -> None:
    """Also of one pixel and at the borders; around the box there are zeros."""
    x = images()
    for left, top, width, height in EVERY:
        inside = torch.zeros_like(x)
        inside[:, :, top : top + height, left : left + width] = 1
        box = shares((left, top, width, height))
        part = crop(x, box, (height, width))
        pasted = paste(part, box, (HEIGHT, WIDTH))
        assert torch.allclose(part, x[:, :, top : top + height, left : left + width], atol=1e-5)
        assert torch.allclose(pasted, x * inside, atol=1e-5)
        assert torch.allclose(crop(pasted, box, (height, width)), part, atol=1e-5)
        assert torch.allclose(covered(box, (HEIGHT, WIDTH)), inside[:, :1], atol=1e-5)


def test_a_box_is_left_top_width_height() -> None:
    """In an image that is higher than wide, so that an exchange of two of them is another box or none."""
    x = torch.zeros(1, 1, HEIGHT, WIDTH)
    x[0, 0, 4, 1:3] = 1  # row 4, columns 1 and 2
    assert crop(x, shares((1, 4, 2, 1)), (1, 2)).mean() == pytest.approx(1)
    assert torch.allclose(paste(torch.ones(1, 1, 3, 3), shares((1, 4, 2, 1)), (HEIGHT, WIDTH)), x, atol=1e-6)
    assert shares((1, 2, 3, 4)).tolist() == [pytest.approx([1 / WIDTH, 2 / HEIGHT, 3 / WIDTH, 4 / HEIGHT])]
    assert torch.allclose(relative(torch.tensor([[[5.0, 7.0]]]), (HEIGHT, WIDTH)), torch.ones(1, 1, 2))


@pytest.mark.parametrize("box", [(1.0, 2.0, 3.0, 4.0), (0.3, 1.6, 2.2, 3.1)])
def test_an_enlarged_cut_is_that_of_torchs_spatial_transformer(box: tuple[float, ...]) -> None:
    left, top, width, height = shares(box)[0].tolist()
    transform = torch.tensor([[[width, 0, 2 * left + width - 1], [0, height, 2 * top + height - 1]]])
    x = images()
    grid = affine_grid(transform, [1, 2, 9, 8], align_corners=False)
    expected = grid_sample(x, grid, padding_mode="border", align_corners=False)
    assert torch.allclose(crop(x, shares(box), (9, 8)), expected, atol=1e-5)


def test_what_is_made_smaller_is_averaged() -> None:
    """A pixel of every other column would be all or nothing."""
    x = torch.zeros(1, 1, 8, 8)
    x[..., ::2] = 1
    smaller = crop(x, torch.tensor([[0.0, 0.0, 1.0, 1.0]]), (2, 2))
    assert torch.allclose(smaller, torch.full_like(smaller, 0.5), atol=0.08)
    assert torch.allclose(paste(x, torch.tensor([[0.0, 0.0, 0.25, 0.25]]), (8, 8))[..., :2, :2], smaller, atol=1e-5)


def test_each_image_has_its_own_box() -> None:
    x, boxes = images(2), [(0, 0, 3, 2), (2, 4, 3, 3)]
    both = shares(*boxes)
    for i, box in enumerate(boxes):
        assert torch.allclose(crop(x, both, (4, 4))[i : i + 1], crop(x[i : i + 1], shares(box), (4, 4)))
        assert torch.allclose(paste(x, both, (9, 9))[i : i + 1], paste(x[i : i + 1], shares(box), (9, 9)))


def test_slopes_are_right_twice() -> None:
    """A gradient penalty needs the second: torch's grid_sample has none."""
    x = images().double().requires_grad_()
    box = shares((0.3, 1.6, 2.3, 3.1)).double().requires_grad_()
    for function in (crop, paste):
        assert torch.autograd.gradcheck(lambda x, box, f=function: f(x, box, (4, 3)), (x, box))
        assert torch.autograd.gradgradcheck(lambda x, f=function: f(x, box.detach(), (4, 3)).square(), (x,))


def test_a_box_without_area_is_no_division_by_zero() -> None:
    empty = torch.zeros(1, 4, requires_grad=True)
    pasted = paste(images(), empty, (HEIGHT, WIDTH))
    (slope,) = torch.autograd.grad(pasted.sum(), empty)
    assert pasted.isfinite().all()
    assert slope.isfinite().all()
    assert pasted.abs().max() < 1e-3


def test_a_bump_is_highest_at_its_point_and_a_missing_point_has_none() -> None:
    points = relative(torch.tensor([[[1.5, 5.5], [-1.0, -1.0]]]), (HEIGHT, WIDTH))
    planes = bumps(points, (HEIGHT, WIDTH), 0.1)
    assert planes[0, 0, 5, 1] == pytest.approx(1)
    assert planes[0, 0].argmax() == 5 * WIDTH + 1
    assert planes[0, 0, 5, 2] == pytest.approx(torch.exp(torch.tensor(-0.5 * (0.2 / 0.1) ** 2)).item())
    assert not planes[0, 1].any()


def test_a_map_at_a_point_is_what_stands_there() -> None:
    x = images()
    at = relative(torch.tensor([[[1.5, 5.5], [2.0, 5.5], [-1.0, -1.0]]]), (HEIGHT, WIDTH))
    found = at_points(x, at)
    assert torch.allclose(found[:, 0], x[:, :, 5, 1], atol=1e-5)
    assert torch.allclose(found[:, 1], (x[:, :, 5, 1] + x[:, :, 5, 2]) / 2, atol=1e-5)
    assert not found[:, 2].any()
