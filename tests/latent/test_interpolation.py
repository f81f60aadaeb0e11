"""The way from one input to another, through the codes and through the pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnlab.data.spec import DataSpec
from nnlab.latent.interpolation import between, interpolate
from nnlab.plotting.images import GAP, to_pixels
from nnlab.plotting.latent import interpolation_picture
from nnlab.plotting.picture import BACKGROUND

SPEC = DataSpec("tiles", "image", (1, 48, 48))
SHARES = torch.linspace(0, 1, 5)
SIDE = 48 + GAP


class Squares:
    """Codes are roots, so that what lies between two codes is not what lies between two images."""

    spec = SPEC

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1).sqrt()

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return z.square().view(-1, *SPEC.shape)


def images(n: int, seed: int) -> torch.Tensor:
    return torch.rand((n, *SPEC.shape), generator=torch.Generator().manual_seed(seed))


A, B = images(3, 0), images(3, 1)


@pytest.mark.parametrize("steps", [2, 3, 11, 100])
def test_both_ends_are_exact_whatever_the_number_of_steps(steps):
    way = between(A, B, torch.linspace(0, 1, steps))
    assert way.shape == (3, steps, *SPEC.shape)
    assert torch.equal(way[:, 0], A)
    assert torch.equal(way[:, -1], B)


def test_steps_are_even():
    way = between(A, B, SHARES)
    assert torch.allclose(way.diff(dim=1), ((B - A) / 4)[:, None].expand(-1, 4, -1, -1, -1), atol=1e-6)


def test_the_ends_of_an_interpolation_are_the_reconstructions():
    model = Squares()
    way = interpolate(model, A, B, SHARES)
    assert torch.equal(way[:, 0], model.decode(model.encode(A)))
    assert torch.equal(way[:, -1], model.decode(model.encode(B)))


def test_the_middle_is_decoded_from_the_middle_of_the_codes():
    way = interpolate(Squares(), A, B, SHARES)
    assert torch.allclose(way[:, 2], ((A.sqrt() + B.sqrt()) / 2).square(), atol=1e-6)
    assert not torch.allclose(way[:, 2], (A + B) / 2, atol=1e-2)


@pytest.mark.parametrize("blended", [False, True])
def test_what_is_given_stands_at_the_ends_and_what_is_made_between(blended):
    picture = interpolation_picture(Squares(), A, B, SHARES, ["first", "second", "third"], blended)
    rows = 3 * (1 + blended)
    picture = picture[picture.shape[0] - (rows * SIDE - GAP) :]
    right, left = picture.shape[1] - 48, picture.shape[1] - 2 * 48 - 5 * SIDE + GAP - 2 * 4 * GAP
    middle = left + 48 + 4 * GAP

    def tile(row: int, x: int) -> np.ndarray:
        return picture[row * SIDE : row * SIDE + 48, x : x + 48]

    made, mixed = interpolate(Squares(), A, B, SHARES), between(A, B, SHARES)
    for i in range(3):
        row = i * (1 + blended)
        assert np.array_equal(tile(row, left), to_pixels(A[i], SPEC))
        assert np.array_equal(tile(row, right), to_pixels(B[i], SPEC))
        for step in range(5):
            assert np.array_equal(tile(row, middle + step * SIDE), to_pixels(made[i, step], SPEC))
            if blended:
                assert np.array_equal(tile(row + 1, middle + step * SIDE), to_pixels(mixed[i, step], SPEC))
        if blended:
            assert (tile(row + 1, left) == BACKGROUND).all()
            assert (tile(row + 1, right) == BACKGROUND).all()
