"""CycleGAN: its equations, who learns from what, and the defects that other implementations of it are known for."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import built
from games import hold_still
from torch import Tensor, nn

from nnlab.data.spec import Batch, DataSpec, Part
from nnlab.errors import ArgumentError, BadInput
from nnlab.families.gan.cyclegan import CycleGAN
from nnlab.families.gan.objectives import OBJECTIVES, LeastSquares
from nnlab.families.gan.trainer import GameTrainer
from nnlab.model import Translates, can

DATA = ["data=domains", "+data@data.a=digits", "+data@data.b=digits", "data.limit=120", "device=cpu"]
SMALL = ["model=cyclegan", "model.channels=[4,8]", "model.blocks=1", "model.width=4", "trainer.precision=float32"]
GAME = [*SMALL, "trainer.batch_size=8", "trainer.show_every=never", "trainer.epochs=2"]
PLAYERS = ("generator_b", "generator_a", "discriminator_a", "discriminator_b")
GRAY, COLOUR = Part("image", (1, 8, 8)), Part("image", (3, 8, 8))


def game(*overrides: str, data: list[str] = DATA) -> GameTrainer:
    experiment = built(*data, *GAME, *overrides)
    experiment.initialize()
    experiment.model.train()
    return experiment.trainer


def model(a: Part = GRAY, b: Part = GRAY, **keys) -> CycleGAN:
    spec = DataSpec("own", a.kind, a.shape, low=a.low, high=a.high, bounded=a.bounded, parts={"b": b})
    torch.manual_seed(0)
    return CycleGAN(spec, **{"channels": [4, 8], "blocks": 1, "width": 4, **keys})


def batch_of(trained: GameTrainer) -> Batch:
    return trained.feed.batch(trained.rows(0), trained.generator)


class Fixed(nn.Module):
    """A generator whose outputs are known: factor · x + shift."""

    def __init__(self, factor: float, shift: float) -> None:
        super().__init__()
        self.factor, self.shift = nn.Parameter(torch.tensor(factor)), nn.Parameter(torch.tensor(shift))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x + self.shift

    def check_size(self, shape: tuple[int, ...]) -> None:
        """It takes any."""


def known(low: float = 0.0, high: float = 1.0, **keys) -> CycleGAN:
    """G(x) = x/2, F(x) = x + 1/4, and discriminators that always say 1/4."""
    a = replace(GRAY, low=low, high=high)
    made = model(a, replace(a, high=2 * high), **keys)
    made.generator_b, made.generator_a = Fixed(0.5, 0.0), Fixed(1.0, 0.25)
    for name in made.critics:
        setattr(made, name, Fixed(0.0, 0.25))
    return made


# -- the equations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("range_", [1.0, 255.0])
def test_the_loss_is_that_of_the_paper_on_the_scale_of_minus_one_to_one(range_: float) -> None:
    made = known(high=range_)
    a, b = range_ * torch.rand(5, 1, 8, 8, dtype=torch.float64), 2 * range_ * torch.rand(5, 1, 8, 8, dtype=torch.float64)
    (fake_b, fake_a), terms = made.generators(Batch(a, a, extra={"b": b}), LeastSquares())
    x, y = a.numpy(), b.numpy()
    assert np.allclose(fake_b.detach(), x / 2)
    assert np.allclose(fake_a.detach(), y + 0.25)
    wide = {"a": 2 / range_, "b": 2 / (2 * range_)}  # an error of the whole range counts 2, in each domain
    there_and_back = wide["a"] * np.abs(x / 2 + 0.25 - x).mean() + wide["b"] * np.abs((y + 0.25) / 2 - y).mean()
    stays = wide["b"] * np.abs(y / 2 - y).mean() + wide["a"] * 0.25  # |G(b) − b| + |F(a) − a|
    assert terms["cycle_loss"].item() == pytest.approx(there_and_back)
    assert terms["identity_loss"].item() == pytest.approx(stays), "of what is in its domain already"
    assert terms["generator_b_loss"].item() == terms["generator_a_loss"].item() == pytest.approx(0.5 * 0.75**2)


def test_both_cycles_and_both_identities_are_added_not_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = game()
    assert (trained.model.cycle, trained.model.identity, len(trained.model.pool_a.images)) == (10, 5, 50)
    hold_still(trained, monkeypatch)
    batch = batch_of(trained)
    next(turns := trained.model.turns(batch, trained))
    turns.close()
    trained.make(next(trained.model.turns(batch, trained)))
    m, a, b = trained.model, batch.target, batch["b"]
    g, f = m.generator_b, m.generator_a
    far = lambda x, y: 2 * (x - y).abs().mean()  # noqa: E731
    fooled = (m.discriminator_b(g(a)) - 1).square().mean() + (m.discriminator_a(f(b)) - 1).square().mean()
    loss = fooled + 10 * (far(f(g(a)), a) + far(g(f(b)), b)) + 5 * (far(g(b), b) + far(f(a), a))
    for part in (g, f):
        for parameter, wanted in zip(
            part.parameters(), torch.autograd.grad(loss, part.parameters(), retain_graph=True), strict=True
        ):
            torch.testing.assert_close(parameter.grad, wanted, rtol=1e-4, atol=1e-6)


def test_a_generator_that_changes_nothing_has_no_identity_loss_and_one_that_permutes_classes_no_cycle_loss() -> None:
    """So the cycle alone does not see that 8 becomes 5."""
    made = known()
    made.generator_b, made.generator_a = nn.Identity(), nn.Identity()
    a, b = torch.rand(4, 1, 8, 8), 2 * torch.rand(4, 1, 8, 8)
    _, terms = made.generators(Batch(a, a, extra={"b": b}), LeastSquares())
    assert terms["identity_loss"] == terms["cycle_loss"] == 0
    made.generator_b, made.generator_a = Fixed(-1.0, 1.0), Fixed(-1.0, 1.0)  # black becomes white
    _, terms = made.generators(Batch(a, a, extra={"b": b}), LeastSquares())
    assert terms["cycle_loss"].item() == pytest.approx(0, abs=1e-6)
    assert terms["identity_loss"] > 0.1


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_each_objective_is_played(objective: str) -> None:
    penalty = ["trainer.discriminator.gradient_penalty=10"] if objective == "wasserstein" else []
    trained = game(f"trainer.objective={objective}", *penalty)
    before = deepcopy(trained.model.state_dict())
    trained.train(0, 3, lambda: False)
    assert trained.meter.look() is None, "all is finite"
    moved = {name.split(".")[0] for name, value in trained.model.state_dict().items() if not torch.equal(value, before[name])}
    assert set(PLAYERS) <= moved
    terms = trained.meter.window.take()
    assert ("discriminator_a_gradient_penalty" in terms) == bool(penalty)


def test_it_finds_what_is_to_be_done_from_images_without_pairs() -> None:
    """Different digits in the domains, in one of them half as bright: each becomes itself, darker or brighter."""
    tiny = ["model.channels=[12]", "model.blocks=0", "model.identity=0", "trainer.batch_size=16"]
    trained = game(*tiny, "optimizer.lr=3e-3", "trainer.ema_decay=0.9")
    data = trained.data.train
    data.sources["b"].scale = data.sources["target"].scale / 2
    trained.train(0, 40, lambda: False)
    x = data.values(data.rows[:50])
    for given, truth, to in ((x, x / 2, "b"), (x / 2, x, "a")):
        with torch.inference_mode():
            made = trained.model.translate(given, to)
        error = (made - truth).square().mean()
        assert error < 0.5 * (given - truth).square().mean(), "nearer than what changes nothing"
        assert error < 0.5 * (made - truth.roll(1, 0)).square().mean(), "and it is this image, not the next"


# -- who learns from what -----------------------------------------------------------------------------------------


def test_discriminators_get_no_gradient_in_the_generators_turn_and_the_reverse(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = game()
    hold_still(trained, monkeypatch)
    learned = []
    for turn in trained.model.turns(batch_of(trained), trained):
        trained.make(turn)
        learned.append({name for name in PLAYERS if any(p.grad is not None for p in getattr(trained.model, name).parameters())})
        for parameter in trained.model.parameters():
            parameter.grad = None
    assert learned == [{"generator_a", "generator_b"}, {"discriminator_a"}, {"discriminator_b"}]


def test_each_discriminator_sees_its_own_domain_and_what_the_pool_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = game()
    m, batch = trained.model, batch_of(trained)
    shown = {"a": torch.rand(8, 1, 8, 8), "b": torch.rand(8, 1, 8, 8)}
    for side, images in shown.items():
        monkeypatch.setattr(getattr(m, f"pool_{side}"), "forward", lambda x, generator, images=images: images)
    _, of_a, of_b = m.turns(batch, trained)
    for turn, side, real in ((of_a, "a", batch.target), (of_b, "b", batch["b"])):
        judge = getattr(m, f"discriminator_{side}")
        wanted = 0.5 * (judge(real) - 1).square().mean() + 0.5 * judge(shown[side]).square().mean()
        assert turn.losses[f"discriminator_{side}"].item() == pytest.approx(wanted.item(), rel=1e-5)
        assert turn.terms[f"discriminator_{side}_loss"].item() == pytest.approx(wanted.item(), rel=1e-5)


def test_the_pools_are_filled_with_translations_and_saved() -> None:
    trained = game("model.pool=6")
    trained.train(0, 2, lambda: False)
    state = trained.model.state_dict()
    assert state["pool_a.count"] == state["pool_b.count"] == 6
    assert (state["pool_a.images"].flatten(1).abs().sum(1) > 0).all()
    assert not torch.equal(state["pool_a.images"], state["pool_b.images"])
    other = game("model.pool=6")
    trained.meter.look()
    other.restore(deepcopy(trained.state()))
    for step in (2, 3):
        trained.train(step, 1, lambda: False)
        other.train(step, 1, lambda: False)
    assert all(torch.equal(value, other.model.state_dict()[name]) for name, value in trained.model.state_dict().items())


def test_more_updates_of_the_discriminators_have_batches_of_their_own() -> None:
    trained = game("trainer.discriminator.n_critic=3")
    assert trained.steps_per_epoch == len(trained.data.train) // (3 * 8)
    trained.train(0, 2, lambda: False)
    updates = {name: int(next(iter(trained.players[name].optimizer.state.values()))["step"]) for name in PLAYERS}
    assert updates == {"generator_a": 2, "generator_b": 2, "discriminator_a": 6, "discriminator_b": 6}


@pytest.mark.parametrize(("identity", "times"), [("5", 3), ("0", 2)])
def test_an_update_computes_nothing_twice(identity: str, times: int) -> None:
    """G makes G(a), G(F(b)) and, for the identity, G(b), each once; so does F. The gradients go once through each."""
    trained = game(f"model.identity={identity}")
    forward, backward = dict.fromkeys(PLAYERS, 0), dict.fromkeys(PLAYERS, 0)

    def count(name: str) -> None:
        def backwards(gradient: Tensor) -> None:
            backward[name] += 1

        def forwards(module: nn.Module, x: tuple, y: Tensor) -> None:
            forward[name] += 1
            y.register_hook(backwards)

        getattr(trained.model, name).register_forward_hook(forwards)

    for name in PLAYERS:
        count(name)
    trained.update(batch_of(trained))
    both = dict.fromkeys(("generator_b", "generator_a"), times) | dict.fromkeys(("discriminator_a", "discriminator_b"), 3)
    assert forward == both
    assert backward == both


def test_schedules_and_averages_are_those_of_all_players() -> None:
    trained = game("optimizer/schedule=linear")
    last = trained.stages[-1].steps
    assert trained.rates(0) == {f"{name}_lr": 2e-4 for name in PLAYERS}
    assert trained.rates(last) == {f"{name}_lr": 0.0 for name in PLAYERS}
    trained.train(0, 2, lambda: False)
    now = {name: player.optimizer.param_groups[0]["lr"] for name, player in trained.players.items()}
    assert now == {name: pytest.approx(2e-4 * (1 - 1 / last)) for name in PLAYERS}
    x = torch.rand(3, 1, 8, 8)
    with torch.inference_mode():
        outputs = trained.model.translate(x, "b"), trained.model.translate(x, "a"), trained.model.reconstruct(x)
        for name in ("generator_b", "generator_a"):
            getattr(trained.model, name).first[0].weight.zero_()
        again = trained.model.translate(x, "b"), trained.model.translate(x, "a"), trained.model.reconstruct(x)
    assert all(map(torch.equal, outputs, again)), "the averages translate, not the weights"


# -- what it can do -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("normalization", ["instance", "batch", "none"])
@pytest.mark.parametrize("generator", ["residual", "unet"])
def test_a_translation_does_not_depend_on_its_batch(generator: str, normalization: str) -> None:
    blocks = {} if generator == "unet" else {"blocks": 1}
    made = model(b=COLOUR, **{"generator": generator, "blocks": "auto", "normalization": normalization, **blocks}).eval()
    assert can(made, Translates)
    x = torch.rand(4, 1, 8, 8)
    with torch.inference_mode():
        there = made.translate(x, "b")
        back = made.translate(there, "a")
        alone = torch.cat([made.translate(each, "b") for each in x.split(1)])
        assert torch.equal(made.reconstruct(x), back)
    assert (there.shape, back.shape) == ((4, 3, 8, 8), x.shape)
    torch.testing.assert_close(there, alone)
    if normalization == "instance":  # which has no statistics that a training would leave behind
        assert torch.equal(made.generator_b.train()(x), made.generator_b.eval()(x))
        assert not list(made.discriminator_a.buffers())
    assert 0 <= there.min() < there.max() <= 1


@pytest.mark.parametrize("generator", ["residual", "unet"])
def test_images_of_other_sizes_keep_theirs_and_too_small_ones_are_refused(generator: str) -> None:
    made = model(generator=generator, blocks="auto").eval()
    for size in ((8, 8), (13, 9), (20, 31)):
        assert made.translate(torch.rand(2, 1, *size), "a").shape == (2, 1, *size)
    with pytest.raises(BadInput, match=r"an image of 3×2 is too small"):
        made.translate(torch.rand(2, 1, 3, 2), "b")
    assert made.directions() == {"b": (made.spec.target, GRAY), "a": (GRAY, made.spec.target)}


def test_the_weight_of_the_identity_follows_the_cycle_and_is_none_between_gray_and_colour() -> None:
    assert model(cycle=4.0).identity == 2.0
    mixed = model(b=COLOUR)
    assert mixed.identity == 0
    x = torch.rand(3, 1, 8, 8)
    _, terms = mixed.generators(Batch(x, x, extra={"b": torch.rand(3, 3, 8, 8)}), LeastSquares())
    assert "identity_loss" not in terms


@pytest.mark.parametrize(
    ("parts", "keys", "argument", "said"),
    [
        ({"b": COLOUR}, {"identity": 5.0}, "identity", "equal channels, a has 1, b has 3; give model.identity=0"),
        ({}, {"generator": "unet", "blocks": 3}, "blocks", "has no effect with model.generator=unet"),
        ({"b": Part("image", (1, 9, 9))}, {}, "", "must have one size, those of own have 8×8 and 9×9"),
        ({"b": Part("table", (8,))}, {}, "", "the part b of own is of the kind table"),
        ({"a": Part("table", (8,))}, {}, "", "convolutions need images"),
        ({}, {"channels": [4, 8, 16, 32]}, "channels", "needs sides of 9 pixels or more, the images have 8×8"),
        ({}, {"layers": 3}, "layers", "give at most 1"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(parts: dict, keys: dict, argument: str, said: str) -> None:
    with pytest.raises(ArgumentError, match=said) as caught:
        model(**parts, **keys)
    assert caught.value.argument == argument


def test_a_penalty_is_refused_where_batches_are_normalised_and_data_without_a_second_domain_by_name() -> None:
    with pytest.raises(BadInput, match="the discriminator of CycleGAN uses batch normalisation"):
        game("trainer.discriminator.gradient_penalty=10", "model.normalization=batch")
    with pytest.raises(BadInput, match=r"CycleGAN needs the part 'b', which Digits lacks; data that have it: domains"):
        built("model=cyclegan", "data=digits")


# -- figures and pictures -----------------------------------------------------------------------------------------


def test_the_errors_of_the_cycles_are_shares_of_the_range() -> None:
    trained = game("model.identity=0")
    m, split = trained.model, trained.data.test
    found = trained.evaluate("test")
    a, b = split.values(split.rows), split.sources["b"].values(split.unpaired["b"][split.rows % len(split.unpaired["b"])])
    with torch.inference_mode():
        back_a, back_b = m.reconstruct(a), m.translate(m.translate(b, "a"), "b")
    assert found["cycle_error_a"] == pytest.approx((back_a - a).abs().mean().item(), rel=1e-5)
    assert found["cycle_error_b"] == pytest.approx((back_b - b).abs().mean().item(), rel=1e-5)
    assert found["mse"] == pytest.approx((back_a - a).square().mean().item(), rel=1e-5)
    assert {"translation_psnr_b", "identity_psnr"}.isdisjoint(found), "the rows of its domains are no pairs"


def test_where_the_pairs_of_the_test_are_known_translations_are_compared_with_the_truth() -> None:
    glyphs = ["data=glyphs", "data.from=sans", "data.to=serif", "data.paired=false", "data.size=12", "data.limit=30"]
    trained = game(data=glyphs)
    split = trained.data.test
    a, b = split.values(split.rows), split.sources["b"].values(split.rows)
    found = trained.evaluate("test")
    psnr = lambda x, y: (-10 * (x - y).square().flatten(1).mean(1).log10()).mean().item()  # noqa: E731
    with torch.inference_mode():
        assert found["translation_psnr_b"] == pytest.approx(psnr(trained.model.translate(a, "b"), b), rel=1e-5)
        assert found["translation_psnr_a"] == pytest.approx(psnr(trained.model.translate(b, "a"), a), rel=1e-5)
    assert found["identity_psnr"] == pytest.approx(psnr(a, b), rel=1e-5)
    assert "identity_psnr" not in trained.evaluate("validation")


def test_a_picture_shows_each_cycle_there_and_back() -> None:
    trained = game()
    trained.model.generator_a = trained.model.generator_b = None  # the averages are shown
    trained.model.averaged["generator_b"], trained.model.averaged["generator_a"] = Fixed(0.0, 1.0), Fixed(0.0, 0.0)
    batch = batch_of(trained)
    pictures = trained.model.pictures(batch, [batch], trained.generator)
    assert set(pictures) == {"cycle_a", "cycle_b"}
    for name, first, rows in (("cycle_a", batch.target, (255, 0)), ("cycle_b", batch["b"], (0, 255))):
        picture = pictures[name]
        height, width = picture.shape[0] // 3, picture.shape[1]
        tile = np.asarray(picture[2, width - 46 :, 0])  # of the last image its first line, six times as large
        assert np.abs(tile[::6][:8] - 255 * first[-1, 0, 0].numpy()).max() <= 1
        for i, value in enumerate(rows, start=1):
            assert (picture[i * height + 10 : i * height + 40, width - 46 :] == value).all()
