"""Motion in a latent space, seen through a decoder that returns its code."""

from __future__ import annotations

import pytest
import torch

from nnlab.latent.traversal import manifold, traverse
from nnlab.model import Latent

LATENT = Latent(mean=torch.tensor([1.0, -2.0, 0.0, 5.0]), std=torch.tensor([0.5, 2.0, 1.0, 3.0]))
PLANE = Latent(mean=torch.tensor([1.0, -2.0]), std=torch.tensor([0.5, 2.0]))


class TiedDecoder:
    latent_dim = 4

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return z


@pytest.mark.parametrize("coordinates", [[0, 1, 2, 3], [2, 0], [3]])
def test_only_the_named_coordinate_moves(coordinates):
    base, values = torch.tensor([7.0, 8.0, 9.0, 10.0]), torch.tensor([-3.0, 0.0, 1.5])
    codes = traverse(TiedDecoder(), base, LATENT, coordinates, values)
    assert codes.shape == (len(coordinates), 3, 4)
    for row, i in zip(codes, coordinates, strict=True):
        assert row[:, i].equal(LATENT.mean[i] + values * LATENT.std[i])
        others = [j for j in range(4) if j != i]
        assert row[:, others].equal(base[others].expand(3, 3))
    assert base.tolist() == [7, 8, 9, 10]


def test_a_decoder_of_images_gives_a_row_of_images():
    class Painter:
        def decode(self, z):
            return z.sum(1)[:, None, None, None].expand(-1, 3, 5, 6)

    images = traverse(Painter(), LATENT.mean, LATENT, [1, 3], torch.tensor([0.0, 1.0]))
    assert images.shape == (2, 2, 3, 5, 6)
    assert (images[:, 1] - images[:, 0])[:, 0, 0, 0].tolist() == [2.0, 3.0]


def test_on_the_plane_coordinate_0_grows_to_the_right_and_coordinate_1_upwards():
    codes = manifold(TiedDecoder(), PLANE, side=9)
    assert codes.shape == (9, 9, 2)
    across, up = codes[..., 0], codes[..., 1]
    assert (across.diff(dim=1) > 0).all()
    assert (up.diff(dim=0) < 0).all()
    assert across.diff(dim=0).eq(0).all()
    assert up.diff(dim=1).eq(0).all()
    assert torch.allclose(codes[4, 4], PLANE.mean, atol=1e-6)


@pytest.mark.parametrize("side", [1, 4, 20])
def test_each_cell_of_the_plane_stands_for_the_same_share_of_the_gaussian(side):
    codes = manifold(TiedDecoder(), PLANE, side)
    below = torch.special.ndtr((codes - PLANE.mean) / PLANE.std)
    middles = (torch.arange(side) + 0.5) / side
    assert torch.allclose(below[0, :, 0], middles, atol=1e-6)
    assert torch.allclose(below[:, 0, 1], middles.flip(0), atol=1e-6)


def test_the_most_informative_coordinate_comes_first():
    assert LATENT.order() == [3, 1, 2, 0]
    assert Latent(LATENT.mean, LATENT.std, kl=torch.tensor([0.1, 0.0, 4.0, 2.0])).order() == [2, 3, 0, 1]
