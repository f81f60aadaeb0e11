from __future__ import annotations

import pytest
import torch
from conftest import built
from games import gradients_of_answer, trainer
from torch import nn

from nnlab.data.spec import Part
from nnlab.errors import ArgumentError, BadInput
from nnlab.families.gan.trainer import gradient_penalty_of
from nnlab.families.gan.translation_networks import (
    ResidualGenerator,
    UNetGenerator,
    patch_discriminator,
    patch_layers,
)
from nnlab.training.trainer import evaluating

PIX2PIX = ["model=pix2pix", "noise=edges", "model.channels=[4,8]", "model.width=4"]


def gray(*size: int) -> Part:
    return Part("image", (1, *size))


@pytest.mark.parametrize(("layers", "patch"), [(1, 16), (2, 34), (3, 70)])
def test_an_answer_sees_a_patch_of_the_papers_size(layers: int, patch: int) -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 1, 100, 100, requires_grad=True)
    answers = patch_discriminator([gray(100, 100)], 4, layers, "none")(x)
    answers[0, answers.shape[1] // 2, answers.shape[2] // 2].backward()
    seen = x.grad[0, 0].nonzero()
    assert (seen.amax(0) - seen.amin(0) + 1).tolist() == [patch, patch]


@pytest.mark.parametrize(("side", "layers"), [(6, 1), (28, 1), (34, 2), (69, 2), (70, 3), (256, 3)])
def test_auto_takes_the_largest_patch_that_the_image_holds(side: int, layers: int) -> None:
    assert patch_layers((1, side, 2 * side), "auto") == layers


def test_an_image_too_small_for_the_discriminator_is_refused_with_the_largest_depth() -> None:
    with pytest.raises(ArgumentError, match="4 halvings leave nothing of 28×30 for a patch; give at most 3"):
        patch_layers((1, 28, 30), 4)
    with pytest.raises(ArgumentError, match="needs sides of 6 pixels or more, the images have 5×30"):
        patch_layers((1, 5, 30), "auto")
    assert patch_discriminator([gray(28, 30)], 2, 3)(torch.rand(2, 1, 28, 30)).shape[0] == 2


@pytest.mark.parametrize("size", [(8, 8), (9, 15), (33, 20)])
@pytest.mark.parametrize("kind", ["unet", "residual"])
def test_a_generator_keeps_the_size_and_judges_each_image_alone(kind: str, size: tuple[int, int]) -> None:
    """In training, too: there are no statistics of a batch. The channels of input and output may differ."""
    torch.manual_seed(0)
    given, made = gray(*size), Part("image", (3, *size))
    network = (
        UNetGenerator(given, made, [4, 8], "instance")
        if kind == "unet"
        else ResidualGenerator(given, made, [4, 8], 1, "instance")
    )
    x = torch.rand(3, 1, *size)
    together = network(x)
    assert together.shape == (3, 3, *size)
    assert torch.allclose(together[1:2], network(x[1:2]), atol=1e-6)
    assert torch.equal(network.eval()(x), network.train()(x))
    assert not list(network.buffers()), "and none that is kept"


@pytest.mark.parametrize("side", [8, 12, 28])
def test_a_map_of_one_pixel_is_not_normalised_away(side: int) -> None:
    """Instance normalisation would make it 0: the innermost level would say nothing of the image."""
    torch.manual_seed(0)
    depth = side.bit_length() - 1
    network = UNetGenerator(gray(side, side), gray(side, side), [16] * depth, "instance")
    x = torch.rand(1, 1, side, side)
    inner = []
    network.down[-1].register_forward_hook(lambda module, given, output: inner.append(output))
    network(x).sum().backward()
    assert inner[0].shape[2:] == (1, 1)
    assert inner[0].abs().max() > 0
    assert network.down[-1][-1].weight.grad.abs().max() > 0
    norms = [each for module in (*network.down, *network.after) for each in module if isinstance(each, nn.InstanceNorm2d)]
    assert len(norms) == 2 * (depth - 2) + 1


def test_the_generators_loss_is_the_game_and_l1_on_the_papers_scale() -> None:
    """The papers' images are within −1 … 1: an error of 0.1 in our units counts 0.2."""
    trained = trainer(*PIX2PIX, "model.l1=7", "model.adversarial=3", "model.dropout=0")
    batch = trained.feed.batch(trained.rows(0), trained.generator)
    play = trained.play(batch)
    answer = trained.model.answer(play, trained.objective)
    fake = trained.model.generator(batch.input)
    fooled = -torch.nn.functional.logsigmoid(trained.model.discriminator(fake, batch.input)).mean()
    expected = 3 * fooled + 7 * ((2 * fake - 1) - (2 * batch.target - 1)).abs().mean()
    assert torch.allclose(answer.losses["generator"], expected, atol=1e-5)


def test_the_discriminator_sees_the_input_beside_the_output_and_not_the_target() -> None:
    trained = trainer(*PIX2PIX)
    batch = trained.feed.batch(trained.rows(0), trained.generator)
    play = trained.play(batch)
    assert torch.equal(play.real[0], batch.target)
    assert torch.equal(play.real[1], batch.input)
    assert torch.equal(play.fake[1], batch.input)
    one, other = (trained.model.discriminate(batch.target, given) for given in (batch.input, 1 - batch.input))
    assert not torch.allclose(one, other)


def test_l1_alone_has_no_discriminator() -> None:
    trained = trainer(*PIX2PIX, "model.adversarial=0", "model.dropout=0")
    assert "discriminator" not in dict(trained.model.named_children())
    batch = trained.feed.batch(trained.rows(0), trained.generator)
    terms = trained.update(batch)
    assert terms.keys() == {"l1", "generator_gradient"}
    figures = trained.evaluate("validation")
    assert "real_score" not in figures
    assert figures["psnr"] > 0


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["model.l1=0", "model.adversarial=0"], "model.l1, model.adversarial: both are 0"),
        (["model.dropout=0", "model.sample_dropout=true"], "model.sample_dropout: has no effect with model.dropout=0"),
        (
            ["model.adversarial=0", "trainer.discriminator.instance_noise=0.1"],
            "instance_noise: has no effect, this Pix2Pix has no",
        ),
        (["model.layers=2"], "model.layers: 2 halvings leave nothing of 8×8 for a patch; give at most 1"),
        (["model.channels=[4,4,4,4]"], "model.channels: 4 layers halve 8×8 to nothing"),
        (
            ["noise=none"],
            "Pix2Pix needs the part 'input', which Digits lacks; data that have it: glyphs, pairs; or make the input",
        ),
        (["trainer.objective=wasserstein"], "wasserstein needs a critic with a bounded gradient, which Pix2Pix does not have"),
    ],
)
def test_what_cannot_be_trained_is_refused(overrides: list[str], problem: str) -> None:
    with pytest.raises(BadInput) as refused:
        built("data=digits", *PIX2PIX, *overrides)
    assert problem in str(refused.value)


