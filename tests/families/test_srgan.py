from __future__ import annotations

import copy
import urllib.error

import numpy as np
import pytest
import torch
from conftest import built, earlier_classifier, small
from games import trainer
from torch import Tensor

from nnlab.data.spec import Part
from nnlab.errors import BadInput
from nnlab.families.gan.content import VGGContent
from nnlab.families.gan.srresnet import SuperResolutionNetwork
from nnlab.training.trainer import evaluating

SMALLER = ["model.width=4", "model.blocks=1"]


def srgan(*overrides: str):
    own = ["model=srgan", "data=digits", *SMALLER, "model.discriminator_width=4", f"model.content={earlier_classifier()}"]
    return trainer(*own, "trainer.pretraining.epochs=1", "trainer.epochs=1", *overrides)


def state_of(module: torch.nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(module.state_dict())


def changed(module: torch.nn.Module, before: dict[str, Tensor]) -> bool:
    return any(not torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_a_network_enlarges_images_of_any_size_by_its_factor(factor: int, norm: str) -> None:
    network = SuperResolutionNetwork(Part("image", (1, 2, 2)), Part("image", (3, 16, 16)), factor, 4, 2, norm).eval()
    x = torch.rand(3, 1, 5, 7)
    assert network(x).shape == (3, 3, 5 * factor, 7 * factor)
    assert network(torch.rand(1, 1, 1, 1)).shape == (1, 3, factor, factor)
    assert torch.allclose(network(x)[:1], network(x[:1]), atol=1e-6), "an image's output does not depend on its batch"


def test_a_constant_shift_of_the_input_moves_the_output_by_the_factor() -> None:
    """So the four values of a pixel become its own 2×2 pixels, in their places."""
    torch.manual_seed(0)
    network = SuperResolutionNetwork(Part("image", (1, 16, 16)), Part("image", (1, 64, 64)), 4, 4, 1, "none").eval()
    x = torch.zeros(1, 1, 40, 40)
    x[..., 18:22, 19:21] = 1
    moved = network(x.roll((1, 2), (2, 3)))
    inside = slice(52, 108)
    assert torch.allclose(moved[..., inside, inside], network(x).roll((4, 8), (2, 3))[..., inside, inside], atol=1e-5)


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["noise=edges"], "model: it enlarges 2, 4 or 8 times, but inputs of 8×8 have targets of 8×8"),
        (["noise.factor=8", "data.size=28"], "noise.factor: images of 28×28 have no whole part of 8; use 2 or 4"),
        (["noise=none"], "SRResNet needs the part 'input'"),
    ],
)
def test_a_factor_that_does_not_fit_is_refused(overrides: list[str], problem: str) -> None:
    with pytest.raises(BadInput) as refused:
        built("data=digits", "model=srresnet", *SMALLER, *overrides)
    assert problem in str(refused.value)


def test_pairs_of_an_odd_factor_are_refused(tmp_path) -> None:
    from PIL import Image

    for name, side in (("input", 4), ("target", 12)):
        (tmp_path / "own" / name).mkdir(parents=True)
        for i in range(20):
            pixels = np.random.default_rng(i).integers(0, 255, (side, side), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "own" / name / f"{i}.png")
    with pytest.raises(BadInput, match="it enlarges 2, 4 or 8 times, but inputs of 4×4 have targets of 12×12"):
        built("data=pairs", f"data.folder={tmp_path / 'own'}", "model=srresnet", "noise=none", *SMALLER)


def test_the_first_stage_is_srresnet_and_the_second_leaves_what_does_not_play() -> None:
    trained = srgan()
    model = trained.model
    judge, copy_of_first, critic = (state_of(part) for part in (model.content, model.srresnet, model.discriminator))
    terms = trained.update(trained.feed.batch(trained.rows(0), trained.generator))
    assert terms.keys() == {"pixel_error", "generator_gradient"}
    assert not changed(model.discriminator, critic), "nobody plays yet"
    trained.train(1, trained.stages[0].steps - 1, lambda: False)
    first = state_of(model.averaged["generator"])

    trained.start_stage(1)
    trained.train(0, 3, lambda: False)
    assert not changed(model.srresnet, first), "what the first stage has learned stays beside"
    assert changed(model.srresnet, copy_of_first)
    assert changed(model.generator, first)
    assert changed(model.discriminator, critic)
    assert not changed(model.content, judge), "weights and buffers"


