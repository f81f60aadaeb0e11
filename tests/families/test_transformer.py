"""The vision transformer as a classifier: its pictures, its weight decay, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from conftest import QUIET, built

from nnlab.errors import BadInput
from nnlab.training.player import exclude_from_decay

SMALL = ["model=transformer", "data=digits", "data.limit=200", "model.width=8", "model.depth=2", *QUIET, "device=cpu"]


def trainer(*overrides: str):
    experiment = built(*SMALL, *overrides)
    experiment.initialize()
    return experiment.trainer


def test_weight_decay_is_for_matrices_alone() -> None:
    """With a rate so small that only the decay moves a weight; the gradient's share is known from a run without decay."""
    moved = []
    for decay in (0.0, 0.5):
        own = trainer(f"optimizer.weight_decay={decay}", "optimizer.lr=1e-3", "optimizer.schedule.warmup=0")
        before = {name: p.detach().clone() for name, p in own.model.named_parameters()}
        own.train(0, 1, lambda: False)
        moved.append({name: p.detach() for name, p in own.model.named_parameters()})
    for name, start in before.items():
        decayed = name.endswith("weight") and start.ndim == 2
        expected = moved[0][name] - 1e-3 * 0.5 * start if decayed else moved[0][name]
        assert torch.allclose(moved[1][name], expected, atol=1e-7), name


def test_parameters_of_others_do_not_make_a_group_without_decay() -> None:
    mine, other = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = torch.optim.AdamW([mine], weight_decay=0.1)
    exclude_from_decay(optimizer, [other])
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1]
    exclude_from_decay(optimizer, [mine, other])
    assert [(len(group["params"]), group["weight_decay"]) for group in optimizer.param_groups] == [(0, 0.1), (1, 0.0)]


def test_pictures_have_a_column_per_block_and_a_row_per_image() -> None:
    sizes = {}
    for depth in (6, 8):  # wider than the caption
        own = trainer(f"model.depth={depth}")
        own.model.eval()
        with own.preview() as view:
            sizes[depth] = {
                name: picture.shape for name, picture in own.model.pictures(view.few, view.batches, view.generator).items()
            }
    tile = 48 + 2
    assert set(sizes[6]) == {"attention", "attention_heads"}
    assert sizes[8]["attention"][1] - sizes[6]["attention"][1] == 2 * tile
    assert sizes[6]["attention"][0] == pytest.approx(8 * tile, abs=tile)
    assert sizes[8]["attention_heads"][0] - sizes[6]["attention_heads"][0] == 2 * tile


def test_patches_that_do_not_divide_the_image_are_refused() -> None:
    with pytest.raises(BadInput, match=r"model\.patch: patches of 3×3 do not divide an image of 8×8; these sides do: 1, 2"):
        built(*SMALL, "model.patch=3")
    with pytest.raises(BadInput, match=r"model\.heads: 3 heads do not divide a width of 8"):
        built(*SMALL, "model.heads=3")
    with pytest.raises(BadInput, match="patches are of images, but the data are a table"):
        built("model=transformer", "data=moons", "device=cpu")