@pytest.mark.parametrize("stays", [False, True])
def test_an_output_is_drawn_only_if_its_noise_is_to_stay(stays: bool) -> None:
    trained = trainer(*PIX2PIX, "model.channels=[4,8,8]", f"model.sample_dropout={stays}")
    x = trained.feed.batch(trained.rows(0), trained.generator).input
    with evaluating(trained.model):
        assert torch.equal(trained.model.reconstruct(x), trained.model.reconstruct(x)) == (not stays)


def test_images_of_any_size_are_translated_down_to_the_networks_smallest() -> None:
    model = trainer(*PIX2PIX).model.eval()
    assert model.translate(torch.rand(1, 1, 5, 22)).shape == (1, 1, 5, 22)
    x = torch.rand(2, 1, 8, 8)
    assert torch.equal(model.translate(x), model.reconstruct(x))
    with pytest.raises(BadInput, match="an image of 3×9 is too small; this network takes sides of 4 or more"):
        model.translate(torch.rand(1, 1, 3, 9))


def test_a_smaller_input_is_enlarged_first() -> None:
    model = trainer("model=pix2pix", "noise=downscale", "model.channels=[4,8]", "model.width=4").model.eval()
    assert model.reconstruct(torch.rand(2, 1, 4, 4)).shape == (2, 1, 8, 8)
    assert model.translate(torch.rand(1, 1, 5, 7)).shape == (1, 1, 10, 14)


