"""The judges of words: what they read from images whose truth is known, and where they come from."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import built, config_of
from torch import Tensor, nn

from nnlab.checkpoints.reference import reference_node
from nnlab.data.feed import BatchBuilder
from nnlab.data.source import Resident
from nnlab.data.spec import DataSpec, Part
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.evaluators.build import build_judge
from nnlab.evaluators.judge import Judge
from nnlab.evaluators.words import WordJudges, WordReferences, told_parts
from nnlab.experiment import judging
from nnlab.experiment.run import build_experiment
from nnlab.recording.console import Console

NAMES = {"class_1": tuple("abc"), "colour_1": ("red", "blue"), "class_2": tuple("abc"), "pair": ("seen", "unseen")}
TOLD = ("class_1", "colour_1", "class_2")
N = 120
SPEC = DataSpec("own", "image", (1, 1, 3), tuple("abc"), parts={name: Part("label", (), own) for name, own in NAMES.items()})


class Reads(nn.Module):
    """Tells the class of a part by one pixel of an image, whose value is the class's number."""

    def __init__(self, place: int, names: tuple[str, ...]) -> None:
        super().__init__()
        self.spec, self.place = DataSpec("own", "image", (1, 1, 3), names), place

    def features(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, self.place :][:, :1]

    def decide(self, features: Tensor) -> Tensor:
        classes = len(self.spec.classes)
        return nn.functional.one_hot(features[:, 0].round().long().clamp(0, classes - 1), classes).float()

    def classify(self, x: Tensor) -> Tensor:
        return self.decide(self.features(x))


def judges() -> WordJudges:
    nets = {name: Reads(i, NAMES[name]) for i, name in enumerate(TOLD)}
    return WordJudges({name: Judge(net, net.spec, f"net {name}") for name, net in nets.items()}, SPEC)


def split(unseen: bool = True, pairs: bool = True) -> Split:
    draw = np.random.default_rng(0)
    label = {name: torch.from_numpy(draw.integers(0, len(NAMES[name]), N)) for name in TOLD}
    x = torch.stack([label[name] for name in TOLD], 1).float().view(N, 1, 1, 3)
    pair = {"pair": Resident((torch.arange(N) % 4 == 3).long() * int(unseen))} if pairs else {}
    caption = torch.stack([*label.values()], 1)
    sources = {"target": Resident(x), "caption": Resident(caption), **pair}
    return Split({**sources, **{name: Resident(own) for name, own in label.items()}}, torch.arange(N))


