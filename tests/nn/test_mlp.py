"""Fully connected networks take data of any shape and give it back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nnlab.data.spec import DataSpec
from nnlab.nn.mlp import mlp, mlp_decoder, mlp_encoder


@pytest.mark.parametrize("shape", [(7,), (1, 5, 4), (3, 2, 9)])
@pytest.mark.parametrize("hidden", [[], [6], [8, 6]])
def test_the_decoder_mirrors_the_encoder(shape, hidden):
    spec = DataSpec("any", "table" if len(shape) == 1 else "image", shape)
    encoder, decoder = mlp_encoder(spec.shape, hidden, 3, "relu"), mlp_decoder(spec.shape, hidden, 3, "relu")
    x = torch.rand(2, *shape)
    assert decoder(encoder(x)).shape == x.shape
    there, back = (
        [(layer.in_features, layer.out_features) for layer in network if isinstance(layer, nn.Linear)]
        for network in (encoder, decoder)
    )
    assert back == [pair[::-1] for pair in reversed(there)]


def test_activations_stand_between_layers_and_not_after_the_last():
    kinds = [type(layer) for layer in mlp([4, 3, 2, 1], "silu")]
    assert kinds == [nn.Linear, nn.SiLU, nn.Linear, nn.SiLU, nn.Linear]
