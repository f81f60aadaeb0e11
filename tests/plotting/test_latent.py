"""Pictures of what a model does: which image stands where."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnlab.data.spec import Batch, DataSpec
from nnlab.model import Latent
from nnlab.plotting.images import GAP, grid, sheet, to_pixels
from nnlab.plotting.latent import manifold_picture, motion, reconstruction_picture, sample_picture, traversal_picture

SPEC = DataSpec("tiles", "image", (1, 48, 48))
SIDE = 48 + GAP


class Shades:
    """Decodes a code to a plain image of its first coordinate, and inverts what it is given."""

    spec = SPEC

    def __init__(self, latent_dim: int = 2) -> None:
        self.latent_dim = latent_dim

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return (0.5 + 0.1 * z[:, 0])[:, None, None, None].expand(-1, *SPEC.shape)

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        return 1 - x

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        return torch.rand((n, *SPEC.shape), generator=generator)


def tile(picture: np.ndarray, rows: int, row: int, column: int, columns: int) -> np.ndarray:
    """A tile of a sheet, whatever labels stand in its margins."""
    top, left = (side - (n * SIDE - GAP) for side, n in zip(picture.shape, (rows, columns), strict=False))
    return picture[top + row * SIDE :, left + column * SIDE :][:48, :48]


def images(n: int) -> torch.Tensor:
    return torch.rand((n, *SPEC.shape), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("n", "rows", "columns"), [(5, 2, 5), (12, 2, 12), (24, 4, 12), (30, 4, 12)])
def test_inputs_stand_over_their_reconstructions(n, rows, columns):
    x = images(n)
    picture = reconstruction_picture(Shades(), Batch(x, x))
    for i in range(rows // 2 * columns):
        block, column = divmod(i, columns)
        for offset, expected in enumerate((x[i], 1 - x[i])):
            shown = tile(picture, rows, 2 * block + offset, column, columns)
            assert np.array_equal(shown, to_pixels(expected, SPEC))


def test_with_a_noise_the_clean_images_stand_over_what_the_model_was_given():
    x = images(3)
    noisy = x * (x > 0.5)
    picture = reconstruction_picture(Shades(), Batch(noisy, x, mask=x <= 0.5))
    for row, expected in enumerate((x, noisy, 1 - noisy)):
        assert np.array_equal(tile(picture, 3, row, 1, 3), to_pixels(expected[1], SPEC))


def test_samples_are_those_of_the_generator():
    picture = sample_picture(Shades(), 6, torch.Generator().manual_seed(3))
    assert np.array_equal(picture, grid(Shades().sample(6, torch.Generator().manual_seed(3)), SPEC))


def test_the_most_informative_coordinate_is_the_first_row():
    latent = Latent(torch.zeros(3), torch.ones(3), kl=torch.tensor([1.0, 0.0, 2.0]))
    picture = traversal_picture(Shades(3), latent)
    shades = [[tile(picture, 3, row, column, 11)[0, 0, 0] for column in range(11)] for row in range(3)]
    assert len(set(shades[0])) == len(set(shades[2])) == 1
    assert shades[1] == to_pixels((0.5 + 0.1 * torch.linspace(-3, 3, 11)).view(1, 1, 11), SPEC)[0, :, 0].tolist()


@pytest.mark.parametrize(("latent_dim", "names"), [(2, ["traversal", "manifold"]), (3, ["traversal"])])
def test_a_plane_is_shown_where_there_are_just_two_coordinates(latent_dim, names):
    assert list(motion(Shades(latent_dim), Latent(torch.zeros(latent_dim), torch.ones(latent_dim)))) == names


def test_the_plane_brightens_to_the_right_with_its_coordinate():
    picture = manifold_picture(Shades(), Latent(torch.zeros(2), torch.ones(2)))
    bare = sheet(np.zeros((20, 20, 48, 48, 3), np.uint8)).shape
    assert picture.shape[0] > bare[0]  # the margins hold the values of both coordinates
    assert picture.shape[1] > bare[1]
    picture = picture[-bare[0] :, -bare[1] :]
    row = [int(tile(picture, 20, 7, column, 20)[0, 0, 0]) for column in range(20)]
    assert row == sorted(set(row))