@pytest.mark.parametrize("objective", ["minimax", "non_saturating", "least_squares", "hinge", "wasserstein"])
def test_every_objective_brings_outputs_nearer_to_their_targets(objective: str) -> None:
    penalty = ["trainer.discriminator.gradient_penalty=10"] if objective == "wasserstein" else []
    fast = ["optimizer.lr=2e-3", "trainer.ema_decay=0", f"trainer.objective={objective}", *penalty]
    trained = trainer(*PIX2PIX, "model.channels=[8,16]", "model.dropout=0", *fast)
    first = trained.evaluate("validation")["psnr"]
    trained.train(0, 30, lambda: False)
    assert trained.evaluate("validation")["psnr"] > first + 1


def test_the_rate_of_every_player_ends_where_its_schedule_says() -> None:
    schedule = ["optimizer/schedule=linear", "optimizer.schedule.final=0.25", "optimizer.lr=4e-3", "trainer.epochs=2"]
    trained = trainer(*PIX2PIX, *schedule)
    last = trained.stages[-1].steps - 1
    trained.train(last, 1, lambda: False)
    for player in trained.players.values():
        (group,) = player.optimizer.param_groups
        assert float(group["lr"]) == pytest.approx(4e-3 * (1 - 0.75 * last / (last + 1)))


def test_the_discriminator_gets_no_gradient_from_the_generators_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = trainer(*PIX2PIX)
    _, gradients = gradients_of_answer(trained, monkeypatch)
    of = {name: {n for n in gradients if n.startswith(name)} for name in ("discriminator", "generator")}
    assert all(gradients[name] is None for name in of["discriminator"])
    assert all(gradients[name].abs().max() > 0 for name in of["generator"] if name.endswith("weight"))


def test_the_penalty_of_a_linear_critic_of_slope_one_is_zero_for_each_image() -> None:
    """Also of a critic of patches, and not if the slope were taken of a batch, a row or a channel."""
    torch.manual_seed(0)
    slope = torch.randn(2, 5, 5)
    slope /= slope.norm()
    real, fake = ((torch.rand(7, 1, 5, 5), torch.rand(7, 1, 5, 5)) for _ in range(2))

    def critic(x: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        return (torch.cat([given, x], 1) * slope).sum((1, 2, 3))

    share = torch.rand(7)
    assert gradient_penalty_of(critic, real, fake, share) < 1e-10
    assert gradient_penalty_of(lambda *pair: critic(*pair)[:, None, None].expand(-1, 3, 3), real, fake, share) < 1e-10
    assert gradient_penalty_of(lambda *pair: 3 * critic(*pair), real, fake, share) == pytest.approx(4, rel=1e-5)


def test_a_record_says_how_its_figures_were_measured() -> None:
    trained = trainer("model=srresnet", "model.width=4", "model.blocks=1")
    assert trained.metadata["psnr_by"] == "gray, all pixels, range 1, mean over images; pooled_psnr: of the mean error"
    assert trained.metadata["input_psnr_by"].startswith("bicubic, a = −0.75")
    assert trainer(*PIX2PIX).metadata["input_psnr_by"] == "as it is"
    assert "psnr_by" not in trainer("model=ae").metadata
