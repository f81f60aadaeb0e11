"""Where codes lie, what lies near one, and what leads from some to others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnlab.data.spec import Batch, DataSpec
from nnlab.latent.codes import moments, shift, vary
from nnlab.plotting.images import GAP, to_pixels
from nnlab.plotting.latent import attribute_picture, variation_picture
from nnlab.plotting.picture import BACKGROUND

SPEC = DataSpec("tiles", "image", (1, 48, 48))
SIDE = 48 + GAP


class Linear:
    """A code of two numbers, decoded to two plain halves."""

    spec = SPEC

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[:, 0, :24].mean((1, 2)), x[:, 0, 24:].mean((1, 2))], 1)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return z[:, None, :, None].expand(-1, 1, 2, 48).repeat_interleave(24, 2)


class AsTheyAre:
    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("batch", [1, 7, 1000])
@pytest.mark.parametrize("centre", [0.0, 1e4])
def test_moments_are_numpys_however_the_batches_fall(batch, centre):
    x = centre + normal(101, 5) * torch.tensor([1, 0.1, 10, 0, 3])
    mean, std = moments(AsTheyAre(), (Batch(part, part) for part in x.split(batch)))
    exact = x.double().numpy()
    assert np.allclose(mean, exact.mean(0), rtol=1e-6)
    assert np.allclose(std, exact.std(0), rtol=1e-6, atol=1e-12)


def test_moments_are_of_the_inputs():
    given, target = normal(9, 3), normal(9, 3, seed=1)
    mean, _ = moments(AsTheyAre(), [Batch(given, target)])
    assert torch.allclose(mean, given.mean(0))


def test_variations_are_decoded_from_codes_that_move_by_the_scale_times_the_spread():
    model, code, std, scales = Linear(), torch.tensor([0.2, 0.6]), torch.tensor([0.5, 0.0]), torch.tensor([0.1, 1.0])
    noise = normal(7, 2)
    varied = vary(model, code, std, scales, noise)
    assert varied.shape == (2, 7, *SPEC.shape)
    found = model.encode(varied.flatten(0, 1)).view(2, 7, 2)
    assert torch.allclose(found[..., 0], 0.2 + scales[:, None] * 0.5 * noise[:, 0], atol=1e-6)
    assert torch.allclose(found[..., 1], torch.tensor(0.6)), "a coordinate without spread stays"


def test_at_no_scale_a_variation_is_the_reconstruction():
    model, code = Linear(), torch.tensor([0.2, 0.6])
    varied = vary(model, code, torch.ones(2), torch.tensor([0.0]), normal(3, 2))
    assert torch.equal(varied[0], model.decode(code[None]).expand(3, -1, -1, -1))


def test_a_shift_moves_every_code_by_the_strength_times_the_direction():
    model, codes, direction, strengths = Linear(), normal(4, 2), torch.tensor([0.3, -0.1]), torch.tensor([-1.0, 0.0, 2.0])
    shifted = shift(model, codes, direction, strengths)
    assert shifted.shape == (4, 3, *SPEC.shape)
    for i, strength in enumerate(strengths):
        assert torch.allclose(model.encode(shifted[:, i]), codes + strength * direction, atol=1e-6)
    assert torch.equal(shifted[:, 1], model.decode(codes))


def test_an_image_and_its_output_stand_beside_their_variations():
    image, output = torch.rand((2, *SPEC.shape), generator=torch.Generator().manual_seed(0))
    varied = torch.rand((3, 4, *SPEC.shape), generator=torch.Generator().manual_seed(1))
    picture = variation_picture(Linear(), Batch(image[None], image[None]), output, varied, [0.1, 0.5, 1])
    tops = [picture.shape[0] - (3 - row) * SIDE + GAP for row in range(3)]
    left = [picture[tops[row] :, i * SIDE :][:48, :48] for row in range(3) for i in range(2)]
    assert np.array_equal(left[0], to_pixels(image, SPEC))
    assert np.array_equal(left[1], to_pixels(output, SPEC))
    assert all((tile == BACKGROUND).all() for tile in left[2:])
    for row in range(3):
        for i in range(4):
            tile = picture[tops[row] :, picture.shape[1] - (4 - i) * SIDE + GAP :][:48, :48]
            assert np.array_equal(tile, to_pixels(varied[row, i], SPEC))


def test_an_image_stands_left_of_what_the_strengths_make_of_it():
    images = torch.rand((3, *SPEC.shape), generator=torch.Generator().manual_seed(0))
    shifted = torch.rand((3, 2, *SPEC.shape), generator=torch.Generator().manual_seed(1))
    picture = attribute_picture(Linear(), images, shifted, [0, 1.5], ["a", "b", "c"])
    right = picture.shape[1] - 2 * SIDE + GAP
    for row in range(3):
        top = picture.shape[0] - (3 - row) * SIDE + GAP
        assert np.array_equal(picture[top:, right - 4 * GAP - 48 :][:48, :48], to_pixels(images[row], SPEC))
        for i in range(2):
            assert np.array_equal(picture[top:, right + i * SIDE :][:48, :48], to_pixels(shifted[row, i], SPEC))
