"""Structural similarity against torchmetrics', and what it must be of images that one knows."""

from __future__ import annotations

import pytest
import torch

from nnlab.data.spec import DataSpec
from nnlab.metrics.structure import C1, ssim, windows


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(5, 1, 28, 28), (3, 3, 13, 30), (2, 1, 6, 7)])
def test_it_is_torchmetrics(shape):
    peer = pytest.importorskip("torchmetrics.functional.image").structural_similarity_index_measure
    x = images(*shape)
    for y in (0.7 * x + 0.1, images(*shape, seed=1), x + 0.3 * torch.randn(shape, generator=torch.Generator().manual_seed(2))):
        expected = peer(y, x, data_range=1.0, reduction="none")
        torch.testing.assert_close(ssim(y, x, DataSpec("any", "image", shape[1:])), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", [1, 2, 3, 5, 8, 40])
def test_an_image_of_any_size_is_like_itself_and_like_no_other(side):
    spec = DataSpec("any", "image", (2, side, 9))
    x, y = images(6, *spec.shape), images(6, *spec.shape, seed=1)
    torch.testing.assert_close(ssim(x, x, spec), torch.ones(6))
    assert (ssim(x, y, spec) < 0.9).all()
    torch.testing.assert_close(ssim(x, y, spec), ssim(y, x, spec))


def test_plain_images_differ_in_brightness_alone():
    spec = DataSpec("any", "image", (1, 12, 12))
    dark, light = (torch.full((1, *spec.shape), value) for value in (0.2, 0.6))
    expected = (2 * 0.2 * 0.6 + C1) / (0.2**2 + 0.6**2 + C1)
    assert ssim(dark, light, spec).item() == pytest.approx(expected, rel=1e-4)


def test_the_range_of_the_values_is_no_part_of_it():
    x, y = images(4, 1, 16, 16), images(4, 1, 16, 16, seed=1)
    scaled = DataSpec("any", "image", (1, 16, 16), low=-3.0, high=5.0)
    expected = ssim(x, y, DataSpec("any", "image", (1, 16, 16)))
    torch.testing.assert_close(ssim(8 * x - 3, 8 * y - 3, scaled), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", [1, 2, 4, 11, 28])
def test_a_window_weighs_one_in_all_and_is_the_same_from_both_ends(side):
    weights = windows(side)
    torch.testing.assert_close(weights.sum(1), torch.ones(side))
    torch.testing.assert_close(weights.flip(0, 1), weights)
    assert (weights >= 0).all()
