"""The classifier of several labels: which labels it learns, what it says of them, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import QUIET, built, config_of, train

from nnlab.data.spec import DataSpec, Part
from nnlab.errors import ArgumentError, BadInput
from nnlab.experiment import judging
from nnlab.export.parts import parts_of
from nnlab.families.classifier.multitask import chosen_labels
from nnlab.model import Classifies, ClassifiesLabels, can
from nnlab.recording.console import Console
from nnlab.training.trainer import evaluating

SCENES = ["model=multitask", "model.body.hidden=[24]", "data=scenes", "data@data.of=digits", "data.size=20"]
SCENES += ["data.sizes=[6,10]", "trainer.precision=float32", *QUIET]
TWO = [*SCENES, "data.objects=2", "data.sizes=[5,8]", "data.held_out=0.2"]
ATTRIBUTES = ("class", "colour", "size", "place")


def label(*names: str) -> Part:
    return Part("label", (), names)


PARTS = {"of": label("a", "b"), "hue": label("red", "blue"), "one": label("x")}
SPEC = DataSpec("own", "image", (1, 4, 4), ("a", "b"), parts=PARTS)


def test_auto_is_every_label_that_can_be_read() -> None:
    assert chosen_labels("auto", SPEC) == ("of", "hue"), "label is the part `of`, and `one` is always x"
    assert chosen_labels("auto", DataSpec("own", "image", (1, 4, 4), ("c", "d"), parts=PARTS)) == ("of", "hue", "label")
    assert chosen_labels("auto", DataSpec("own", "image", (1, 4, 4), parts={"hue": PARTS["hue"]})) == ("hue",)
    assert chosen_labels("auto", built("model=multitask", "data=digits").data.spec) == ("label",)
    some = built(*SCENES, "data.classes=[0,1]").data.spec
    assert chosen_labels("auto", some) == tuple(f"{what}_1" for what in ATTRIBUTES), "label is class_1, of fewer classes"
    two = tuple(f"{what}_{i}" for i in (1, 2) for what in ATTRIBUTES)
    assert chosen_labels("auto", built(*TWO).data.spec) == two, "which pairs are unseen is not in the image"


def test_a_label_of_other_examples_is_not_learned() -> None:
    """That of the second domain, whose images are not beside those of the first."""
    sides = ["data=domains", "+data@data.a=digits", "+data@data.b=digits"]
    spec = built("model=cyclegan", "model.channels=[4]", "model.blocks=1", "model.width=4", *sides).data.spec
    assert "b_label" in spec
    assert chosen_labels("auto", spec) == ("label",)
    with pytest.raises(ArgumentError, match="b_label is no label of"):
        chosen_labels(["b_label"], spec)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["hew"], "hew is no label of own; did you mean 'hue'"),
        (["one"], "one has one value alone, x; "),
        (["hue", "hue"], "hue is there twice; give each once"),
        (["label"], "label is no label of own; "),
    ],
)
def test_labels_that_cannot_be_learned(labels: list[str], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        chosen_labels(labels, SPEC)


def test_data_without_labels_are_refused() -> None:
    np.savez("own.npz", x_train=np.random.default_rng(0).random((40, 5)).astype(np.float32))
    with pytest.raises(BadInput, match="a classifier learns from classes"):
        built("model=multitask", "data=npz", "data.root=.", "data.file=own.npz")


def test_it_learns_every_label() -> None:
    experiment = built(*SCENES, "optimizer.lr=3e-3", "trainer.epochs=30")
    experiment.initialize()
    trainer, model = experiment.trainer, experiment.model
    before = trainer.evaluate("validation")
    trainer.train(0, trainer.total_steps, lambda: False)
    after = trainer.evaluate("validation")
    assert after["accuracy"] > before["accuracy"] + 0.3
    assert after["exact_match"] <= after["worst_label_accuracy"] <= after["accuracy"]
    split = experiment.data.validation
    with torch.no_grad(), evaluating(model):
        said = model.decide_labels(model.features(split.values(split.rows)))
    assert tuple(said) == model.labels == tuple(f"{what}_1" for what in ATTRIBUTES)
    shares = []
    for name, p in said.items():
        assert torch.allclose(p.sum(1), torch.ones(len(p)))
        shares.append((p.argmax(1) == split.labels(split.rows, name)).double().mean().item())
    assert after["accuracy"] == pytest.approx(np.mean(shares))
    assert after["worst_label_accuracy"] == pytest.approx(min(shares))
    assert can(model, ClassifiesLabels)
    assert not can(model, Classifies)


def test_it_is_exported_as_a_classifier_for_each_label() -> None:
    model = built(*SCENES).model.eval()
    parts, _ = parts_of(model)
    own = {name.removeprefix("classifier_"): part for name, part in parts.items() if name.startswith("classifier_")}
    assert tuple(own) == model.labels
    assert own["size_1"].output.meaning == "probabilities of small, large"
    x = torch.rand(5, *model.spec.shape)
    with torch.no_grad():
        said = model.decide_labels(model.features(x))
        assert all(torch.equal(part.function(x), said[label]) for label, part in own.items())


def test_what_is_right_stands_behind_what_is_wrong() -> None:
    model = built(*SCENES).model
    assert model.said("colour_1", 0, 0) == "red"
    assert model.said("colour_1", 2, 0) == "blue (red)"


def test_mirrored_images_have_no_labels_of_left_and_right() -> None:
    flip = ["augmentation=affine", "augmentation.flip=true"]
    with pytest.raises(BadInput, match=r"augmentation\.flip: mirrors images whose label place_1 says what is on the left"):
        built(*SCENES, *flip)
    built(*SCENES, *flip, "model.labels=[colour_1,size_1]")


def test_two_runs_of_several_labels_have_the_same_figures() -> None:
    short = [*TWO, "trainer.epochs=2", "data.limit=120"]
    runs = [train(name, *short, pictures=False) for name in ("one", "other")]
    first, second = ([r for r in run.read_metrics() if r["split"] == "test"][-1] for run in runs)
    assert first == second
    assert {"exact_match", "worst_label_accuracy"} <= first.keys()


def test_scenes_of_one_class_have_a_judge_of_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "LEAST_STEPS", 5)
    monkeypatch.setattr(judging, "EPOCHS_OF_SCENES", 1)
    monkeypatch.setenv("NNLAB_DATA", ".")
    scenes = [word for word in SCENES[2:] if not word.startswith("trainer")]
    small = ["model=stackgan", "model.levels=1", "model.channels=[4,8]", "model.text_dim=8", "model.condition_dim=4"]
    config = config_of(*small, *scenes, "data.of.classes=[3]", "judge=auto", "device=cpu")
    (known,) = judging.with_judge(config, Console(quiet=True))["judge"]["judges"].values()
    assert known["model"]["labels"] == ["colour_1", "size_1", "place_1"]
