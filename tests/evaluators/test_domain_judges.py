"""The judges of two domains: what they say of translators whose truth is known, and where they come from."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import built, config_of, only_run
from torch import Tensor, nn

from nnlab.checkpoints.reference import reference_node
from nnlab.data.feed import BatchBuilder
from nnlab.data.source import Resident
from nnlab.data.spec import DataSpec, Part
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.evaluators import domains
from nnlab.evaluators.build import build_judge
from nnlab.evaluators.domains import DomainJudges, DomainReferences
from nnlab.evaluators.judge import Judge
from nnlab.experiment import judging
from nnlab.experiment.run import build_experiment
from nnlab.recording.console import Console
from nnlab.runs.folder import RunFolder

NAMES = ("circle", "square", "cross")
A, B = 66, 60  # images of each domain


def lit(label: Tensor, brightness: float) -> Tensor:
    """(N, 1, 1, 3) images whose class is the place of the only pixel that is lit."""
    return brightness * nn.functional.one_hot(label, 3).float().view(-1, 1, 1, 3)


class Places(nn.Module):
    """Takes an image for the class of its brightest pixel, if that is as bright as in its domain; else for class 0."""

    def __init__(self, names: tuple[str, ...], brightness: float) -> None:
        super().__init__()
        self.spec = DataSpec("own", "image", (1, 1, 3), names)
        self.brightness = brightness

    def features(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def decide(self, features: Tensor) -> Tensor:
        right = (features.amax(1, keepdim=True) - self.brightness).abs() < 0.1
        first = torch.tensor([1.0, 0.0, 0.0]).expand_as(features)
        return torch.where(right, nn.functional.one_hot(features.argmax(1), 3).float(), first)

    def classify(self, x: Tensor) -> Tensor:
        return self.decide(self.features(x))


class Translator(nn.Module):
    """Between images with a pixel of 1 (a) and of ½ (b), as `steps` says: the pixel moves so many places on the way to b."""

    def __init__(self, steps: int = 0, names: tuple[str, ...] = NAMES, colour: bool = False) -> None:
        super().__init__()
        image, other = Part("image", (1, 1, 3)), Part("image", (3 if colour else 1, 1, 3))
        parts = {"b": other, "b_label": Part("label", (), names)}
        self.spec, self.steps, self.sides = DataSpec("own", "image", (1, 1, 3), NAMES, parts=parts), steps, (image, other)

    def directions(self) -> dict[str, tuple[Part, Part]]:
        a, b = self.sides
        return {"b": (a, b), "a": (b, a)}

    def translate(self, x: Tensor, to: str) -> Tensor:
        return x.roll(self.steps, 3) / 2 if to == "b" else 2 * x.roll(-self.steps, 3)


def split(names: tuple[str, ...] = NAMES, labelled: bool = True) -> Split:
    of_a, of_b = torch.arange(A) % 3, torch.arange(B) % 3
    sources = {"target": Resident(lit(of_a, 1.0)), "b": Resident(lit(of_b, 0.5))}
    if labelled:
        wanted = torch.tensor([names.index(name) for name in NAMES])  # the pixel means the same name in both domains
        sources |= {"label": Resident(of_a), "b_label": Resident(wanted[of_b])}
    return Split(sources, torch.arange(A), unpaired={"b": torch.arange(B)}, shared={"b_label": "b"} if labelled else {})


class OfNames(Places):
    """b's judge, whose classes are numbered in another order."""

    def decide(self, features: Tensor) -> Tensor:
        return super().decide(features)[:, [NAMES.index(name) for name in self.spec.classes]]


def judges(names: tuple[str, ...] = NAMES, sides: str = "ab") -> DomainJudges:
    nets = {"a": Places(NAMES, 1.0), "b": OfNames(names, 0.5)}
    return DomainJudges({side: Judge(nets[side], nets[side].spec, f"net {side}") for side in sides})


def figures(translator: Translator, judge: DomainJudges, of: Split) -> dict[str, float]:
    with torch.inference_mode():
        return judge.figures(translator, BatchBuilder(of), of.rows, torch.Generator())


def test_a_right_translation_keeps_every_class_and_lies_where_the_data_do() -> None:
    found = figures(Translator(), judges(), split())
    assert set(found) == {
        f"{name}_{side}"
        for side in "ab"
        for name in ("class_agreement", "untranslated_agreement", "judge_accuracy", "frechet_distance")
    }
    assert set(judges().headline(Translator())) == {"frechet_distance_a", "frechet_distance_b"}
    for side in "ab":
        assert found[f"class_agreement_{side}"] == found[f"judge_accuracy_{side}"] == 1
        assert found[f"untranslated_agreement_{side}"] == pytest.approx(1 / 3), "too bright or too dark, taken for class 0"
        assert found[f"frechet_distance_{side}"] == pytest.approx(0, abs=1e-5)


def test_a_permutation_of_the_classes_has_perfect_cycles_and_is_seen_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    translator, drawn = Translator(steps=1), {}

    def chart(said: Tensor, label: Tensor, classes: tuple[str, ...]) -> np.ndarray:
        counts = np.zeros((3, 3), int)
        np.add.at(counts, (label.numpy(), said.numpy()), 1)
        drawn[len(drawn)] = counts
        return np.zeros((1, 1, 3), np.uint8)

    monkeypatch.setattr(domains, "confusion_chart", chart)
    x = lit(torch.arange(3), 1.0)
    assert torch.equal(translator.translate(translator.translate(x, "b"), "a"), x)
    found = figures(translator, judges(), split())
    assert (found["class_agreement_a"], found["class_agreement_b"]) == (0, 0)
    assert found["frechet_distance_b"] == pytest.approx(0, abs=1e-5), "the images look right"
    of = split()
    with torch.inference_mode():
        assert set(judges().confusions(translator, of, of.rows)) == {"confusion_a", "confusion_b"}
    to_a, to_b = drawn.values()
    assert (to_b == [[0, 22, 0], [0, 0, 22], [22, 0, 0]]).all(), "true class in rows, judged class in columns"
    assert (to_a == [[0, 0, 20], [20, 0, 0], [0, 20, 0]]).all()


