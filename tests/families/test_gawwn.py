"""What is drawn where: both pathways of both networks, what a text's padding means, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import built
from scipy.stats import chisquare
from torch import Tensor

from nnlab.data.spec import Batch, DataSpec, Part
from nnlab.errors import ArgumentError, BadInput
from nnlab.families.gan.gawwn import GAWWN
from nnlab.families.gan.gawwn_networks import WordMean
from nnlab.families.gan.show import framed, moved
from nnlab.metrics.boxes import ink, intersection_over_union, painted
from nnlab.model import SamplesGiven, can

WORDS = ("", "<unknown>", "a", "red", "bird", "fish")
PARTS = {
    "caption": Part("text", (4,), WORDS),
    "box": Part("box", (4,)),
    "keypoints": Part("points", (3, 2)),
}
SPEC = DataSpec("own", "image", (1, 12, 16), parts=PARTS)
SCENES = ["data=scenes", "data@data.of=digits", "data.size=24", "data.colours=null", "data.places=free", "data.sizes=[8,16]"]
SHORT = ["model=gawwn", "trainer.show_every=never", "trainer.precision=float32"]
N = 6


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def of(place: str, **options) -> GAWWN:
    torch.manual_seed(0)
    model = GAWWN(SPEC, place=place, latent_dim=5, text_dim=3, channels=[4, 8], **options)
    for parameter in model.parameters():  # at their start weights of 0.02 leave nearly nothing of a difference
        parameter.data.mul_(5)
    model.update_average(0.0)
    return model.eval()


@pytest.fixture(params=["box", "keypoints"])
def model(request: pytest.FixtureRequest) -> GAWWN:
    return of(request.param)


@pytest.fixture
def batch() -> Batch:
    x = torch.rand(N, *SPEC.shape, generator=seeded())
    caption = torch.tensor([[2, 3, 4, 0], [2, 5, 0, 0], [2, 4, 0, 0], [3, 3, 5, 4], [1, 0, 0, 0], [2, 3, 5, 0]])
    size = 1 + 5 * torch.rand(N, 2, generator=seeded(1))
    box = torch.cat([6 * torch.rand(N, 2, generator=seeded(2)), size], 1)
    points = torch.tensor([16.0, 12.0]) * torch.rand(N, 3, 2, generator=seeded(3))
    points[0, 1] = -1
    return Batch(x, x, extra={"caption": caption, "box": box, "keypoints": points})


def scores(model: GAWWN, batch: Batch, **other: Tensor) -> Tensor:
    return model.discriminate(batch.target, *({**batch.extra, **other}[name] for name in model.conditions))


def changed(a: Tensor, b: Tensor) -> Tensor:
    """(N,) bool: in which examples two tensors differ."""
    return (a - b).abs().flatten(1).amax(1) > 1e-4 if a.ndim > 1 else (a - b).abs() > 1e-4


def test_a_text_is_the_mean_of_its_words_vectors_without_the_padding_and_unknown_ones() -> None:
    text = WordMean(6, 3)
    even, longer = text(torch.tensor([[2, 5, 0, 0], [3, 3, 5, 4]])), text(torch.tensor([[2, 5, 0, 0, 0, 0]]))
    v = text.vectors.weight
    assert torch.allclose(even[0], (v[2] + v[5]) / 2)
    assert torch.allclose(even[1], (2 * v[3] + v[5] + v[4]) / 4)
    assert torch.allclose(even[0], longer[0])
    assert torch.equal(text(torch.tensor([[2, 1, 5]])), text(torch.tensor([[2, 5]]))), "1 is a word that is not known"
    text.scores.weight.data.normal_()
    found = text(torch.tensor([[2, 5, 0, 0], [0, 0, 0, 0], [3, 3, 5, 4]]))
    weight = text.scores.weight[:, 0].exp()
    assert torch.allclose(found[0], (weight[2] * v[2] + weight[5] * v[5]) / (weight[2] + weight[5]))
    assert not found[1].any(), "and not a division by zero"
    found.sum().backward()
    assert not v.grad[:2].any(), "the padding and the unknown word learn nothing"
    assert not text.scores.weight.grad[0].any()


def test_both_players_see_text_and_place(model: GAWWN, batch: Batch) -> None:
    with torch.no_grad():
        z = model.noise(N, seeded())
        place = batch[model.place]
        words, elsewhere = batch["caption"].roll(1, 0), place + torch.tensor([3.0, 2.0, 0, 0][: place.shape[-1]])
        image = model.draw(z, batch["caption"], place)
        assert changed(image, model.draw(z, words, place)).all()
        assert changed(image, model.draw(z, batch["caption"], elsewhere)).all()
        assert changed(image, model.draw(z.roll(1, 0), batch["caption"], place)).all()
        assert changed(scores(model, batch), scores(model, batch, caption=words)).all()
        assert changed(scores(model, batch), scores(model, batch, **{model.place: elsewhere})).all()


def test_the_local_pathway_draws_in_the_box_alone_and_the_same_in_each(batch: Batch) -> None:
    model = of("box")
    given = torch.rand(2, 8, generator=seeded())
    boxes = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]])
    with torch.no_grad():
        part = model.generator.local(given[:1].expand(2, 8), boxes, (6, 8))
    assert part[0].any()
    assert not part[0, :, 3:].any()
    assert not part[0, :, :, 4:].any()
    assert torch.allclose(part[0, :, :3, :4], part[1, :, 3:, 4:], atol=1e-6), "moved by whole cells it is the same"


def test_the_local_pathway_of_the_discriminator_sees_what_is_in_the_box_alone(batch: Batch) -> None:
    d = of("box").discriminator
    box = torch.tensor([[0.25, 0.5, 0.25, 0.25]]).expand(N, 4)  # columns 4 … 7, rows 6 … 8
    inside, outside = torch.zeros_like(batch.target), torch.zeros_like(batch.target)
    inside[..., 6:9, 4:8], outside[..., :5, :] = 1, 1
    with torch.no_grad():
        before = d.local(batch.target, box)
        assert torch.equal(before, d.local(batch.target * (1 - outside), box))
        assert changed(before, d.local(batch.target * (1 - inside), box)).all()


def test_a_score_is_that_of_both_pathways(model: GAWWN, batch: Batch) -> None:
    d = model.discriminator
    with torch.no_grad():
        place = d.place.relative(batch[model.place])
        seen = torch.cat([batch.target, d.place.drawn(place, (12, 16))], 1)
        t, whole, part = d.text(batch["caption"]), d.whole(seen).flatten(1), d.local(batch.target, place).flatten(1)
        expected = 0
        for score, phi in ((d.whole_score, whole), (d.part_score, part)):
            a, w = score.data.weight[0], score.of_text.weight
            expected = expected + torch.stack([(a + w @ t) @ f for t, f in zip(t, phi, strict=True)]) + score.data.bias
        assert torch.allclose(scores(model, batch), expected, rtol=1e-4, atol=1e-4)


def test_an_example_does_not_depend_on_its_batch(model: GAWWN, batch: Batch) -> None:
    with torch.no_grad():
        z = model.noise(N, seeded())
        together, judged = model.draw(z, batch["caption"], batch[model.place]), scores(model, batch)
        for i in range(N):
            alone = batch.map(lambda part, i=i: part[i : i + 1])
            assert torch.allclose(
                model.draw(z[i : i + 1], alone["caption"], alone[model.place]), together[i : i + 1], atol=1e-5
            )
            assert torch.allclose(scores(model, alone), judged[i : i + 1], atol=1e-4)


def test_samples_and_data_are_judged_beside_the_same_text_and_place(model: GAWWN, batch: Batch) -> None:
    play = model.play(batch, seeded())
    beside = batch["caption"], batch[model.place]
    assert torch.equal(play.real[0], batch.target)
    for objects in (play.real, play.fake):
        assert all(torch.equal(a, b) for a, b in zip(objects[1:], beside, strict=True))
    with torch.no_grad():
        assert torch.equal(play.fake[0], model.generator(model.noise(N, seeded()), *beside))


def test_gradients_reach_every_weight_of_the_player_in_turn(model: GAWWN, batch: Batch) -> None:
    """A place or a text that a pathway ignores would leave some without one."""
    model.train()
    play = model.play(batch, seeded())
    loss = model.discriminate(*play.fake).square().sum() + model.discriminate(*play.real).square().sum()
    loss.backward()
    for name, parameter in [*model.generator.named_parameters(), *model.discriminator.named_parameters()]:
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_it_is_given_texts_and_places(model: GAWWN, batch: Batch) -> None:
    assert can(model, SamplesGiven)
    assert model.conditions == ("caption", model.place)
    parts = {name: batch[name] for name in model.conditions}
    with torch.no_grad():
        image = model.sample_given(parts, seeded())
        assert image.shape == batch.target.shape
        assert torch.equal(image, model.sample_given(parts, seeded()))
        assert torch.equal(image, model.draw(model.noise(N, seeded()), *parts.values()))
        assert not torch.equal(image, model.sample_given(parts, seeded(1)))


def test_samples_are_of_texts_and_boxes_that_belong_together() -> None:
    """Images of "left" and of "right" in a share of 3 to 1, each with its box."""
    model = of("box")
    right = torch.arange(len(model.kept_caption)) % 4 == 0
    model.kept_caption.copy_(torch.where(right[:, None], 5, 4))
    model.kept_box.copy_(torch.where(right[:, None], 5.0, 4.0))
    drawn = []
    model.draw = lambda z, caption, box: drawn.append((caption, box))
    model.sample(2000, seeded())
    caption, box = drawn[0]
    assert torch.equal(caption[:, :1].float(), box[:, :1])
    assert chisquare(torch.bincount(caption[:, 0] - 4).numpy(), [1500, 500]).pvalue > 0.01


def test_the_box_is_kept_to_after_a_short_training() -> None:
    quick = ["optimizer.lr=2e-3", "trainer.ema_decay=0.95", "trainer.batch_size=32", "data.size=20", "data.sizes=[6,14]"]
    experiment = built(*SHORT, *SCENES, "model.channels=[16,32]", *quick)
    experiment.initialize()
    begin = experiment.trainer.evaluate("validation")
    experiment.trainer.train(0, 160, lambda: False)
    after = experiment.trainer.evaluate("validation")
    assert begin["box_iou"] < 0.3
    assert after["box_iou"] > 0.6
    assert after["ink_in_box"] > 0.85
    assert after["real_box_iou"] == begin["real_box_iou"] > 0.98
    assert after["real_ink_in_box"] == pytest.approx(1)


def test_figures_are_those_of_samples_beside_data() -> None:
    experiment = built(*SHORT, *SCENES, "model.channels=[4,8]", "data.limit=60")
    experiment.initialize()
    model, split = experiment.model.eval(), experiment.data.test
    x, box, caption = (split.values(split.rows, name) for name in ("target", "box", "caption"))
    batch = Batch(x, x, extra={"caption": caption[:, 0], "box": box})
    with torch.no_grad():
        (metric,) = model.metrics()
        metric.update(batch, seeded())
        made, figures = model.sample_given({"caption": caption[:, 0], "box": box}, seeded()), metric.results()
    expected = intersection_over_union(painted(ink(made, model.spec)), box).mean().item()
    assert figures["box_iou"] == pytest.approx(expected, abs=1e-6)
    assert figures["real_box_iou"] > 0.98
    assert metric.directions == {"box_iou": "higher", "real_box_iou": None, "ink_in_box": "higher", "real_ink_in_box": None}
    assert not of("keypoints").metrics(), "nobody says which box keypoints ask for"


def test_its_picture_moves_the_place_and_names_the_text(model: GAWWN, batch: Batch) -> None:
    with torch.no_grad():
        picture = model.pictures(batch, [], seeded())["places"]
    assert picture.dtype == np.uint8
    assert (picture == [220, 40, 40]).all(-1).any(), "frames or marks"


def test_moved_places_lie_within_the_image(batch: Batch) -> None:
    boxes = moved(batch["box"], SPEC.shape)
    assert torch.equal(boxes[:, 0], batch["box"])
    assert (boxes[..., :2] >= 0).all()
    assert ((boxes[..., :2] + boxes[..., 2:]) <= torch.tensor([16.0, 12.0]) + 1e-4).all()
    longest = batch["box"][:, 2:].amax(1)
    assert (boxes[..., 2:].amax(-1) >= longest.min() - 1e-4).all(), "of sizes that the model has seen"
    assert (boxes[..., 2:].amax(-1) <= longest.max() + 1e-4).all()
    assert boxes[..., 2:].amax(-1).unique().numel() > len(longest.unique()), "and not of its own size alone"
    points = moved(batch["keypoints"], SPEC.shape)
    missing = (batch["keypoints"] < 0).any(-1)
    assert (points[missing.unsqueeze(1).expand(points.shape[:-1])] == -1).all(), "a missing point stays missing"
    there = points[~missing.unsqueeze(1).expand(points.shape[:-1])]
    assert (there >= -1e-4).all()
    assert (there <= torch.tensor([16.0, 12.0]) + 1e-4).all()


def test_a_frame_is_around_the_box() -> None:
    tile = framed(np.zeros((1, 48, 48, 3), np.uint8), np.array([[10.0, 20.0, 8.0, 4.0]]))[0]
    by = len(tile) // 48
    red = np.argwhere(tile.any(-1))
    assert red.min(0).tolist() == [20 * by, 10 * by]
    assert red.max(0).tolist() == [24 * by - 1, 18 * by - 1]
    assert not tile[21 * by : 23 * by, 11 * by : 17 * by].any(), "and not over what is in it"


@pytest.mark.parametrize(
    ("parts", "place", "problem"),
    [
        ({"caption", "keypoints"}, "box", "place: the examples of own have no part 'box'; give model.place=keypoints"),
        ({"caption", "box"}, "keypoints", "place: the examples of own have no part 'keypoints'; give model.place=box"),
        ({"caption"}, "box", "place: the examples of own have no part 'box'; data=scenes has them, and data=captions, if"),
    ],
)
def test_examples_without_places_are_refused(parts: set[str], place: str, problem: str) -> None:
    spec = replace(SPEC, parts={name: part for name, part in PARTS.items() if name in parts})
    with pytest.raises(ArgumentError, match=problem):
        GAWWN(spec, place=place, channels=[4, 8])


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["data=digits"], "model: GAWWN needs the part 'caption', which Digits lacks; data that have it: captions, scenes"),
        (
            ["data=scenes", "data@data.of=digits", "data.size=40", "data.objects=2"],
            r"model\.place: expected one box in each image, but scenes of Digits has 2; choose data of one object each",
        ),
        ([*SCENES, "augmentation=affine"], "augmentation: Affine moves images, but not the part 'box', where GAWWN learns"),
        ([*SCENES, "trainer=wgan_gp"], r"add model\.normalization=none"),
    ],
)
def test_data_and_options_that_do_not_fit_are_refused(overrides: list[str], problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        built(*SHORT, *overrides)


def test_keypoints_of_another_number_are_refused(batch: Batch) -> None:
    model = of("keypoints")
    with pytest.raises(ValueError, match=r"GAWWN: expected keypoints \(N, 3, 2\), got \(6, 2, 2\)"):
        model.sample_given({"caption": batch["caption"], "keypoints": batch["keypoints"][:, :2]})
    with pytest.raises(ValueError, match=r"GAWWN: expected box \(N, 4\), got \(6, 2, 4\)"):
        of("box").sample_given({"caption": batch["caption"], "box": batch["box"][:, None].expand(N, 2, 4)})
    with pytest.raises(ValueError, match=r"GAWWN: expected caption \(N, 4\), got \(6, 3\)"):
        of("box").sample_given({"caption": batch["caption"][:, :3], "box": batch["box"]})


@pytest.mark.parametrize("place", ["box", "keypoints"])
def test_a_penalty_on_the_slope_goes_with_a_critic_that_looks_at_single_images(place: str) -> None:
    """Both need second derivatives of what is cut out."""
    experiment = built(
        *SHORT, *SCENES, "model.channels=[4,8]", f"model.place={place}", "trainer=wgan_gp", "model.normalization=none",
        "model.spectral_norm=true", "trainer.discriminator.n_critic=1",
    )  # fmt: skip
    experiment.initialize()
    trainer = experiment.trainer
    trainer.train(0, 2, lambda: False)
    assert trainer.meter.look() is None
