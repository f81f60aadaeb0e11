"""A decoder starts from the mean example."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nnlab.data.spec import DataSpec
from nnlab.data.split import Split
from nnlab.model.data_init import mean_of, set_output_mean
from nnlab.model.likelihood import likelihood_for
from nnlab.nn.conv import conv_decoder
from nnlab.nn.mlp import mlp_decoder

N = 2500  # more than one batch
BYTES = torch.randint(0, 256, (N, 2, 4, 6), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
ROWS = torch.arange(0, N, 2)
SPLIT = Split.of(BYTES, None, ROWS, 1 / 255)
SPEC = DataSpec("bytes", "image", (2, 4, 6))


def without_weights(decoder: nn.Module) -> nn.Module:
    for name, parameter in decoder.named_parameters():
        if name.endswith("weight"):
            nn.init.zeros_(parameter)
    return decoder


def test_the_mean_is_over_the_rows_of_the_split_alone():
    assert torch.allclose(mean_of(SPLIT), BYTES[::2].double().mean(0).float() / 255, atol=1e-7)


@pytest.mark.parametrize("choice", ["bernoulli", "continuous_bernoulli", "gaussian", "discretized_logistic"])
def test_a_fully_connected_decoder_of_zero_weights_outputs_the_mean_example(choice):
    p = likelihood_for(SPEC, choice)
    decoder = without_weights(mlp_decoder(SPEC.shape, [5], 3, "relu", p.n_params))
    set_output_mean(decoder, SPLIT, p.output_for)
    output = p.mean(decoder(torch.randn(4, 3)))
    assert torch.allclose(output, mean_of(SPLIT).expand(4, -1, -1, -1), atol=1e-6)


@pytest.mark.parametrize("choice", ["bernoulli", "continuous_bernoulli", "gaussian", "discretized_logistic"])
def test_a_convolutional_decoder_of_zero_weights_outputs_each_channels_mean(choice):
    p = likelihood_for(SPEC, choice)
    decoder = without_weights(conv_decoder(SPEC.shape, [4], 5, 3, "relu", p.n_params))
    set_output_mean(decoder, SPLIT, p.output_for)
    output = p.mean(decoder(torch.randn(4, 3)))
    assert torch.allclose(output, mean_of(SPLIT).mean((1, 2))[:, None, None].expand_as(output), atol=1e-6)
