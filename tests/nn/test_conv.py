"""Convolutional networks restore any size that they can halve."""

from __future__ import annotations

import pytest
import torch

from nnlab.data.spec import DataSpec
from nnlab.errors import ArgumentError
from nnlab.nn.conv import conv_decoder, conv_encoder, spatial_sizes


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(28, 28), (27, 27), (13, 13), (8, 8), (9, 14), (4, 31), (112, 92)])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_decoder_restores_the_shape_that_the_encoder_took(size, channels, layers):
    spec = DataSpec("any", "image", (channels, *size))
    widths = [4, 6][:layers]
    x = torch.rand(2, *spec.shape)
    code = conv_encoder(spec.shape, widths, 5, 3, "relu")(x)
    assert code.shape == (2, 3)
    assert conv_decoder(spec.shape, widths, 5, 3, "relu")(code).shape == x.shape


def test_each_layer_halves_and_rounds_down():
    assert spatial_sizes((1, 28, 13), 3) == [(28, 13), (14, 6), (7, 3), (3, 1)]


@pytest.mark.parametrize(("size", "layers"), [((8, 8), 3), ((8, 100), 3), ((28, 28), 4), ((1, 1), 0)])
def test_an_image_may_be_halved_down_to_one_pixel(size, layers):
    spec = DataSpec("any", "image", (1, *size))
    assert min(spatial_sizes(spec.shape, layers)[-1]) == 1
    with pytest.raises(ArgumentError, match=rf"channels: {layers + 1} layers halve {size[0]}×{size[1]} to nothing"):
        conv_encoder(spec.shape, [4] * (layers + 1), 5, 3, "relu")


@pytest.mark.parametrize("network", [conv_encoder, conv_decoder])
def test_a_table_is_refused_with_a_way_out(network):
    with pytest.raises(ArgumentError, match=r"the data are a table; use a fully connected model"):
        network((13,), [4], 5, 3, "relu")


def test_every_pixel_reaches_the_code_and_every_code_each_pixel():
    spec = DataSpec("any", "image", (1, 9, 14))
    x, z = torch.rand(1, *spec.shape, requires_grad=True), torch.rand(1, 3, requires_grad=True)
    conv_encoder(spec.shape, [4, 6], 5, 3, "tanh")(x).sum().backward()
    assert x.grad.ne(0).all()
    decoder = conv_decoder(spec.shape, [4, 6], 5, 3, "tanh")
    rows = torch.autograd.functional.jacobian(decoder, z)[0, 0, :, :, 0]
    assert rows.ne(0).all()
