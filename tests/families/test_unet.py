"""The U-Net: any size, no code, what its skip connections carry, and a word where it has nothing to do."""

from __future__ import annotations

import pytest
import torch
from conftest import built

from nnlab.data.spec import DataSpec
from nnlab.errors import ArgumentError
from nnlab.model import Completes, Decodes, Encodes, Reconstructs, Samples, Scores, can
from nnlab.nn.unet import UNetBackbone

SMALL = ["model=unet", "model.channels=[8,16]", "trainer.precision=float32"]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(28, 28), (27, 27), (13, 11), (4, 4), (9, 14), (7, 30)])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_an_image_keeps_its_size(size, channels, levels):
    spec = DataSpec("any", "image", (channels, *size))
    x = torch.rand(2, *spec.shape)
    assert UNetBackbone(spec.shape, [4, 6, 5][:levels], "relu")(x).shape == x.shape


def test_every_pixel_reaches_each_and_the_nearest_ones_by_the_shortest_way():
    spec = DataSpec("any", "image", (1, 12, 12))
    torch.manual_seed(0)
    net = UNetBackbone(spec.shape, [4, 5, 6], "tanh")
    x = torch.rand(1, 1, 12, 12, requires_grad=True)
    (gradient,) = torch.autograd.grad(net(x)[0, 0, 6, 6], x)
    assert gradient.ne(0).all()
    for part in net.narrow:  # without what comes from below, four 3×3 convolutions see four pixels around
        torch.nn.init.zeros_(part.weight)
    (gradient,) = torch.autograd.grad(net(x)[0, 0, 6, 6], x)
    seen = gradient[0, 0].ne(0).nonzero()
    assert seen.amin(0).tolist() == [2, 2]
    assert seen.amax(0).tolist() == [10, 10]


def test_a_table_and_too_many_levels_are_refused():
    with pytest.raises(ArgumentError, match="convolutions need images, but the data are a table"):
        UNetBackbone((13,), [4, 8], "relu")
    with pytest.raises(ArgumentError, match="4 layers halve 8×8 to nothing"):
        UNetBackbone((1, 8, 8), [4] * 5, "relu")


def test_it_reconstructs_and_has_no_code():
    model = built(*SMALL).model
    assert can(model, Reconstructs)
    assert not any(can(model, capability) for capability in (Encodes, Decodes, Samples, Scores, Completes))


def test_a_verb_that_needs_a_code_says_who_has_one(nnlab):
    assert nnlab("train", *SMALL, "noise=gaussian", "trainer.steps=2")[0] == 0
    status, _, error = nnlab("embed", "last")
    assert status == 2
    assert error.startswith("nnlab: embed: UNet cannot encode; models that can: aae, ae,")
    assert "unet" not in error
    assert nnlab("reconstruct", "last")[0] == 0


@pytest.mark.parametrize("noise", ["none", "hole"])
def test_without_a_noise_it_is_told_that_it_learns_nothing(nnlab, noise: str):
    status, out, _ = nnlab("train", *SMALL, f"noise={noise}", "trainer.steps=2")
    assert status == 0
    assert ("UNet without a noise learns to copy its input" in out) == (noise == "none")


def test_it_takes_a_noise_away():
    experiment = built(*SMALL, "noise=gaussian", "trainer.epochs=10")
    experiment.initialize()
    experiment.trainer.train(0, experiment.trainer.total_steps, lambda: False)
    figures = experiment.trainer.evaluate("test")
    assert figures["psnr_gain"] > 2
    assert figures["ssim"] > figures["input_ssim"]
