"""Self-attention and spectral normalisation against their formulas, place by place."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import max_pool2d

from nnlab.families.gan.networks import with_spectral_norm
from nnlab.nn.attention import SelfAttention


@pytest.mark.parametrize("size", [(4, 6), (5, 5), (1, 3)])
def test_attention_is_the_formula_of_the_paper(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    layer, x = SelfAttention(16).double(), torch.randn(2, 16, *size, dtype=torch.float64)
    assert torch.equal(layer(x), x), "it begins with the map as it is"
    layer.gamma.data.fill_(0.7)
    f, g, h, o = (part.weight[:, :, 0, 0] for part in (layer.key, layer.query, layer.value, layer.out))
    expected = torch.empty_like(x)
    for n in range(2):
        keys, values = (torch.einsum("kc,chw->khw", w, x[n]) for w in (f, h))
        if min(size) > 1:
            keys, values = max_pool2d(keys, 2), max_pool2d(values, 2)
        keys, values = keys.flatten(1), values.flatten(1)
        for row in range(size[0]):
            for column in range(size[1]):
                place = x[n, :, row, column]
                weights = torch.softmax(torch.stack([keys[:, i] @ (g @ place) for i in range(keys.shape[1])]), 0)
                expected[n, :, row, column] = place + 0.7 * o @ sum(w * values[:, i] for i, w in enumerate(weights))
    torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(layer.attention(x).sum(2), torch.ones(2, size[0] * size[1], dtype=torch.float64))


@pytest.mark.parametrize("layer", [nn.Linear(7, 5), nn.Conv2d(3, 6, 4), nn.ConvTranspose2d(6, 3, 4)])
def test_spectral_normalisation_divides_by_the_largest_singular_value(layer: nn.Module) -> None:
    torch.manual_seed(0)
    raw = layer.weight.detach().clone()
    matrix = raw.transpose(0, 1).flatten(1) if isinstance(layer, nn.ConvTranspose2d) else raw.flatten(1)
    with_spectral_norm(layer.train())
    for _ in range(200):  # an update each, of a power iteration that comes as near as one likes
        layer.weight  # noqa: B018
    torch.testing.assert_close(layer.eval().weight, raw / torch.linalg.svdvals(matrix)[0], rtol=1e-5, atol=1e-5)
