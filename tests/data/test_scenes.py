"""Scenes: what a caption says is what is on the canvas, read back from its pixels."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import built
from PIL import Image

from nnlab.config import names, values
from nnlab.config.build import build
from nnlab.config.composition import compose_config, to_dict
from nnlab.data.dataset import Dataset
from nnlab.data.datasets.scenes import INK, PALETTE, Scenes
from nnlab.data.feed import BatchBuilder
from nnlab.data.ink import bounds, keypoints, redrawn
from nnlab.data.scene_plans import drawn, grouped
from nnlab.data.sentences import FOUR, NINE, Object, article, relation, sentences, spoken
from nnlab.data.spec import Part
from nnlab.data.split import Arrays, Data
from nnlab.data.words import decode, words_of
from nnlab.errors import BadInput

CPU = torch.device("cpu")
SETTINGS = {
    "one": (),
    "two": ("data.objects=2", "data.size=40"),
    "three": ("data.objects=3", "data.sizes=[9,14]"),
    "free": ("data.places=free", "data.size=48"),
    "gray": ("data.colours=none", "data.sizes=[14]", "data.size=24"),
}


def composed(*overrides: str) -> Dataset:
    """The dataset of a command line that passes the checks of `nnlab train`. Raises BadInput with what they say."""
    of = [] if any(line.startswith("data@data.of=") for line in overrides) else ["data@data.of=digits"]
    typed = ["data=scenes", *of, *overrides]
    names.check(typed).refuse()
    config = to_dict(compose_config(typed))
    if problems := values.check(config):
        raise BadInput(*problems)
    return build(config["data"], Dataset, place="data")


@cache
def scenes(setting: str) -> tuple[Arrays, Data]:
    """What a setting loads, and its splits."""
    return composed(*SETTINGS[setting]).load(), composed(*SETTINGS[setting]).open(CPU)


def shown(x: torch.Tensor) -> torch.Tensor:
    """(N, S, S) the gray image of canvases (N, C, S, S): the largest colour is 255 for all of the palette."""
    return x.amax(1)


def texts(data: Data) -> list[list[str]]:
    """All captions of the scenes that are training's and validation's."""
    source = data.train.sources["caption"].x
    return [[decode(text, data.spec["caption"].names) for text in own if text[0]] for own in source.tolist()]


def cut(x: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """The canvases with nothing but what lies in boxes (N, 4)."""
    left, top, width, height = boxes.long().T[..., None, None]
    i = torch.arange(x.shape[-1])
    within = (i >= left) & (i < left + width) & (i[:, None] >= top) & (i[:, None] < top + height)
    return x * within[:, None]


def objects(setting: str) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Of the training canvases of a setting, for each object: the canvases, those with this one alone, its box, its points."""
    arrays, _ = scenes(setting)
    x, n = arrays.x_train, len(arrays.x_train)
    boxes, points = (arrays.others[name].train.view(n, -1, *own) for name, own in (("box", (4,)), ("keypoints", (3, 2))))
    return [(x, cut(x, boxes[:, i]), boxes[:, i], points[:, i]) for i in range(boxes.shape[1])]


# -- what is on the canvas --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", SETTINGS)
def test_boxes_bound_all_that_is_not_black(setting: str) -> None:
    total, x = 0, scenes(setting)[0].x_train
    for _, own, box, points in objects(setting):
        assert torch.equal(bounds(shown(own)).float(), box), "no narrower box holds what is in it"
        assert torch.equal(keypoints(shown(own)), points)
        total = total + shown(own).long().sum()
    assert total == shown(x).long().sum(), "and nothing is outside of all boxes, nor in two"