class Painter(nn.Module):
    """Paints what a caption says; of every third one another class of the first object, of every second one another colour."""

    conditions = ("caption",)

    def __init__(self, wrong: bool = False, rival: bool = False) -> None:
        super().__init__()
        self.spec, self.wrong, self.rival = SPEC, wrong, rival

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        raise AssertionError("a judge of words asks for what the captions say")

    def sample_given(self, parts: dict[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
        x = parts["caption"].float()
        if self.wrong:
            row = torch.arange(len(x))
            x = torch.stack([(x[:, 0] + (row % 3 == 0)) % 3, (x[:, 1] + (row % 2 == 0)) % 2, x[:, 2]], 1)
        return x.view(-1, 1, 1, 3)

    def rivals(self) -> dict:
        return {"stage_1": lambda batch: batch["caption"].float().view(-1, 1, 1, 3) + 0.2} if self.rival else {}


def figures(model: nn.Module, of: Split, judge: WordJudges | None = None) -> dict[str, float]:
    with torch.inference_mode():
        return (judge or judges()).figures(model, BatchBuilder(of), of.rows, torch.Generator())


@pytest.fixture(autouse=True)
def one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnlab.data.feed.eval_batch_size", lambda split: N)


def test_what_is_painted_as_asked_is_right_in_all_and_at_no_distance() -> None:
    found = figures(Painter(), split())
    asked = {f"{of}_as_asked{end}" for of in ("class", "colour", "all") for end in ("", "_seen", "_unseen")}
    accuracy = {f"judge_{of}_accuracy{end}" for of in ("class", "colour", "all") for end in ("", "_seen", "_unseen")}
    assert set(found) == asked | accuracy | {"frechet_distance", "kernel_distance", "precision", "recall"}
    assert all(found[name] == 1 for name in asked | accuracy)
    assert found["frechet_distance"] == pytest.approx(0, abs=1e-5)
    assert asked <= judges().higher
    assert "frechet_distance" in judges().lower


def test_an_attribute_is_right_if_that_of_each_object_is() -> None:
    found = figures(Painter(wrong=True), split())
    assert found["class_as_asked"] == pytest.approx(2 / 3)
    assert found["colour_as_asked"] == pytest.approx(1 / 2)
    assert found["all_as_asked"] == pytest.approx(1 / 3)
    assert found["judge_all_accuracy"] == 1
    row = np.arange(N)
    unseen = row % 4 == 3
    for end, those in (("_seen", ~unseen), ("_unseen", unseen)):
        assert found[f"class_as_asked{end}"] == pytest.approx((row[those] % 3 != 0).mean())
        assert found[f"colour_as_asked{end}"] == pytest.approx((row[those] % 2 != 0).mean())


def test_rows_of_seen_pairs_alone_have_no_figures_of_unseen_ones() -> None:
    assert not any("unseen" in name for name in figures(Painter(), split(unseen=False)))
    assert not any("seen" in name for name in figures(Painter(), split(pairs=False)))


def test_what_changes_with_the_place_is_not_kept() -> None:
    """Of eight boxes one is at the right, where the next class is drawn, and one moves there; the six others keep the class."""

    class Mover(Painter):
        conditions = ("caption", "box")

        def sample_given(self, parts: dict[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
            x = parts["caption"].float() + torch.rand(N, 3, generator=generator) * 1e-3
            at = parts["box"][:, 0] == 2
            return torch.stack([(x[:, 0] + at) % 3, x[:, 1], x[:, 2]], 1).view(-1, 1, 1, 3)

    of = split()
    left = torch.tensor([0, 1, 2, 0, 0, 0, 0, 0])[torch.arange(N) % 8]  # of images of 3 pixels: they move to 1, 2 and 1
    of.sources["box"] = Resident(torch.stack([left, 0 * left, 0 * left + 1, 0 * left + 1], 1))
    found = figures(Mover(), of)
    assert found["class_as_asked"] == pytest.approx(7 / 8)
    assert found["class_kept"] == pytest.approx(6 / 8)
    assert found["colour_kept"] == 1
    assert {"class_kept", "colour_kept"} <= judges().higher
    assert "class_kept" not in figures(Painter(), split())


def test_a_rival_is_judged_beside_the_model() -> None:
    found = figures(Painter(rival=True), split())
    assert found["stage_1_frechet"] == pytest.approx(3 * 0.04, rel=1e-3), "each of three features is moved by 0.2"
    assert found["stage_1_all_as_asked"] == 1


def test_what_is_not_finite_is_no_number() -> None:
    broken = Painter()
    broken.sample_given = lambda parts, generator=None: parts["caption"].float().view(-1, 1, 1, 3) * torch.nan
    found = figures(broken, split())
    assert set(found) == {"frechet_distance"}
    assert np.isnan(found["frechet_distance"])


def test_only_a_model_that_draws_by_text_is_judged_by_words() -> None:
    assert figures(nn.Identity(), split()) == {}
    assert judges().headline(nn.Identity()) == []
    assert judges().headline(Painter()) == ["frechet_distance", "all_as_asked"]


# -- where they come from -----------------------------------------------------------------------------------------

DATA = ["data=scenes", "data@data.of=digits", "data.size=20", "data.sizes=[6,10]", "data.colours=[red,blue]"]
SMALL = ["model=stackgan", "model.levels=1", "model.channels=[4,8]", "model.text_dim=8", "model.condition_dim=4"]
SMALL += ["model.hidden=8", "trainer.precision=float32"]


def test_one_judge_reads_all_that_captions_say_and_is_trained_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "LEAST_STEPS", 60)
    monkeypatch.setattr(judging, "EPOCHS_OF_SCENES", 1)
    monkeypatch.setenv("NNLAB_DATA", ".")
    config = config_of(*DATA, *SMALL, "judge=auto", "data.limit=200", "device=cpu")
    made = judging.with_judge(config, Console(quiet=True))
    (known,) = made["judge"]["judges"].values()
    assert known["model"]["labels"] == ["class_1", "colour_1", "size_1", "place_1"]
    assert known["spec"]["parts"]["colour_1"]["names"] == ["red", "blue"]
    assert len(list(Path("judges").iterdir())) == 1
    assert judging.with_judge(config, Console(quiet=True)) == made
    for chosen in ("data.repeats=3", "data.classes=[0,1]", "data.train_size=50", "data.label=place_1"):
        again = judging.with_judge(config_of(*DATA, *SMALL, "judge=auto", chosen, "device=cpu"), Console(quiet=True))
        assert again["judge"] == made["judge"], f"that of all examples once, also with {chosen}"
        assert build_judge(again["judge"], build_experiment(again).data.spec, again["data"], torch.device("cpu"))
    experiment = build_experiment(made)
    experiment.initialize()
    judge = experiment.trainer.judge
    state = judge.state()
    other = build_judge(made["judge"], experiment.data.spec, made["data"], torch.device("cpu"))
    shutil.rmtree("judges")
    other.load_weights(state)  # as a resumed run does, when the judge's own run may be gone
    assert all(torch.equal(value, other.state()[key]) for key, value in state.items())
    trainer = experiment.trainer
    assert set(trainer.evaluate("test")) == {"text_loss", "text_accuracy"}, "before there are examples they have no judge"
    trainer.start_stage(1)
    found = trainer.evaluate("test")
    assert {"class_as_asked", "colour_as_asked", "size_as_asked", "place_as_asked", "all_as_asked"} <= found.keys()
    assert found["judge_colour_accuracy"] > 0.8
    assert found == trainer.evaluate("test")


def test_words_are_judged_where_a_model_draws_by_text() -> None:
    assert not judging.says_words(config_of(*DATA, "model=ae", "judge=auto"))
    assert judging.says_words(config_of(*DATA, *SMALL))
    attributes = ("class", "colour", "size", "place")
    two = built(*DATA, *SMALL, "data.objects=2").data.spec
    assert told_parts(two) == [f"{what}_{i}" for i in (1, 2) for what in attributes]
    assert told_parts(built(*DATA, *SMALL, "data.colours=none", "data.sizes=[8]").data.spec) == ["class_1", "place_1"]
    one_class = built(*DATA, *SMALL, "data.of.classes=[3]").data.spec
    assert told_parts(one_class) == ["colour_1", "size_1", "place_1"], "what is the same everywhere is not read"


def test_a_judge_of_other_images_or_of_other_words_is_refused(train_once) -> None:
    train_once("model=fcnn", "model.hidden=[8]", *DATA, "trainer.epochs=1", "trainer.show_every=never", "outputs=judges")
    known = reference_node(str(next(Path("judges").rglob("config.yaml")).parent), "judge")
    spec = built(*DATA, *SMALL).data.spec
    assert told_parts(spec) == ["class_1", "colour_1", "size_1", "place_1"]
    alone = WordReferences.node(judges={"class_1": known})
    with pytest.raises(BadInput, match="judge: none of its classifiers reads colour_1, size_1, place_1; give judge=auto"):
        build_judge(alone, spec, {}, torch.device("cpu"))
    with pytest.raises(BadInput, match=r"judge\.colour_1: .* was trained on other images than those of colour_1; give"):
        build_judge(WordReferences.node(judges={"colour_1": known}), spec, {}, torch.device("cpu"))
    with pytest.raises(BadInput, match=r"judge\.mood: .* was trained on other images"):
        build_judge(WordReferences.node(judges={"mood": known}), spec, {}, torch.device("cpu"))


def test_a_judge_of_several_labels_is_refused_for_other_ones(train_once) -> None:
    train_once(
        "model=multitask", "model.body.hidden=[8]", *DATA, "trainer.epochs=1", "trainer.show_every=never", "outputs=read"
    )
    known = reference_node(str(next(Path("read").rglob("config.yaml")).parent), "judge")
    node = WordReferences.node(judges={"words": known})
    same, device = built(*DATA, *SMALL).data.spec, torch.device("cpu")
    assert build_judge(node, same, {}, device).model.labels == ["class_1", "colour_1", "size_1", "place_1"]
    said = r"judge\.words: .* was trained on other images or labels than scenes of Digits; give judge=auto"
    for other in ("data.colours=[red,green]", "data.sizes=[8]", "data.objects=2", "data.size=24"):
        with pytest.raises(BadInput, match=said):
            build_judge(node, built(*DATA, *SMALL, other).data.spec, {}, device)


def test_a_judge_of_places_learns_from_images_that_were_not_moved() -> None:
    few = built("model=ae", "model.hidden=[8]", *DATA).data
    assert judging.augmentation(few) == []
    few.spec.parts.clear()
    assert judging.augmentation(few)[0] == "augmentation=affine", "as of any small set"
