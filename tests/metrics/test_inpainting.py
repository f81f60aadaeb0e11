"""Linear interpolation of lost values: exact where images are linear, np.interp where one side decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import griddata
from sklearn.datasets import load_digits

from nnlab.metrics.inpainting import interpolated


def ramp(height: int, width: int) -> torch.Tensor:
    """(1, 2, H, W) two planes that rise with the row and the column."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([0.5 + 0.03 * rows - 0.02 * columns, 0.1 * columns]).float()[None]


def hole(shape: tuple[int, ...], rows: slice, columns: slice) -> torch.Tensor:
    lost = torch.zeros(shape, dtype=torch.bool)
    lost[..., rows, columns] = True
    return lost


def test_a_hole_in_a_plane_is_filled_with_the_plane():
    x = ramp(12, 15)
    lost = hole(x.shape, slice(3, 8), slice(2, 11))
    torch.testing.assert_close(interpolated(x.masked_fill(lost, -9.0), lost), x)


def test_known_values_stay_and_lost_ones_lie_between_them():
    x = torch.rand(20, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    lost = torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    filled = interpolated(x.masked_fill(lost, torch.nan), lost)
    assert filled[~lost].equal(x[~lost])
    assert (filled >= 0).all()
    assert (filled <= 1).all()


def test_a_band_from_side_to_side_is_interpolated_across_it():
    x = torch.rand(1, 1, 10, 6, generator=torch.Generator().manual_seed(0))
    lost = hole(x.shape, slice(4, 8), slice(None))
    filled = interpolated(x.masked_fill(lost, 0), lost)
    known = np.r_[0:4, 8:10]
    for column in range(6):
        expected = np.interp(np.arange(10), known, x[0, 0, known, column].numpy())
        np.testing.assert_allclose(filled[0, 0, :, column], expected, rtol=1e-5)
    turned = interpolated(x.mT.masked_fill(lost.mT, 0), lost.mT)
    torch.testing.assert_close(turned, filled.mT)


def test_a_side_that_is_cut_off_goes_on_as_it_ended():
    x = torch.rand(1, 1, 8, 5, generator=torch.Generator().manual_seed(0))
    lost = hole(x.shape, slice(5, None), slice(None))
    filled = interpolated(x.masked_fill(lost, 0), lost)
    torch.testing.assert_close(filled[:, :, 5:], x[:, :, 4:5].expand(-1, -1, 3, -1))


def test_an_image_that_is_lost_as_a_whole_stays_as_it_is():
    x = torch.full((1, 1, 4, 4), 0.25)
    assert interpolated(x, torch.ones_like(x, dtype=torch.bool)).equal(x)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_digits_are_filled_no_worse_than_by_scipys_triangles(seed):
    images = torch.from_numpy(load_digits().images[:100]).float()[:, None] / 16
    lost = torch.zeros_like(images, dtype=torch.bool)
    for i, (row, column) in enumerate(torch.randint(1, 4, (100, 2), generator=torch.Generator().manual_seed(seed)).tolist()):
        lost[i, 0, row : row + 3, column : column + 3] = True
    filled, peer = interpolated(images.masked_fill(lost, 0), lost), images.clone()
    for image, holes in zip(peer[:, 0], lost[:, 0], strict=True):
        known, wanted = np.argwhere(~holes.numpy()), np.argwhere(holes.numpy())
        image[holes] = torch.from_numpy(griddata(known, image[~holes].numpy(), wanted, method="linear")).float()
    assert (filled - images).square().sum() <= (peer - images).square().sum()