def test_classes_are_compared_by_their_names_not_by_their_numbers() -> None:
    mixed = ("cross", "circle", "square")
    found = figures(Translator(names=mixed), judges(mixed), split(mixed))
    assert [found[f"class_agreement_{side}"] for side in "ab"] == [1, 1]
    assert [found[f"judge_accuracy_{side}"] for side in "ab"] == [1, 1]


def test_domains_with_classes_of_their_own_are_compared_by_their_images_alone() -> None:
    other = ("red", "green", "blue")

    class Named(OfNames):
        def decide(self, features: Tensor) -> Tensor:
            return Places.decide(self, features)

    net = Named(other, 0.5)
    both = DomainJudges({**judges(sides="a").judges, "b": Judge(net, net.spec, "net b")})
    of = split()
    found = figures(Translator(names=other), both, of)
    assert set(found) == {f"{name}_{side}" for side in "ab" for name in ("judge_accuracy", "frechet_distance")}
    with torch.inference_mode():
        assert both.confusions(Translator(names=other), of, of.rows) == {}


def test_a_single_domain_with_classes_has_a_judge_and_colours_are_not_shown_to_one_of_grays() -> None:
    found = figures(Translator(), judges(sides="b"), split())
    assert {name[-1] for name in found} == {"b"}
    found = figures(Translator(colour=True), judges(), split())
    assert not any(name.startswith("untranslated") for name in found)


def test_what_is_not_finite_is_no_number() -> None:
    broken = Translator()
    broken.translate = lambda x, to: x * torch.nan
    found = figures(broken, judges(), split())
    assert all(np.isnan(found[f"frechet_distance_{side}"]) for side in "ab")
    assert "class_agreement_b" not in found


def test_of_few_images_in_one_domain_and_many_in_the_other_many_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domains, "VALIDATION_SAMPLES", 40)
    of = split()
    both = judges()
    with torch.inference_mode():
        both.figures(Translator(), BatchBuilder(of), of.rows[:20], torch.Generator())
    assert {key[0]: key[2] for key in both._seen} == {"aa": 20, "ab": 40, "ba": 20, "bb": 40}


# -- where they come from -----------------------------------------------------------------------------------------

DATA = ["data=domains", "+data@data.a=digits", "+data@data.b=digits", "data.b.classes=[3,1,2]"]
SMALL = ["model=cyclegan", "model.channels=[4,8]", "model.blocks=0", "model.width=4", "trainer.precision=float32"]


def test_each_domain_gets_the_judge_of_its_own_dataset_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "LEAST_STEPS", 30)
    monkeypatch.setattr(judging, "EPOCHS", 1)
    monkeypatch.setenv("NNLAB_DATA", ".")
    config = config_of(*DATA, *SMALL, "judge=auto", "data.limit=200", "device=cpu")
    made = judging.with_judge(config, Console(quiet=True))
    assert len(list(Path("judges").iterdir())) == 2
    again = judging.with_judge(config, Console(quiet=True))
    assert again == made
    assert [made["judge"][side]["spec"]["classes"] for side in "ab"] == [list("0123456789"), list("312")]
    (notice,) = build_experiment(made).trainer.notices
    assert notice == "judge: the classes of a and b have different names, so class_agreement is not measured"
    experiment = built(*DATA, *SMALL, "data.limit=200")
    judge = build_judge(made["judge"], experiment.data.spec, made["data"], torch.device("cpu"))
    judge.load_weights()
    assert judge.name == f"a: {made['judge']['a']['fingerprint']}, b: {made['judge']['b']['fingerprint']}"
    state = judge.state()
    assert {key.split(".")[0] for key in state} == {"a", "b"}
    other = build_judge(made["judge"], experiment.data.spec, made["data"], torch.device("cpu"))
    shutil.rmtree("judges")
    other.load_weights(state)  # as a resumed run does, when the judges' own runs may be gone
    assert all(torch.equal(value, other.state()[key]) for key, value in state.items())
    with torch.inference_mode():
        feed = BatchBuilder(experiment.data.test)
        found = judge.figures(experiment.model.eval(), feed, feed.split.rows, torch.Generator())
    assert {"frechet_distance_a", "frechet_distance_b", "judge_accuracy_a", "judge_accuracy_b"} == set(found)
    assert found["judge_accuracy_b"] > 0.5


def test_a_model_of_one_domain_has_the_judge_of_its_dataset() -> None:
    assert judging.domain_nodes(config_of(*DATA, "model=ae", "judge=auto")) == {}
    nodes = judging.domain_nodes(config_of(*DATA, *SMALL))
    assert [node["classes"] for node in nodes.values()] == ["none", [3, 1, 2]]


def test_a_judge_of_other_images_is_refused(train_once) -> None:
    train_once("model=fcnn", "model.hidden=[8]", "trainer.epochs=1", "trainer.show_every=never", "outputs=judges")
    known = reference_node(str(only_run("judges").path), "judge")
    assert isinstance(only_run("judges"), RunFolder)
    spec = built(*DATA, *SMALL).data.spec
    node = DomainReferences.node(b=known)
    with pytest.raises(BadInput, match=r"judge\.b: .* was trained on other images than those of b; give judge=auto"):
        build_judge(node, spec, {}, torch.device("cpu"))
    assert build_judge(DomainReferences.node(a=known), spec, {}, torch.device("cpu")).judges.keys() == {"a"}