def test_the_content_is_a_share_of_what_the_network_sees() -> None:
    """0 for equal images, and the same whatever the scale of the network's features is."""
    trained = srgan()
    content, data = trained.model.content, trained.data.train
    x, y = data.values(data.rows[:20]), data.values(data.rows[20:40])
    assert content(x, x) == 0
    found = content(x, y)
    seen, wanted = (content.network.features(z) for z in (x, y))
    whole = content.network.features(data.values(data.spread(1000)))
    assert torch.allclose(found, (seen - wanted).square().mean() / whole.square().mean(), rtol=1e-4)
    with torch.no_grad():
        last = [part for part in content.network.body if isinstance(part, torch.nn.Linear)][-1]
        last.weight.mul_(3), last.bias.mul_(3)
    content.run = type("Run", (), {"weights": lambda self: content.network.state_dict()})()
    content.init_from_data(data)
    assert 0.3 < content(x, y) / found < 3, "not 9 times as large"


def test_a_convolutional_classifier_gives_maps_and_keeps_its_running_means() -> None:
    trained = srgan_on_cnn()
    content = trained.model.content
    trained.model.train()
    before = state_of(content)
    batch = trained.feed.batch(trained.rows(0), trained.generator)
    maps = content.maps(batch.target)
    assert maps.shape[1:] == (8, 4, 4), "before the last of two poolings"
    content(batch.target, batch.target.roll(1, 0))
    assert not changed(content, before)


def srgan_on_cnn():
    from conftest import train

    train(
        "convolutional", "model=cnn", "model.channels=[4,8]", "model.hidden=16", "trainer.steps=2", "trainer.show_every=never"
    )
    return srgan("model.content=convolutional")


def test_figures_of_the_first_stage_stand_beside_those_of_the_second() -> None:
    trained = srgan()
    trained.train(0, 2, lambda: False)
    trained.start_stage(1)
    trained.train(0, 1, lambda: False)
    figures = trained.evaluate("validation")
    with evaluating(trained.model):
        split = trained.data.validation
        batch = trained.builder(split).batch(split.rows, trained.generator)
        errors = (trained.model.srresnet(batch.input) - batch.target).square().flatten(1).mean(1)
    assert figures["srresnet_psnr"] == pytest.approx((-10 * errors.log10()).mean().item(), rel=1e-5)
    assert trained.images()["comparison"].ndim == 3


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["model.content=pca"], "model.content: "),
        (["model.content=vgg19"], "model.content: vgg19 needs sides of 16 pixels or more, the images have 8×8; use auto"),
        (["model.content=auto"], "model.content: auto is the classifier that nnlab train makes first"),
        (["model.content=other"], "takes images of 1×8×8, but the targets have 1×12×12"),
    ],
)
def test_a_network_that_cannot_judge_is_refused(overrides: list[str], problem: str) -> None:
    from conftest import train

    if "pca" in overrides[0]:
        train("pca", "model=pca", "model.latent_dim=2", "trainer.show_every=never")
    if "other" in overrides[0]:
        earlier_classifier()
        overrides = ["model.content=classifier", "data.size=12"]
    with pytest.raises(BadInput) as refused:
        built("data=digits", *small("srgan")[:1], *SMALLER, *overrides)
    assert problem in str(refused.value)


def test_weights_that_cannot_be_downloaded_are_told_with_what_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models import VGG19_Weights

    def offline(*args, **options):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(VGG19_Weights, "get_state_dict", offline)
    spec = built("data=digits", "data.size=16", "model=pca", "model.latent_dim=2").model.spec
    with pytest.raises(BadInput, match=r"could not be downloaded.* Run once with a network, or use model\.content=auto"):
        VGGContent(spec).load()


def test_vgg_sees_gray_images_as_imagenet_has_colours() -> None:
    spec = built("data=digits", "data.size=16", "model=pca", "model.latent_dim=2").model.spec
    content = VGGContent(spec)
    x = torch.rand(2, 1, 16, 16)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    expected = content.network((x.expand(-1, 3, -1, -1) - mean) / std)
    assert torch.allclose(content.maps(x), expected, atol=1e-5)
    assert expected.shape == (2, 512, 1, 1)


def test_auto_is_the_classifier_of_the_data_also_without_a_judge(nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnlab.experiment.judging.LEAST_STEPS", 20)
    words = ["model=srgan", "data=digits", "data.root=.", *SMALLER, "model.discriminator_width=4", "trainer.show_every=never"]
    status, out, error = nnlab("train", *words, "trainer.pretraining.epochs=1", "trainer.epochs=1")
    assert status == 0, error
    assert "judge for Digits is trained" in out + error
    status, out, error = nnlab("evaluate", "last")
    assert status == 0, error
    assert "srresnet_psnr" in out


@pytest.mark.parametrize("objective", ["wasserstein", "hinge"])
def test_a_discriminator_without_normalisation_takes_a_gradient_penalty(objective: str) -> None:
    penalty = ["model.discriminator_normalization=none", "trainer.discriminator.gradient_penalty=10"]
    trained = srgan(*penalty, f"trainer.objective={objective}")
    trained.start_stage(1)
    terms = trained.update(trained.feed.batch(trained.rows(0), trained.generator))
    assert terms["gradient_penalty"] > 0
    assert terms["discriminator_gradient"] > 0