@pytest.mark.parametrize("setting", ["one", "two", "three", "free"])
def test_the_colour_of_an_object_is_the_one_of_its_part(setting: str) -> None:
    arrays, _ = scenes(setting)
    for i, (_, own, *_) in enumerate(objects(setting), 1):
        part = arrays.others[f"colour_{i}"]
        pure = torch.tensor([PALETTE[name] for name in part.part.names]).double()
        mean = own.double().sum((2, 3))
        alike = torch.nn.functional.cosine_similarity(mean[:, None], pure[None], dim=2)
        assert torch.equal(alike.argmax(1), part.train)
        level, tint = shown(own)[:, None].long(), pure.long()[part.train][..., None, None]
        assert torch.equal(own.long(), (level * tint + 127) // 255), "gray times colour, rounded"


def test_colours_are_told_apart_at_any_brightness() -> None:
    pure = torch.nn.functional.normalize(torch.tensor(list(PALETTE.values())).double(), dim=1)
    alike = pure @ pure.T - torch.eye(len(pure)) * 2
    assert len(PALETTE) >= 8
    assert alike.max() < 0.95, "18 degrees between yellow and orange are the least"
    assert {max(colour) for colour in PALETTE.values()} == {255}


def test_gray_scenes_have_one_channel_and_no_word_for_what_does_not_vary() -> None:
    arrays, data = scenes("gray")
    assert arrays.x_train.shape[1:] == (1, 24, 24)
    assert set(arrays.others) == {"caption", "box", "keypoints", "class_1", "place_1"}
    assert not {"small", "large", *PALETTE} & set(data.spec["caption"].names)


@pytest.mark.parametrize("setting", ["one", "two", "three"])
def test_size_and_place_are_those_of_the_parts(setting: str) -> None:
    arrays, _ = scenes(setting)
    side = arrays.x_train.shape[-1]
    sides = {"one": (12, 20), "two": (12, 18), "three": (9, 14)}[setting]
    for i, (_, _, box, _) in enumerate(objects(setting), 1):
        longest = box[:, 2:].amax(1)
        nearest = (longest[:, None] - torch.tensor(sides)).abs().argmin(1)
        assert torch.equal(nearest, arrays.others[f"size_{i}"].train)
        assert (longest - torch.tensor(sides)[nearest]).abs().max() <= 1
        place = arrays.others[f"place_{i}"]
        if setting == "one":
            share = box[:, :2] / (side - box[:, 2:])  # of the room that is free in this direction
            column, row = (share * 2).round().long().T
            found, grid = row * 3 + column, NINE
        else:
            middle = box[:, :2] + box[:, 2:] / 2
            column, row = (middle > side / 2).long().T
            found, grid = row * 2 + column, FOUR
            assert ((box[:, :2] + box[:, 2:]).ceil() <= torch.stack([column, row], 1) * (side // 2) + side // 2).all()
        assert place.part == Part("label", (), grid)
        assert torch.equal(found, place.train)
    where = torch.stack([arrays.others[f"place_{i}"].train for i in range(1, len(objects(setting)) + 1)], 1)
    assert all((a < b).all() for a, b in pairwise(where.T)), "numbered in the order of reading"


def test_a_free_object_lies_anywhere_in_any_size_and_its_caption_says_neither() -> None:
    arrays, data = scenes("free")
    box = arrays.others["box"].train
    assert box[:, :2].min() == 0
    assert (box[:, :2] + box[:, 2:]).max() == 48
    longest = box[:, 2:].amax(1)
    assert set(longest.long().tolist()) >= set(range(13, 32)), "from a quarter to two thirds of the canvas"
    assert set(arrays.others) == {"caption", "box", "keypoints", "class_1", "colour_1"}
    assert not {"top", "left", "middle", "small", "large"} & set(data.spec["caption"].names)
    hits = torch.histc(box[:, 0] / (48 - box[:, 2]), 4, 0, 1)
    assert (hits / hits.sum() - 0.25).abs().max() < 0.06


def test_an_object_is_an_image_of_its_class() -> None:
    """Found by its pixels: the image of all digits that resembles a scene's most when drawn into the same box has its class."""
    dataset = composed("data.colours=none", "data.sizes=[20]")
    dataset.size()
    arrays = dataset.load()
    source = dataset.source.load()
    levels = (source.x_test[:, 0].float() * 255 / 16).round().to(torch.uint8)
    crop = bounds(levels, INK)
    right = 0
    for i in range(40):
        box = arrays.others["box"].test[i].long().expand(len(levels), -1)
        distance = (redrawn(levels, crop, box, 32).float() - arrays.x_test[i].float()).square().sum((1, 2))
        right += int(source.y_test[distance.argmin()] == arrays.y_test[i])
    assert right >= 39


@pytest.mark.parametrize("overrides", [(), ("data.objects=2", "data.held_out=0.2"), ("data.objects=3",)])
def test_each_image_is_in_one_scene_at_most_and_splits_share_none(overrides: tuple[str, ...]) -> None:
    dataset = composed(*overrides)
    dataset.size()
    for plan, part in zip(dataset.plans, ("train", "test"), strict=True):
        rows = plan.rows.flatten()
        assert len(rows.unique()) == len(rows)
        x = getattr(dataset.source.load(), f"x_{part}")
        assert len(plan.gray) == len(x)
        assert len(rows) > 0.95 * len(x), "few are left over"


@pytest.mark.parametrize("overrides", [("data.objects=2", "data.size=40", "data.held_out=0.1"), ()])
def test_images_are_in_several_scenes_of_training_and_in_none_of_both_splits(overrides: tuple[str, ...]) -> None:
    once, thrice = composed(*overrides), composed(*overrides, "data.repeats=3", "data.validation=100")
    before, after = once.load(), thrice.load()
    n = len(before.x_train)
    assert torch.equal(before.x_test, after.x_test)
    assert torch.equal(before.x_train, after.x_train[:n])
    again = after.x_train[n:]
    assert abs(len(again) - 2 * n) < 0.03 * n, "some images are left over"
    every = torch.cat([again, before.x_train]).flatten(1)
    assert len(torch.unique(every, dim=0)) > 0.99 * len(every), "hardly a scene is there twice"
    train, validation = (thrice.open(CPU).split(name).rows for name in ("train", "validation"))
    assert len(validation) == 100
    assert int(validation.max()) < n
    seen, kept = ({*thrice.used[rows].flatten().tolist()} for rows in (train, validation))
    assert not seen & kept
    assert thrice.used.flatten().bincount().max() == 3
    lost = (torch.isin(thrice.used, torch.tensor(sorted(kept)))).any(1).sum()
    assert len(train) == len(thrice.used) - lost, "no other scene is left out"
    assert thrice.open(CPU).spec.digest == once.open(CPU).spec.digest, "their judges are the same"


def test_the_same_config_gives_the_same_bytes_whatever_the_seed_of_the_splits() -> None:
    one, two = (composed("data.limit=300", f"data.seed={seed}").open(CPU) for seed in (0, 1))
    assert one.spec.digest == two.spec.digest
    assert one.spec.splits != two.spec.splits
    assert composed("data.sizes=[11,20]").open(CPU).spec.digest != one.spec.digest


@pytest.mark.parametrize("setting", [*SETTINGS, "held out"])
def test_its_size_is_the_bytes_that_it_takes(setting: str) -> None:
    dataset = composed(*SETTINGS.get(setting, ("data.objects=2", "data.held_out=0.1")))
    size, arrays = dataset.size(), dataset.load()
    held = [arrays.x_train, arrays.x_test, arrays.y_train, arrays.y_test]
    held += [x for other in arrays.others.values() for x in (other.train, other.test)]
    assert size == sum(x.nbytes for x in held)


# -- what captions say ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", SETTINGS)
def test_captions_are_sentences_of_the_parts(setting: str) -> None:
    """And each is in words by the rule, all of them different, as many for each scene."""
    arrays, data = scenes(setting)
    told = texts(data)
    d = len(objects(setting))
    assert {len(own) for own in told} == {len(set(own)) for own in told} == {4 if setting == "free" else 5}
    said = []
    for i in range(1, d + 1):
        own = {
            what: arrays.others[key] for what in ("class", "size", "colour", "place") if (key := f"{what}_{i}") in arrays.others
        }
        word = {what: [other.part.names[k] for k in other.train.tolist()] for what, other in own.items()}
        n = len(word["class"])
        looks = [tuple(word[what][j] for what in ("size", "colour") if what in word) for j in range(n)]
        said.append([Object(word["class"][j], looks[j], word["place"][j] if "place" in word else "") for j in range(n)])
    for own, scene in zip(told, zip(*said, strict=True), strict=True):
        assert own == sentences(scene)
        assert all(words_of(text) == text.split() for text in own)


@pytest.mark.parametrize("setting", ["one", "two", "three"])
def test_each_caption_names_all_looks_and_places_of_all_objects(setting: str) -> None:
    """Read by a grammar of its own: the words from the left to the right, without the templates."""
    arrays, data = scenes(setting)
    d = len(objects(setting))
    for i, own in enumerate(texts(data)):
        for text in own:
            words = text.split()
            for what in ("class", "size", "colour"):
                parts = [arrays.others[f"{what}_{k}"] for k in range(1, d + 1)]
                wanted = [part.part.names[part.train[i]] for part in parts]
                assert [word for word in words if word in parts[0].part.names] == wanted, text
            places = [part.part.names[part.train[i]] for part in (arrays.others[f"place_{k}"] for k in range(1, d + 1))]
            if "it" not in words:
                found = [word for word in words if word in {"top", "bottom", "left", "right", "middle"}]
                assert found == " ".join(places).split(), text


def test_sentences_are_english_and_true() -> None:
    one = Object("three", ("large", "red"), "top left")
    other = Object("eight", ("orange",), "bottom left")
    assert sentences([one])[:3] == [
        "a large red three at the top left",
        "at the top left there is a large red three",
        "the three at the top left is large and red",
    ]
    assert "a large red three at the top left an orange eight below it" in sentences([one, other])
    third = Object("one", ("cyan",), "bottom right")
    assert sentences([one, other, third])[1].endswith("an orange eight at the bottom left and a cyan one at the bottom right")
    assert [
        article(word) for word in ("one", "eight", "orange", "ankle boot", "t shirt", "x", "u", "unicorn", "hour", "use")
    ] == (["a", "an", "an", "an", "a", "an", "a", "a", "an", "a"])
    assert [article(word) for word in ("honeycomb", "honest", "uninteresting", "union", "utter", "utensil")] == (
        ["a", "an", "an", "a", "an", "a"]
    )
    assert [spoken(name) for name in ("T-shirt/top", "3", "s12", "!")] == ["t shirt top", "three", "s one two", ""]
    told = {(a, b): relation(a, b) for a, b in [(FOUR[i], FOUR[j]) for i in range(4) for j in range(i + 1, 4)]}
    assert told == {
        ("top left", "top right"): "to the right of it",
        ("top left", "bottom left"): "below it",
        ("top left", "bottom right"): "below it to the right",
        ("top right", "bottom left"): "below it to the left",
        ("top right", "bottom right"): "below it",
        ("bottom left", "bottom right"): "to the right of it",
    }
    plain = [Object("bag", (), "left")], [Object("bag", ())], [Object("bag", (), "top left"), Object("coat", (), "top right")]
    assert all(len(set(sentences(scene))) >= 4 for scene in plain)


def test_a_batch_has_one_of_the_captions_of_each_scene_at_random() -> None:
    _, data = scenes("one")
    feed, rows, generator = BatchBuilder(data.train), data.train.rows[:200], torch.Generator().manual_seed(0)
    stored = data.train.values(rows, "caption")
    counts = torch.zeros(5)
    for _ in range(40):
        caption = feed.batch(rows, generator)["caption"]
        assert caption.dtype == torch.int64
        match = (caption[:, None] == stored).all(-1)
        assert (match.sum(1) == 1).all()
        counts += match.sum(0)
    assert (counts / counts.sum() - 0.2).abs().max() < 0.02
    assert tuple(caption.shape[1:]) == data.spec["caption"].shape


def test_the_vocabulary_is_that_of_the_training_split() -> None:
    data = composed("data.limit=40", "data.validation=20", "data.words_seen=6").open(CPU)
    every = composed("data.limit=40", "data.validation=0", "data.words_seen=6").open(CPU)
    counts = torch.bincount(data.train.values(data.train.rows, "caption").flatten(), minlength=len(data.spec["caption"].names))
    assert (counts[2:] >= 6).all()
    assert counts[1] > 0, "rare words are unknown"
    assert (counts[2:-1] >= counts[3:]).all()
    assert set(data.spec["caption"].names) < set(every.spec["caption"].names)


# -- pairs that training never sees -----------------------------------------------------------------------------------


def test_held_out_pairs_are_in_the_test_alone() -> None:
    data = composed("data.objects=2", "data.held_out=0.1").open(CPU)
    seen = set()
    for split in (data.train, data.validation):
        batch = BatchBuilder(split).batch(split.rows, torch.Generator())
        seen |= set(zip(batch["class_1"].tolist(), batch["class_2"].tolist(), strict=True))
        assert not batch["pair"].any()
    batch = BatchBuilder(data.test).batch(data.test.rows, torch.Generator())
    unseen = batch["pair"] == data.spec["pair"].names.index("unseen")
    pairs = list(zip(batch["class_1"].tolist(), batch["class_2"].tolist(), strict=True))
    held = {pair for pair, new in zip(pairs, unseen.tolist(), strict=True) if new}
    assert 5 <= len(held) <= 10
    assert not held & seen
    assert all(pair not in held for pair, new in zip(pairs, unseen.tolist(), strict=True) if not new)
    assert 0.04 < unseen.float().mean() < 0.2
    assert len(seen) <= 90
    assert "pair" not in composed("data.objects=2").open(CPU).spec


def test_every_class_keeps_a_pair_in_training_as_first_and_as_second() -> None:
    held = composed("data.objects=2", "data.held_out=0.5")._held_out(4)
    assert held.sum() == 8
    assert not held.all(0).any()
    assert not held.all(1).any()
    y = torch.arange(400) % 4
    rows = grouped(torch.arange(400), 2, y, held, torch.Generator().manual_seed(0))
    assert not held[y[rows[:, 0]], y[rows[:, 1]]].any()
    assert len(rows) > 180, "few images are left over, although half of the pairs are refused"


# -- drawing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(7, 5), (20, 20), (11, 23)])
def test_a_redrawn_image_is_pillows(size: tuple[int, int]) -> None:
    x = torch.randint(0, 256, (3, 13, 17), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    width, height = size
    crop, box = torch.tensor([[2, 1, 14, 11]] * 3), torch.tensor([[5, 3, width, height]] * 3)
    canvas = redrawn(x, crop, box, 32)
    for image, got in zip(x, canvas, strict=True):
        peer = Image.fromarray(image.numpy()[1:12, 2:16]).resize(size, Image.Resampling.BILINEAR)
        wanted = np.zeros((32, 32), np.uint8)
        wanted[3 : 3 + height, 5 : 5 + width] = np.asarray(peer)
        assert np.abs(got.numpy().astype(int) - wanted).max() <= 1
    whole = torch.tensor([[0, 0, 17, 13]] * 3)
    assert torch.equal(redrawn(x, whole, whole, 20)[:, :13, :17], x), "of the same size it is the same"


def test_keypoints_of_a_straight_bar_are_its_ends() -> None:
    x = torch.zeros(4, 40, 40, dtype=torch.uint8)
    x[0, 10, 5:25] = 200  # across
    x[1, 8:28, 30] = 9  # down
    x[2, range(5, 25), range(5, 25)] = 255  # to the right and down
    points = keypoints(x)
    assert torch.allclose(points[0], torch.tensor([[15.0, 10.5], [5.0, 10.5], [25.0, 10.5]]), atol=0.05)
    assert torch.allclose(points[1], torch.tensor([[30.5, 18.0], [30.5, 8.0], [30.5, 28.0]]), atol=0.05)
    assert torch.allclose(points[2], torch.tensor([[15.0, 15.0], [5.0, 5.0], [25.0, 25.0]]), atol=0.05)
    assert torch.equal(points[3], -torch.ones(3, 2)), "nothing is nowhere"
    turned = keypoints(x[2:3].flip(2))[0]
    assert torch.allclose(turned, torch.tensor([[25.0, 15.0], [35.0, 5.0], [15.0, 25.0]]), atol=0.05), "the upper end is first"


def test_images_of_other_scales_and_channels_are_objects(own_folder) -> None:
    levels = torch.randint(60, 256, (40, 9, 9), generator=torch.Generator().manual_seed(0)).numpy()
    same = {"gray": levels.astype(np.uint8), "colour": levels[..., None].repeat(3, -1).astype(np.uint8), "reals": levels / 255}
    drawn_scenes = {}
    for name, x in same.items():
        np.savez(f"{name}.npz", x_train=x, y_train=np.array(["A-b", "c"] * 20))
        node = [f"data.of.file={name}.npz", "data.root=.", "data.of.test=0.2"]
        drawn_scenes[name] = composed("data@data.of=npz", *node).load()
    assert drawn_scenes["gray"].classes == ("a b", "c")
    for name in ("colour", "reals"):
        assert torch.equal(drawn_scenes[name].x_train, drawn_scenes["gray"].x_train), name


# -- as data of models ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["colour_1", "place_2"])
def test_any_attribute_may_be_the_label(label: str) -> None:
    data = composed("data.objects=2", f"data.label={label}").open(CPU)
    assert data.spec.classes == data.spec[label].names
    batch = BatchBuilder(data.test).batch(data.test.rows, torch.Generator())
    assert torch.equal(batch.label, batch[label])


def test_classes_choose_scenes_by_their_label() -> None:
    data = composed("data.classes=[seven,1]").open(CPU)
    assert data.spec.classes == ("seven", "one")
    batch = BatchBuilder(data.train).batch(data.train.rows, torch.Generator())
    assert torch.equal(batch["class_1"], torch.tensor([7, 1])[batch.label])
    assert not {"three", "five"} & set(data.spec["caption"].names)
    few = composed("data.of.classes=[3,8]").open(CPU)
    assert few.spec["class_1"].names == ("three", "eight")


def test_a_model_that_needs_no_caption_learns_from_scenes() -> None:
    experiment = built("model=vae", "model.hidden=[8]", "data=scenes", "data@data.of=digits", "data.limit=60")
    experiment.initialize()
    trainer = experiment.trainer
    before = trainer.evaluate("validation")["negative_elbo"]
    trainer.train(0, 20, lambda: False)
    assert trainer.evaluate("validation")["negative_elbo"] < before


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["data.of=mnist"], r"'data\.of' is a group; choose with data@data\.of=NAME or set data\.of\.KEY"),
        (["data.colours=[purple]"], r"data\.colours: expected a list of red or green .*, got \['purple'\]"),
        (["data.colours=[red,red]"], r"data\.colours: has a colour twice"),
        (["data.colours=[]"], r"data\.colours: expected .* that is not empty"),
        (["data.sizes=[20,12]"], r"data\.sizes: expected \[small,large\] in pixels"),
        (["data.sizes=[12,12]"], r"data\.sizes: expected \[small,large\] in pixels"),
        (["data.sizes=[12,23]"], r"data\.sizes: 23 is too large for a canvas of 32, where 22 pixels fit for nine places"),
        (["data.objects=2", "data.sizes=[12,17]"], r"17 is too large .* 16 pixels fit in a quarter"),
        (
            ["data.places=free", "data.sizes=[33]"],
            r"33 is too large for a canvas of 32, where 32 pixels fit; change data\.size",
        ),
        (["data.objects=4"], r"data\.objects: expected 1 or 2 or 3, got 4"),
        (["data.places=free", "data.objects=2"], r"data\.places: free is for one object"),
        (["data.held_out=0.1"], r"data\.held_out: is a share of pairs, but a scene has one object"),
        (["data.objects=2", "data.held_out=0.001"], r"data\.held_out: 0\.001 of 100 pairs of classes is none"),
        (["data.label=class_2"], r"data\.label: these scenes have no class_2; did you mean 'class_1'"),
        (["data.label=pair"], r"data\.label: these scenes have no pair; legal here: class_1, colour_1, place_1, size_1"),
        (["data.label=size_1", "data.sizes=[12]"], r"data\.label: these scenes have no size_1"),
        (["data.of.limit=9"], r"data\.of\.limit: has no effect on what scenes are made of; give data\.limit"),
        (["data.of.oversample=true"], r"data\.of\.oversample: has no effect on what scenes are made of"),
        (["data.of.imbalance={3:0.1}"], r"data\.of\.imbalance: has no effect on what scenes are made of"),
        (["data.of.extra=more.npz"], r"data\.of\.extra: has no effect on what scenes are made of"),
        (["data.of.classes=[x]"], r"data\.of\.classes: Digits has no class 'x'"),
        (["data.of.binarize=dynamic"], r"data\.of\.binarize: dynamic cannot draw the bits"),
        (["data.size=100000"], r"scenes of Digits takes .* GiB"),
        (["data.words_seen=99999"], r"data\.words_seen: no word occurs 99,999 times"),
        (["data@data.of=moons"], r"data\.of: Moons is a table, but scenes are made of images; choose images"),
        (["data@data.of=scenes", "data@data.of.of=digits"], r"data\.of: scenes of Digits holds more than images \(caption"),
        (["data@data.of=npz", "data.of.file=no_labels.npz"], r"data\.of: the images of no_labels have no labels"),
        (["data@data.of=npz", "data.of.file=alike.npz"], r"data\.of: the classes 'B' and 'b' of alike are both called b"),
        (["data@data.of=npz", "data.of.file=signs.npz"], r"data\.of: a caption cannot say the class '!' of signs"),
        (
            ["data@data.of=npz", "data.of.file=wide.npz"],
            r"data\.of: scenes need images within \[0, 1\], wide has values -2 … 1\.8",
        ),
        (["data@data.of=npz", "data.of.file=black.npz"], r"data\.of: black has too few train images for a scene of 1"),
        (["data@data.of=npz", "data.of.file=gone.npz"], r"data\.of\.file: no file gone\.npz"),
    ],
)
def test_what_cannot_be_a_scene_is_named(overrides: list[str], problem: str, own_folder) -> None:
    x, y = np.full((30, 6, 6), 200, np.uint8), np.arange(30) % 3
    np.savez("no_labels.npz", x_train=x)
    np.savez("alike.npz", x_train=x, y_train=np.array(["b", "B", "c"])[y])
    np.savez("signs.npz", x_train=x, y_train=np.array(["a", "!"])[y % 2])
    np.savez("wide.npz", x_train=np.linspace(-2, 2, 1080).reshape(30, 6, 6), y_train=y)
    np.savez("black.npz", x_train=x // 200, y_train=np.array(["a", "b", "c"])[y])
    own = ["data.root=."] if any("npz" in line for line in overrides) else []
    if "data.of.file=black.npz" in overrides:
        own.append("data.of.range=[0,255]")
    with pytest.raises(BadInput, match=problem):
        composed(*overrides, *own).open(CPU)


def test_what_is_downloaded_goes_to_the_one_root() -> None:
    data = composed("data@data.of=mnist", "data.root=elsewhere", "data.of.root=theirs")
    assert isinstance(data, Scenes)
    assert data.folder == data.source.folder
    assert data.folder.parts[0] == "elsewhere"


def test_a_judge_of_scenes_is_known_wherever_its_files_are() -> None:
    from nnlab.evaluators.build import identity

    one, two = (to_dict(compose_config(["data=scenes", f"data.root={root}", f"data.of.root={root}"]))["data"] for root in "ab")
    assert identity(one) == identity(two)
    other = to_dict(compose_config(["data=scenes", "data.of.classes=[1]"]))["data"]
    assert identity(one) != identity(other)


def test_a_plan_of_several_parts_is_drawn_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Canvases are drawn a part of them at a time."""
    dataset = composed("data.objects=2")
    dataset.size()
    plan = dataset.plans[1]
    whole = drawn(plan, 32)
    monkeypatch.setattr("nnlab.data.ink.CHUNK", 32 * 16 * 50)
    parts = drawn(plan, 32)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
