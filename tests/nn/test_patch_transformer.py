"""Attention and patches: torch's kernel against the formula, the order of patches, and where a transformer looks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from nnlab.errors import ArgumentError
from nnlab.nn.transformer import PatchTransformer, TransformerBlock, images_of, patches_of, rollout

SHAPE = (2, 8, 12)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def body(**keys) -> PatchTransformer:
    torch.manual_seed(0)
    return PatchTransformer(SHAPE, **{"patch": 4, "width": 12, "depth": 3, "heads": 3, **keys}).double().eval()


def images(n: int = 5) -> Tensor:
    return torch.rand(n, *SHAPE, generator=seeded(), dtype=torch.float64)


def written_out(block: TransformerBlock, x: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """One example (T, width): each head and each row on its own."""

    def linear(layer: torch.nn.Linear, value: np.ndarray) -> np.ndarray:
        return value @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()

    def normal(value: np.ndarray) -> np.ndarray:
        return (value - value.mean(-1, keepdims=True)) / np.sqrt(value.var(-1, keepdims=True) + 1e-5)

    q, k, v = np.split(linear(block.qkv, normal(x)), 3, axis=1)
    d, looked = q.shape[1] // block.heads, np.zeros_like(x)
    for head in range(block.heads):
        own = slice(head * d, (head + 1) * d)
        for i in range(len(x)):
            weights = np.array([np.exp(q[i, own] @ k[j, own] / np.sqrt(d)) * seen[j] for j in range(len(x))])
            looked[i, own] = (weights / weights.sum()) @ v[:, own]
    x = x + linear(block.projection, looked)
    hidden = linear(block.mlp[0], normal(x))
    return x + linear(block.mlp[2], hidden * torch.special.ndtr(torch.from_numpy(hidden)).numpy())


def test_a_block_is_its_equations() -> None:
    torch.manual_seed(0)
    block = TransformerBlock(8, 2).double().eval()
    x = torch.randn(3, 6, 8, generator=seeded(), dtype=torch.float64)
    seen = torch.rand(3, 6, generator=seeded(1)) < 0.6
    seen[:, 0] = True
    with torch.no_grad():
        some, every = block(x, seen).numpy(), block(x).numpy()
    for n in range(3):
        assert np.allclose(some[n], written_out(block, x[n].numpy(), seen[n].numpy()), atol=1e-12)
        assert np.allclose(every[n], written_out(block, x[n].numpy(), np.ones(6)), atol=1e-12)


def test_the_attention_of_pictures_is_what_the_kernel_computes() -> None:
    torch.manual_seed(0)
    block = TransformerBlock(8, 2).eval()
    x = torch.randn(3, 6, 8, generator=seeded())
    with torch.no_grad():
        weights = block.attention(x)
        _, _, v = block.parts(x)
        looked = block.projection((weights @ v).transpose(1, 2).flatten(2))
        expected = x + looked
        assert torch.allclose(block(x), expected + block.mlp(block.norm_2(expected)), atol=1e-5)
    assert torch.allclose(weights.sum(-1), torch.ones(3, 2, 6))


def test_patches_are_rows_of_squares_and_become_the_image_again() -> None:
    x = images()
    patches = patches_of(x, 4)
    assert patches.shape == (5, 6, 2 * 16)
    assert torch.equal(patches[1, 4], x[1, :, 4:8, 4:8].flatten())
    assert torch.equal(images_of(patches, SHAPE, 4), x)


@pytest.mark.parametrize("pool", ["token", "mean"])
def test_without_positions_the_order_of_the_patches_does_not_matter(pool: str) -> None:
    x = images()
    shuffled = images_of(patches_of(x, 4)[:, torch.randperm(6, generator=seeded())], SHAPE, 4)
    with torch.no_grad():
        free, bound = body(pool=pool, positions="none"), body(pool=pool)
        assert torch.allclose(free(x), free(shuffled), atol=1e-12)
        assert not torch.allclose(bound(x), bound(shuffled), atol=1e-3)


@pytest.mark.parametrize("pool", ["token", "mean"])
def test_the_class_token_or_the_mean_is_the_output(pool: str) -> None:
    network, x = body(pool=pool), images()
    with torch.no_grad():
        ran = network.encode_tokens(network.tokens(x))
        assert ran.shape == (5, 6 + (pool == "token"), 12)
        assert torch.allclose(network(x), ran[:, 0] if pool == "token" else ran.mean(1))


def test_rollout_is_the_product_of_all_blocks_with_their_shortcuts() -> None:
    attention = torch.rand(2, 3, 4, 5, 5, generator=seeded()).softmax(-1)
    found = rollout(attention)
    for n in range(2):
        expected = np.eye(5)
        for block in attention[n].numpy():
            mixed = block.mean(0) + np.eye(5)
            expected = (mixed / mixed.sum(1, keepdims=True)) @ expected
        assert np.allclose(found[n], expected, atol=1e-6)
    assert torch.allclose(found.sum(-1), torch.ones(2, 5))


@pytest.mark.parametrize("pool", ["token", "mean"])
def test_maps_are_over_the_patches_and_sum_to_one(pool: str) -> None:
    network = body(pool=pool)
    with torch.no_grad():
        attention = network.attention(images())
    maps = network.maps(attention.mean(2))
    assert maps.shape == (5, 3, 2, 3)
    assert torch.allclose(maps.sum((-1, -2)), torch.ones(5, 3))
    looks = attention[1, 2].mean(0)
    row = looks[0, 1:] if pool == "token" else looks.mean(0)
    assert torch.allclose(maps[1, 2].flatten(), (row / row.sum()), atol=1e-6)


def test_patches_and_heads_that_do_not_fit_are_refused_and_those_that_do_are_named() -> None:
    with pytest.raises(ArgumentError, match=r"patches of 5×5 do not divide an image of 8×12; these sides do: 1, 2, 4$"):
        body(patch=5)
    with pytest.raises(ArgumentError, match=r"5 heads do not divide a width of 12; these do: 1, 2, 3, 4, 6, 12$"):
        body(heads=5)
    with pytest.raises(ArgumentError, match="patches are of images, but the data are a table"):
        PatchTransformer((7,), patch=1, width=4, depth=1, heads=1)


def test_weight_decay_leaves_positions_tokens_biases_and_normalisations() -> None:
    network = body()
    kept = {id(p) for p in network.undecayed()}
    for name, parameter in network.named_parameters():
        matrix = name.endswith("weight") and parameter.ndim == 2
        assert (id(parameter) not in kept) == matrix, name


def test_weights_of_before_are_loaded_by_their_old_names() -> None:
    torch.manual_seed(0)
    first, second = (PatchTransformer((1, 8, 8), patch=4, width=8, depth=2, heads=2) for _ in "12")
    old = {"norm_1": "before", "norm_2": "between", "qkv": "look", "projection": "out", "positions": "places"}
    before = {".".join(old.get(part, part) for part in key.split(".")): value for key, value in first.state_dict().items()}
    assert "blocks.1.look.weight" in before
    second.load_state_dict(before)
    assert all(torch.equal(value, second.state_dict()[key]) for key, value in first.state_dict().items())
