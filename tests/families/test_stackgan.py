"""Images of texts in two stages: the text encoder, what each stage learns and leaves alone, and what it makes."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest
import torch
from conftest import QUIET, built, train
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import logsigmoid, softplus

import nnlab as package
from nnlab.data.spec import Batch, DataSpec, Part
from nnlab.errors import BadInput
from nnlab.families.gan.stackgan import StackGAN
from nnlab.families.gan.text import JointEmbedding, TextEncoder, another_text
from nnlab.families.gan.trainer import StagedGameTrainer
from nnlab.nn import pyramid
from nnlab.nn.resize import enlarged

SCENES = ["data=scenes", "data@data.of=digits", "data.size=20", "data.sizes=[6,10]"]
SMALL = ["model=stackgan", "model.channels=[4,8]", "model.latent_dim=3", "model.text_dim=8", "model.condition_dim=4"]
SMALL += ["model.hidden=8", "trainer.batch_size=16", "data.limit=200"]
SMALL += ["trainer.epochs=1", "trainer.pretraining.epochs=1"]
SMALL += [*SCENES, *QUIET, "device=cpu"]
WORDS = ("", "<unknown>", "red", "blue", "three", "seven", "left")


def game(*overrides: str) -> StagedGameTrainer:
    experiment = built(*SMALL, *overrides)
    experiment.initialize()
    return experiment.trainer


def first_batch(trainer: StagedGameTrainer) -> Batch:
    return trainer.feed.batch(trainer.rows(0), trainer.generator)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def a_model(shape: tuple[int, int, int] = (3, 12, 12), **keys) -> StackGAN:
    torch.manual_seed(0)
    sizes = {"channels": [4, 8], "latent_dim": 3, "text_dim": 8, "condition_dim": 4, "hidden": 8}
    model = StackGAN(DataSpec("own", "image", shape, parts={"caption": Part("text", (4,), WORDS)}), **{**sizes, **keys}).eval()
    for generator in model.averaged["generators"]:  # so that something is seen of noise and text
        for weight in generator.parameters():
            weight.data.mul_(8 if weight.ndim > 1 else 1)
    return model


CAPTIONS = torch.tensor([[2, 4, 0, 0], [3, 5, 6, 0], [2, 4, 0, 0], [3, 4, 0, 0], [2, 5, 0, 0], [6, 2, 5, 1]])


# -- texts --------------------------------------------------------------------------------------------------------


def encoder() -> TextEncoder:
    torch.manual_seed(1)
    text = TextEncoder(len(WORDS), 4, 8)
    text.words.weight.data.normal_(generator=seeded())
    return text


def test_padding_is_not_seen_and_a_text_does_not_depend_on_its_batch() -> None:
    text = encoder()
    found = text(CAPTIONS)
    assert torch.allclose(found[0], found[2])
    for i in range(len(CAPTIONS)):
        assert torch.allclose(text(CAPTIONS[i : i + 1])[0], found[i], atol=1e-6)
    text.words.weight.data[0] = 100
    text.places.data[3] = torch.where(torch.arange(8) < 9, 50.0, 0.0)
    assert torch.allclose(text(CAPTIONS)[:5], found[:5], atol=1e-6)
    assert not torch.allclose(text(CAPTIONS)[5], found[5], atol=1e-2), "which has four words"


def test_the_order_of_words_counts_and_a_text_without_words_is_a_number() -> None:
    text = encoder()
    one, other = text(torch.tensor([[2, 4, 3, 5], [3, 4, 2, 5]]))
    assert not torch.allclose(one, other, atol=1e-3)
    assert text(torch.zeros(1, 4, dtype=torch.int64)).isfinite().all()


def test_an_unknown_word_only_takes_its_place_before_it_was_learned() -> None:
    text = TextEncoder(len(WORDS), 4, 8)
    assert not text.words.weight[:2].any()


def test_the_joint_embedding_is_a_double_loop_in_which_equal_texts_are_right() -> None:
    torch.manual_seed(0)
    joint = JointEmbedding(torch.nn.Identity(), torch.nn.Identity())
    image, text = (torch.nn.functional.normalize(torch.randn(6, 5), dim=1) for _ in "12")
    loss, accuracy = joint.losses(image, text, CAPTIONS)
    total, hits, scale = 0.0, 0, joint.scale.exp().item()
    assert scale == pytest.approx(14)
    for i in range(6):
        right = [j for j in range(6) if torch.equal(CAPTIONS[i], CAPTIONS[j])]
        assert len(right) == (2 if i in (0, 2) else 1)
        rows = [scale * (image[i] @ text[j]).item() for j in range(6)]
        columns = [scale * (image[j] @ text[i]).item() for j in range(6)]
        for scores in (rows, columns):
            normal = log(sum(np.exp(score) for score in scores))
            total += sum((normal - scores[j]) / len(right) for j in right) / 2
        hits += int(np.argmax(rows)) in right
    assert loss.item() == pytest.approx(total / 6, rel=1e-5)
    assert accuracy.item() == pytest.approx(hits / 6)


def test_equal_scores_cost_the_logarithm_of_the_batch() -> None:
    joint = JointEmbedding(torch.nn.Identity(), torch.nn.Identity())
    same = torch.nn.functional.normalize(torch.ones(5, 3), dim=1)
    loss, _ = joint.losses(same, same, torch.arange(5)[:, None])
    assert loss.item() == pytest.approx(log(5), rel=1e-5)


def test_a_wrong_text_is_never_an_equal_one_and_every_other_one_is_drawn() -> None:
    seen: dict[int, set[int]] = {i: set() for i in range(6)}
    for seed in range(60):
        place, counts = another_text(CAPTIONS, seeded(seed))
        assert counts.all()
        for i, j in enumerate(place.tolist()):
            assert not torch.equal(CAPTIONS[i], CAPTIONS[j])
            seen[i].add(j)
    assert seen[0] == seen[2] == {1, 3, 4, 5}
    assert seen[1] == {0, 2, 3, 4, 5}
    place, counts = another_text(CAPTIONS[:1].expand(4, -1), seeded())
    assert not counts.any()
    assert len(place) == 4


def test_a_wrong_text_is_drawn_by_how_like_it_is() -> None:
    """P(j | i) = e^s_ij / Σ_k e^s_ik over the texts that differ."""
    scores = torch.randn(6, 6, generator=seeded())
    other = (CAPTIONS[:, None] != CAPTIONS).any(2)
    expected = torch.where(other, scores.exp(), 0)
    expected /= expected.sum(1, keepdim=True)
    draw, counted = seeded(), torch.zeros(6, 6)
    for _ in range(3000):
        place, _ = another_text(CAPTIONS, draw, scores)
        counted[torch.arange(6), place] += 1
    assert (counted / 3000 - expected).abs().max() < 0.03
    joint = JointEmbedding(torch.nn.Identity(), torch.nn.Identity())
    phi = torch.randn(6, 3, generator=seeded())
    cosine = torch.nn.functional.cosine_similarity(phi[:, None], phi[None], dim=2)
    assert torch.allclose(joint.likeness(phi), joint.scale.exp() * cosine, atol=1e-5)
    assert not joint.likeness(phi).requires_grad


def test_the_games_get_texts_whitened_as_they_are_after_their_own_stage() -> None:
    trainer = game()
    trainer.train(0, 5, lambda: False)
    model = trainer.model
    texts = torch.cat([batch["caption"] for batch in trainer.builder(trainer.data.train).sequential(seeded())])
    assert torch.equal(model.encoded(texts), model.embedding.text(texts)), "before there is anything to measure"
    batch = first_batch(trainer)
    near = model.nearness(batch)
    for stage in (1, 2):
        trainer.start_stage(stage)
        trainer.train(0, 1, lambda: False)
        found = model.encoded(texts)
        assert found.std(0, correction=0).square().mean().item() == pytest.approx(1, rel=0.1)
        assert found.mean(0).abs().max() < 0.3
        assert torch.equal(model.nearness(batch), near), "they are chosen by the texts as they were learned"
    kept = model.state_dict()
    other = game().model
    other.load_state_dict(kept)
    assert torch.equal(other.encoded(texts), found)


def test_a_config_from_before_texts_were_whitened_gives_the_model_of_that_time() -> None:
    assert a_model().whitening is None
    assert game().model.whitening is not None


def test_the_paper_s_texts_are_not_whitened() -> None:
    trainer = game("model.whiten=false")
    trainer.start_stage(1)
    trainer.train(0, 1, lambda: False)
    caption = first_batch(trainer)["caption"]
    assert torch.equal(trainer.model.encoded(caption), trainer.model.embedding.text(caption))


def test_wrong_texts_are_drawn_by_the_texts_as_they_were_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = game()
    trainer.start_stage(1)
    trainer.train(0, 1, lambda: False)
    batch, seen = first_batch(trainer), []
    monkeypatch.setattr(trainer.model.embedding, "likeness", lambda phi: seen.append(phi) or torch.zeros(len(phi), len(phi)))
    play = trainer.play(batch)
    assert torch.equal(seen[0], trainer.model.embedding.text(batch["caption"]))
    assert torch.equal(play.real[1], trainer.model.encoded(batch["caption"]))
    assert not torch.allclose(seen[0], play.real[1], atol=0.1)


# -- the game -----------------------------------------------------------------------------------------------------


def test_the_discriminator_learns_three_kinds_of_examples_of_which_the_last_two_count_half() -> None:
    trainer = game()
    trainer.start_stage(2)
    model, batch = trainer.model, first_batch(trainer)
    play = trainer.play(batch)
    play.wrong.counts[3:] = False  # as of images without another text
    turn = trainer.critic(model.discriminate, play.real, play.fake, wrong=play.wrong)
    (x, phi), (fake, same) = play.real, play.fake
    assert torch.equal(phi, same)
    (other,) = play.wrong.conditions
    assert not any(torch.equal(a, b) for a, b in zip(other, phi, strict=True))
    with torch.no_grad():
        d = lambda image, text: model.discriminators[1](image, text)  # noqa: E731
        expected = -logsigmoid(d(x, phi)).mean() - 0.5 * torch.log(1 - torch.sigmoid(d(fake, phi))).mean()
        wrong = d(x[:3], other[:3])
        expected = expected + 0.5 * softplus(wrong).mean()
    assert turn.losses["discriminator"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert turn.terms["wrong_accuracy"].item() == pytest.approx((wrong < 0).float().mean().item())
    assert turn.terms["diversity"] > 0


def test_a_batch_of_one_text_has_no_wrong_ones_and_a_finite_loss() -> None:
    trainer = game()
    trainer.start_stage(1)
    batch = first_batch(trainer)
    batch.extra["caption"] = batch["caption"][:1].expand(len(batch), -1)
    terms = trainer.update(batch)
    assert terms["wrong_accuracy"] == 0
    assert all(value.isfinite() for value in terms.values())


def test_the_projection_adds_how_well_image_and_text_agree() -> None:
    model = a_model()
    x, phi = torch.rand(4, 3, 12, 12, generator=seeded()), torch.randn(4, 8, generator=seeded(1))
    d = model.discriminators[1]
    h = d.body(x).flatten(1)
    expected = [d.data(h[i])[0] + h[i] @ d.of_text.weight @ phi[i] for i in range(4)]
    assert torch.allclose(model.discriminate(x, phi), torch.stack(expected), atol=1e-6)
    both = model.discriminate(x, torch.stack([phi, phi.flip(0)]))
    assert torch.allclose(both, torch.stack([model.discriminate(x, phi), model.discriminate(x, phi.flip(0))]), atol=1e-6)


def test_stage_two_is_held_to_the_image_of_stage_one() -> None:
    trainer = game("model.consistency=7", "model.augment_condition=false")
    trainer.start_stage(2)
    play = trainer.play(first_batch(trainer))
    answer, small = trainer.model.answer(play, trainer.objective), play.kept["small"]
    halved = pyramid.down(play.fake[0], small.shape[2:])
    expected = (halved - small).square().mean()
    assert small.shape == halved.shape
    assert answer.terms["inconsistency"].item() == pytest.approx(expected.item(), rel=1e-4)
    difference = (
        answer.losses["generator"] - trainer.model.answer(replace(play, kept={}), trainer.objective).losses["generator"]
    )
    assert difference.item() == pytest.approx(7 * expected.item(), rel=1e-3)
    trainer.start_stage(1)
    assert "small" not in trainer.play(first_batch(trainer)).kept


def test_each_stage_is_watched_by_itself_since_it_has_other_terms() -> None:
    trainer = game("model.consistency=7")
    for stage in (1, 2):
        trainer.start_stage(stage)
        trainer.begin_stage()
        for _ in range(12):
            terms = trainer.update(first_batch(trainer))
            trainer.check_health({name: value.item() for name, value in terms.items()})
        assert trainer.health.records == 12


def test_stage_two_begins_near_the_enlarged_image_of_stage_one() -> None:
    model = a_model()
    second = model.generators[1].eval()
    small = torch.rand(4, *model.specs[0].shape, generator=seeded())
    with torch.no_grad():
        second.leave[-1].weight.zero_()
        second.leave[-1].bias.zero_()
        made, *_ = second(torch.randn(4, 8), torch.randn(4, second.condition.length), small)
    wanted = 0.5 + 0.5 * (3 * (2 * torch.nn.functional.interpolate(small, made.shape[2:], mode="bicubic") - 1)).tanh()
    assert torch.allclose(made, wanted, atol=1e-5)


def test_the_divergence_is_in_nats_a_sum_over_coordinates() -> None:
    trainer = game("model.kl=0.7")
    for stage in (1, 2):
        trainer.start_stage(stage)
        model, play = trainer.model, trainer.play(first_batch(trainer))
        condition = model.generator.condition
        mean, width = condition.mean(play.real[1]), (0.5 * condition.log_variance(play.real[1])).exp()
        nats = kl_divergence(Normal(mean, width), Normal(0.0, 1.0)).sum(1).mean()
        answer = model.answer(play, trainer.objective)
        assert answer.terms["condition_kl"].item() == pytest.approx(nats.item(), rel=1e-4)
        total = answer.terms["generator_loss"] + 0.7 * nats
        assert answer.losses["generator"].item() == pytest.approx(total.item(), rel=1e-5)
    plain = game("model.augment_condition=false")
    plain.start_stage(2)
    assert "condition_kl" not in plain.update(first_batch(plain))


@pytest.mark.parametrize("levels", [1, 2])
def test_a_stage_changes_nothing_of_the_others(levels: int) -> None:
    """Neither weights nor the statistics of batch normalisation, in training, evaluation and pictures."""
    trainer = game(f"model.levels={levels}", "model.normalization=batch")
    owners = {0: {"embedding"}, 1: {"generators.0", "discriminators.0", "whitening"}, 2: {"generators.1", "discriminators.1"}}
    for stage in range(levels + 1):
        trainer.start_stage(stage)
        before = {name: value.clone() for name, value in trainer.model.state_dict().items() if isinstance(value, Tensor)}
        trainer.train(0, 3, lambda: False)
        trainer.evaluate("validation")
        trainer.images()
        moved = {name for name, value in trainer.model.state_dict().items() if not torch.equal(value, before[name])}
        moved = {name.replace("averaged.", "") for name in moved - {"averaged.updates", "_extra_state"}}
        known = {name if (name := ".".join(each.split(".")[:2]))[-1].isdigit() else name.split(".")[0] for each in moved}
        assert known == owners[stage]
        if stage:
            assert f"generators.{stage - 1}.condition.mean.weight" in moved
            assert any("running_mean" in name for name in moved)


def test_stage_two_is_given_what_stage_one_samples() -> None:
    """Of the averages, in evaluation mode, although the model is in training mode."""
    trainer = game()
    trainer.start_stage(2)
    model, phi = trainer.model.train(), torch.randn(5, 8, generator=seeded())
    averaged = model.averaged["generators"][0]
    assert not averaged.training
    noise = model.noise_of(0, 5, seeded(3))
    assert torch.equal(model.first(phi, seeded(3)), averaged(phi, noise)[0])


@pytest.mark.parametrize("objective", ["minimax", "non_saturating", "least_squares", "hinge", "wasserstein"])
def test_each_objective_in_each_stage(objective: str) -> None:
    penalty = ["trainer.discriminator.gradient_penalty=10", "trainer.discriminator.n_critic=2"]
    trainer = game(f"trainer.objective={objective}", *(penalty if objective == "wasserstein" else []))
    for stage in range(3):
        trainer.start_stage(stage)
        trainer.train(0, 2, lambda: False)
        trainer.meter.look()
        terms = trainer.meter.window.take()
        assert np.isfinite(list(terms.values())).all()
        assert ("wrong_accuracy" in terms) == (stage > 0)
        assert ("gradient_penalty" in terms) == (objective == "wasserstein" and stage > 0)


def test_the_text_encoder_learns_which_text_belongs_to_an_image() -> None:
    fast = ["trainer.pretraining.optimizer.lr=3e-3", "model.text_dim=32", "model.channels=[16,32]", "data.limit=1000"]
    trainer = game(*fast)
    first = trainer.evaluate("validation")
    assert first["text_loss"] == pytest.approx(log(64), rel=0.15)
    trainer.train(0, 150, lambda: False)
    last = trainer.evaluate("validation")
    assert last["text_loss"] < 0.8 * first["text_loss"]
    assert last["text_accuracy"] > 4 / 64 > first["text_accuracy"]
    assert set(last) == {"text_loss", "text_accuracy"}


# -- samples ------------------------------------------------------------------------------------------------------


def test_a_sample_is_stage_two_upon_stage_one_and_the_same_in_any_batch() -> None:
    model = a_model()
    one, two = model.averaged["generators"]
    draw = seeded(4)
    z, e1, e2 = (torch.randn(6, n, generator=draw) for n in (3, 4, 4))
    phi = model.embedding.text(CAPTIONS)
    small = one(phi, torch.cat([z, e1], 1))[0]
    whole = two(phi, e2, small)[0]
    found = model.sample_given({"caption": CAPTIONS}, seeded(4))
    assert found.shape == (6, 3, 12, 12)
    assert small.shape == (6, 3, 6, 6)
    assert torch.allclose(found, whole, atol=1e-6)
    for i in range(6):
        alone = two(phi[i : i + 1], e2[i : i + 1], one(phi[i : i + 1], torch.cat([z, e1], 1)[i : i + 1])[0])[0]
        assert torch.allclose(alone[0], whole[i], atol=1e-5)
    other = model.sample_given({"caption": CAPTIONS.flip(0)}, seeded(4))
    assert not torch.allclose(other, found, atol=1e-3), "the text counts"


def test_after_stage_one_samples_are_its_images_enlarged() -> None:
    model = a_model()
    model.start_stage(1)
    small = model.first(model.encoded(CAPTIONS), seeded(2))
    expected = torch.nn.functional.interpolate(small, (12, 12), mode="bicubic").clamp(0, 1)
    assert torch.allclose(model.sample_given({"caption": CAPTIONS}, seeded(2)), expected)
    assert model.rivals() == {}
    model.start_stage(2)
    batch = Batch(torch.zeros(6, 3, 12, 12), torch.zeros(6, 3, 12, 12), extra={"caption": CAPTIONS})
    rival = model.rivals()["stage_1"]
    first, second = rival(batch), rival(batch)
    assert first.shape == (6, 3, 12, 12)
    assert not torch.equal(first, second), "each batch has noise of its own"
    assert torch.equal(first, model.rivals()["stage_1"](batch))


def test_augmentation_varies_what_is_made_of_one_text_without_the_noise() -> None:
    phi = torch.randn(1, 8, generator=seeded()).expand(20, -1)

    def spread(model: StackGAN) -> float:
        noise = model.noise_of(0, 20, seeded())
        noise[:, :3] = noise[:1, :3]
        return model.averaged["generators"][0](phi, noise)[0].std(0).mean().item()

    assert spread(a_model()) > 1e-3
    assert spread(a_model(augment_condition=False)) < 1e-7


def test_what_data_stage_one_sees_is_half_as_large() -> None:
    trainer = game()
    trainer.start_stage(1)
    batch = first_batch(trainer)
    play = trainer.model.play(batch, trainer.generator)
    assert torch.allclose(play.real[0], pyramid.down(batch.target, (10, 10)))
    assert play.fake[0].shape == play.real[0].shape == (16, 3, 10, 10)
    with pytest.raises(ValueError, match=r"expected inputs \(N, 3, 10, 10\), got \(16, 3, 20, 20\)"):
        trainer.model.discriminate(batch.target, play.real[1])


@pytest.mark.parametrize("shape", [(3, 31, 31), (1, 20, 13), (2, 8, 9)])
@pytest.mark.parametrize("levels", [1, 2])
def test_sides_that_are_odd(shape: tuple[int, int, int], levels: int) -> None:
    model = a_model(shape, levels=levels)
    for stage in range(levels + 1):
        model.start_stage(stage)
        assert model.sample(2, seeded()).shape == (2, *shape)


def test_samples_are_of_texts_of_the_training_data() -> None:
    trainer = game()
    model, split = trainer.model, trainer.data.train
    known = {tuple(text) for text in split.sources["caption"].raw(split.rows).flatten(0, 1).tolist()}
    kept = {tuple(text) for text in model.kept_caption.tolist()}
    assert len(kept) > 50
    assert kept <= known
    assert all(text[0] for text in kept), "each has a word"
    drawn = model.drawn_conditions(40, seeded())["caption"]
    assert {tuple(text) for text in drawn.tolist()} <= kept
    assert len(torch.unique(drawn, dim=0)) > 10


def test_a_checkpoint_of_an_early_stage_samples_as_it_did_then() -> None:
    folder = train("run", *SMALL, "trainer.keep_checkpoint_every=1 epoch")
    steps = sorted(int(path.stem.removeprefix("step-")) for path in folder.checkpoints.glob("step-*.pt"))
    models = [package.load(folder.path, f"step-{step:06d}") for step in steps]
    assert [model.stage for model in models] == [0, 1, 2]
    early, last = models[1:]
    parts = {"caption": last.kept_caption[:3]}
    small = last.first(last.encoded(parts["caption"]), seeded(1))
    assert torch.equal(early.sample_given(parts, seeded(1)), enlarged(small, (3, 20, 20)).clamp(0, 1))
    assert not torch.equal(last.sample_given(parts, seeded(1)), early.sample_given(parts, seeded(1)))
    records = [record for record in folder.read_metrics() if record["split"] == "validation"]
    assert [record.get("stage", "") for record in records] == ["text", "stage_1", ""]
    assert "text_loss" in records[0]
    assert "real_score" not in records[0]


# -- pictures and refusals ----------------------------------------------------------------------------------------


def test_pictures_have_a_row_per_text_and_both_stages_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    sheets = []

    def sheet(tiles: np.ndarray, rows: list[str], columns: list[str] | None = None) -> np.ndarray:
        sheets.append((tiles, rows, columns))
        return tiles[0, 0]

    monkeypatch.setattr("nnlab.families.gan.stackgan.sheet", sheet)
    model = a_model()
    few = Batch(torch.zeros(6, 3, 12, 12), torch.zeros(6, 3, 12, 12), extra={"caption": CAPTIONS})
    for stage, names in ((0, set()), (1, {"captions"}), (2, {"captions", "stages"})):
        model.start_stage(stage)
        sheets.clear()
        assert set(model.pictures(few, [], seeded())) == names
    (tiles, rows, _), (both, same, columns) = sheets
    assert rows == same == ["red three", "red seven", "blue three", "blue seven left", "left red seven <unknown>"]
    assert tiles.shape == both.shape == (5, 8, 12, 12, 3)
    assert columns == ["I", "II"] * 4
    assert np.array_equal(both[:, 1::2], tiles[:, :4])
    assert not np.array_equal(both[:, 0::2], tiles[:, :4])


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data=digits"], "needs the part 'caption', which Digits lacks; data that have it: captions, scenes"),
        (["model.channels=[4,4,4,4,4]"], "model.channels: 5 layers halve 20×20 to nothing"),
        (["model.normalization=batch", "trainer.discriminator.gradient_penalty=1"], "uses batch normalisation"),
        (["trainer.objective=wasserstein"], "give trainer.discriminator.gradient_penalty=10, which adds"),
        (["trainer.pretraining.epochs=[1,1,1]"], "3 numbers for 2 stages"),
        (["model.levels=1", "trainer.pretraining.epochs=[1,1]"], "2 numbers for 1 stages"),
        (["model.near_texts=true"], "from the second epoch of a stage on, but this stage ends before"),
        (["model.levels=1", "model.blocks=5"], "model.blocks: has no effect with one stage"),
        (["model.levels=1", "model.consistency=5"], "model.consistency: has no effect with one stage"),
        (["augmentation=affine", "augmentation.flip=true"], "augmentation.flip: mirrors images whose captions say what is on"),
        (["augmentation=[crop,cutout]", "augmentation.crop.flip=true"], "augmentation.flip: mirrors images whose captions"),
    ],
)
def test_what_cannot_be_is_refused_before_the_first_stage(overrides: list[str], said: str) -> None:
    mine = [each for each in SMALL if each not in SCENES] if overrides[0].startswith("data=") else SMALL
    with pytest.raises(BadInput, match=said.replace("[", r"\[")):
        built(*mine, *overrides)


def test_an_image_too_small_for_two_stages_is_refused_by_its_key() -> None:
    with pytest.raises((BadInput, ValueError), match="levels: an image of 3×3 is too small for two levels"):
        a_model((3, 3, 3), channels=[4])


# -- batches of near texts ----------------------------------------------------------------------------------------


def spread(trainer: StagedGameTrainer, epoch: int) -> float:
    """The mean squared distance of the texts of a batch from their mean, over the batches of an epoch."""
    vectors = torch.cat([trainer.model.nearness(b) for b in trainer.builder(trainer.data.train).sequential(seeded())])
    places = {row: i for i, row in enumerate(trainer.data.train.rows.tolist())}
    steps = range(epoch * trainer.steps_per_epoch, (epoch + 1) * trainer.steps_per_epoch)
    own = [vectors[[places[row] for row in trainer.rows(step).tolist()]] for step in steps]
    return float(torch.stack([(part - part.mean(0)).square().sum(1).mean() for part in own]).mean())


def test_near_texts_share_batches_after_the_first_epoch_of_the_text_encoder() -> None:
    keys = ["trainer.pretraining.epochs=[2,1]"]
    near, any_ = game("model.near_texts=true", *keys), game(*keys)
    n = near.steps_per_epoch
    assert all(near.rows(step).equal(any_.rows(step)) for step in range(n))
    for trainer in (near, any_):
        trainer.train(0, n, lambda: False)
    rows = torch.cat([near.rows(step) for step in range(n, 2 * n)])
    assert len(rows.unique()) == n * 16
    assert spread(near, 1) < 0.8 * spread(any_, 1)
    near.start_stage(1)
    any_.start_stage(1)
    assert all(near.rows(step).equal(any_.rows(step)) for step in range(2 * n))


def test_figures_of_the_text_encoder_have_their_directions() -> None:
    """In the last stage, in which the directions are asked for, there are none of them."""
    trainer = game()
    assert "text_loss" in trainer.lower
    assert "text_accuracy" in trainer.higher


@pytest.mark.parametrize("stop", [0, 3])
def test_a_run_goes_on_within_an_epoch_of_near_texts(stop: int) -> None:
    """The order of an epoch is of the weights at its start, which the checkpoint does not have."""
    keys = ("model.near_texts=true", "trainer.pretraining.epochs=3")
    whole, first, second = (game(*keys) for _ in range(3))
    n, end = whole.steps_per_epoch, 3 * whole.steps_per_epoch
    at = n + stop
    whole.train(0, end, lambda: False)
    first.train(0, at, lambda: False)
    second.restore(first.state())
    second.train(at, end - at, lambda: False)
    ours, theirs = second.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
