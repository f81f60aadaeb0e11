"""Encoders by contrast: views, groups of an evaluation, figures of codes, collapse, and what they refuse."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
import torch
from conftest import BODIES, QUIET, built
from sklearn.linear_model import LogisticRegression

from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput
from nnlab.families.contrastive.losses import nt_xent
from nnlab.families.contrastive.show import neighbours_picture, one_of_each
from nnlab.plotting.images import FRAMED
from nnlab.training.trainer import Trainer

DATA = ["data=digits", "data.limit=300"]
SMALL = [*DATA, *BODIES["ConvBody"], *QUIET, "trainer.batch_size=40", "device=cpu"]


def trainer(model: str, *overrides: str) -> Trainer:
    experiment = built(f"model={model}", *SMALL, *overrides)
    experiment.initialize()
    return experiment.trainer


def test_views_are_two_draws_of_each_example_and_codes_are_before_the_head() -> None:
    own = trainer("simclr")
    batch = own.feed.batch(own.rows(0), own.generator)
    assert not torch.equal(batch.target, batch["view_2"])
    model = own.model.eval()
    first, second = model.embedded(batch)
    assert torch.allclose(first, model.head(model.encode(batch.target)), atol=1e-5)
    assert torch.allclose(second, model.head(model.encode(batch["view_2"])), atol=1e-5)
    assert torch.equal(model.loss(batch, own.generator)["loss"], nt_xent(first, second, 0.5)[0])


def test_an_evaluation_has_random_groups_as_large_as_a_batch() -> None:
    """Else its loss would be that of another task: ln(2N − 1) at the start; and files are often sorted by class."""
    own = trainer("simclr", "trainer.batch_size=30")
    split = own.data.train
    split.rows = split.rows[split.labels(split.rows).argsort()]
    seen = []
    loss_terms = own.loss_terms
    own.loss_terms = lambda part, generator: (seen.append(part.label), loss_terms(part, generator))[1]
    found = own.evaluate("train")
    assert {len(label) for label in seen} == {30}
    assert min(len(label.unique()) for label in seen) >= 6
    assert found["loss"] == pytest.approx(log(59), rel=0.2)
    assert sum(map(len, seen)) == len(split)


def test_an_evaluation_of_triplets_has_groups_of_a_class_and_leaves_out_who_has_no_relative() -> None:
    own = trainer("triplet", "trainer.batch_size=40")
    split = own.data.test
    label = split.labels(split.rows)
    lonely = torch.tensor([(label[: i + 1] == c).sum() == 1 for i, c in enumerate(label)]) & (label == 3)
    split.rows = split.rows[(label != 3) | lonely]  # one 3 alone
    seen = []
    loss_terms = own.loss_terms
    own.loss_terms = lambda part, generator: (seen.append(part.label), loss_terms(part, generator))[1]
    found = own.evaluate("test")
    assert sum(map(len, seen)) == len(split) - 1
    assert all((group.bincount()[group] > 1).all() for group in seen), "each has another of its class in its group"
    assert all(0.5 * 40 < len(group) < 1.5 * 40 for group in seen)
    assert found["positive_distance"] > 0
    assert found["loss"] > 0.05, "not thinned out by zeros"


def test_the_training_split_is_not_classified_by_itself() -> None:
    found = trainer("simclr").evaluate("train")
    assert not {"knn_accuracy", "probe_accuracy"} & found.keys()


def test_views_are_encoded_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnlab.data.feed.eval_batch_size", lambda split: 7)
    own, seen = trainer("simclr"), []
    encode = own.model.encode
    own.model.encode = lambda x: (seen.append(len(x)), encode(x))[1]
    with torch.no_grad():
        first, second = own.codes_of_views(own.data.test, torch.Generator().manual_seed(0))
    assert len(first) == len(second) == len(own.data.test)
    assert max(seen) == 7


def test_the_figures_of_codes_are_of_examples_that_are_not_augmented() -> None:
    own = trainer("simclr", "trainer.probe_labels=100")
    found = own.evaluate("test")
    model, train, test = own.model.eval(), own.data.train, own.data.test
    with torch.no_grad():
        codes, rows = model.encode(test.values(test.rows)), train.spread(100)
        known = model.encode(train.values(rows))
    scale = known.var(0).mean().sqrt()
    fit = LogisticRegression(tol=1e-3, max_iter=1000).fit((known - known.mean(0)) / scale, train.labels(rows))
    expected = fit.score((codes - known.mean(0)) / scale, test.labels(test.rows))
    assert found["probe_accuracy"] == pytest.approx(expected, abs=0.02)
    values = np.linalg.svd(codes.numpy() - codes.numpy().mean(0), compute_uv=False)
    p = values / values.sum()
    assert found["effective_rank"] == pytest.approx(np.exp(-(p * np.log(p + 1e-30)).sum()), rel=1e-3)
    assert "probe_accuracy" not in trainer("simclr", "trainer.probe_labels=0").evaluate("test")


def test_classes_that_training_has_not_seen_are_retrieved_but_not_classified() -> None:
    """Their labels count from 0, too."""
    own = trainer("triplet", "data.classes=[0,1,2,3,4,5,6,7]")
    seen, unseen = own.evaluate("test"), own.evaluate("held_out")
    assert {"knn_accuracy", "probe_accuracy", "recall_at_1", "recall_at_5", "map_at_r"} <= seen.keys()
    assert {"recall_at_1", "recall_at_5", "map_at_r"} <= unseen.keys()
    assert not {"knn_accuracy", "probe_accuracy"} & unseen.keys()


def test_codes_that_are_not_finite_are_no_figures_and_no_traceback() -> None:
    own = trainer("triplet")
    own.model.head.bias.data.fill_(torch.inf)
    assert np.isnan(own.evaluate("test")["effective_rank"])


def test_both_views_of_drawn_bits_are_bits() -> None:
    own = trainer("simclr", "data.binarize=dynamic")
    batch = own.feed.batch(own.rows(0), own.generator)
    for view in (batch.target, batch["view_2"]):
        assert set(view.unique().tolist()) == {0.0, 1.0}


def test_neighbours_are_the_nearest_others_and_queries_are_of_all_classes() -> None:
    spec = DataSpec("own", "image", (1, 2, 2), tuple("abc"))
    label = torch.tensor([0, 0, 0, 1, 2, 2, 1, 0])
    assert label[one_of_each(label)].tolist()[:3] == [0, 1, 2]
    assert sorted(one_of_each(label).tolist()) == list(range(8))
    x, codes = torch.arange(8).view(8, 1, 1, 1).expand(8, 1, 2, 2) / 7, torch.randn(8, 3)
    picture = neighbours_picture(x, codes, label, spec)
    cosine = torch.nn.functional.cosine_similarity(codes[:, None], codes[None], dim=2).fill_diagonal_(-2)
    first = one_of_each(label)[0].item()
    side = 48 + 2  # of a tile, enlarged, and the gap
    top, left = picture.shape[0] - 8 * side + 2, picture.shape[1] - 8 * side + 2
    shown = [round(int(picture[top + 24, left + k * side + 24, 0]) / 255 * 7) for k in range(8)]
    assert shown[0] == first
    assert shown[1:] == cosine[first].argsort(descending=True)[:7].tolist()
    red = [bool((picture[top, left + k * side] == FRAMED).all()) for k in range(8)]
    assert red == [False, *(label[shown[1:]] != label[first]).tolist()]


def test_the_embedding_is_not_rounded_to_bfloat16() -> None:
    model = trainer("triplet").model.eval()
    x = torch.rand(20, *model.spec.shape)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        features, embedding = model.body(x).float(), model.encode(x)
    with torch.no_grad():
        assert torch.equal(embedding, model.head(features))


def test_neighbours_of_triplets_are_near_as_the_model_says() -> None:
    assert trainer("triplet").model.compared_by == "euclidean"
    assert trainer("triplet", "model.distance=cosine").model.compared_by == "cosine"
    spec = DataSpec("own", "image", (1, 2, 2))
    x, codes = torch.arange(3).view(3, 1, 1, 1).expand(3, 1, 2, 2) / 2, torch.tensor([[1.0, 0.0], [9.0, 0.1], [1.0, 1.0]])
    by = {kind: neighbours_picture(x, codes, None, spec, kind) for kind in ("cosine", "euclidean")}
    assert not np.array_equal(by["cosine"], by["euclidean"]), "1 is the nearest by the angle, 2 by the distance"


def test_collapse_is_said_once_and_only_after_a_while() -> None:
    own = trainer("triplet", "model.margin=0.4")
    point = {"loss": 0.401, "positive_distance": 1e-3, "negative_distance": 1e-3}
    for _ in range(2):
        own.check_health(point)
    assert own.notices == []
    state = own.state()
    own.check_health(point)
    own.check_health(point)
    (said,) = own.notices
    assert "the loss stays at 0.401: all embeddings have become one point" in said
    again = trainer("triplet", "model.margin=0.4")
    again.restore(state)
    again.check_health(point)
    assert len(again.notices) == 1, "a resumed run goes on counting"
    fine = trainer("triplet", "model.margin=none")
    for _ in range(5):
        fine.check_health({"loss": log(2), "positive_distance": 1.0, "negative_distance": 1.5})
    assert fine.notices == []


def test_a_set_smaller_than_a_batch_collapses_to_the_loss_of_its_own_size() -> None:
    own = trainer("simclr", "data.limit=100", "trainer.batch_size=256")
    n = own.sampler.images_per_epoch
    assert n < 256
    for _ in range(3):
        own.check_health({"loss": log(2 * n - 1)})
    assert len(own.notices) == 1


def test_a_batch_of_triplets_has_groups_of_a_class() -> None:
    own = trainer("triplet", "model.examples_per_class=5")
    for step in range(3):
        label = own.data.train.labels(own.rows(step)).view(-1, 5)
        assert (label == label[:, :1]).all()


@pytest.mark.parametrize(
    ("model", "point"),
    [("simclr", {"loss": log(127)}), ("supcon", {"loss": log(127)}), ("barlow_twins", {"invariance": 16, "loss": 16})],
)
def test_the_loss_of_equal_embeddings_is_collapse(model: str, point: dict[str, float]) -> None:
    own = trainer(model, "trainer.batch_size=64", "model.head_dim=16")
    z = torch.ones(64, 16)
    own.model.embedded = lambda batch: (z, z)
    batch = own.feed.batch(own.data.train.rows[:64], torch.Generator().manual_seed(0))
    found = {name: term.mean().item() for name, term in own.model.loss(batch, torch.Generator()).items()}
    assert {name: found[name] for name in point} == pytest.approx(point, rel=1e-5)
    for _ in range(3):
        own.check_health(found)
    (said,) = own.notices
    assert "all embeddings have become one point. Try a smaller optimizer.lr" in said
    better = trainer(model, "trainer.batch_size=64", "model.head_dim=16")
    for _ in range(3):
        better.check_health({name: 0.9 * value for name, value in found.items()})
    assert better.notices == []


@pytest.mark.parametrize("model", ["simclr", "barlow_twins", "supcon", "triplet"])
def test_pictures_are_codes_neighbours_and_views(model: str) -> None:
    views = [] if model == "triplet" else ["views"]
    assert sorted(trainer(model).images()) == sorted(["codes", "neighbours", *views])


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["model=simclr", "augmentation=none"], "SimCLR learns from 2 views of an example; add augmentation="),
        (["model=simclr", "model.temperature=0"], "model.temperature: expected"),
        (["model=triplet", "trainer.batch_size=42"], "a step has 42 examples, no multiple of 4"),
        (["model=triplet", "trainer.batch_size=4"], "trainer.batch_size: 4 examples are all of one class; give at least 8"),
        (["model=triplet", "model.examples_per_class=1"], "model.examples_per_class: expected"),
        (["model=simclr", "trainer.batch_size=1"], "trainer.batch_size: 1 example has no other to compare with"),
        (["model=simclr", "noise=gaussian"], "noise"),
        (["model=simclr", "trainer.probe_labels=1"], "trainer.probe_labels: a classifier needs two labelled examples"),
        (["model=triplet", "data.validation=1", "trainer.batch_size=8"], "no class has two validation examples"),
        (
            ["model=triplet", "data.classes=[0,1]", "data.train_size=8", "model.examples_per_class=6", "trainer.batch_size=12"],
            "",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(nnlab, typed: list[str], said: str) -> None:
    status, _, error = nnlab("train", *DATA, *typed)
    assert status == 2
    assert said in error


def test_a_table_has_no_views(nnlab) -> None:
    status, _, error = nnlab("train", "model=simclr", "data=iris")
    assert (status, "model: SimCLR learns from augmented images, but Iris is a table" in error) == (2, True)


def test_triplets_need_two_classes_with_enough_examples() -> None:
    labels = np.array([0] * 40 + [1] * 3 + [2] * 3)
    x = np.random.default_rng(0).integers(0, 256, (46, 8, 8), dtype=np.uint8)
    np.savez("own.npz", x_train=x, y_train=labels, x_test=x, y_test=labels)
    own = ["data=npz", "data.root=.", "data.file=own.npz", "data.validation=0", "device=cpu", "trainer.batch_size=16"]
    with pytest.raises(BadInput, match="a triplet is of two classes, but only one has 8 training examples"):
        built("model=triplet", "model.examples_per_class=8", *own)


def test_data_without_labels_have_no_triplets() -> None:
    np.savez("own.npz", x_train=np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8))
    for model in ("triplet", "supcon"):
        with pytest.raises(BadInput, match="but own has no labels"):
            built(f"model={model}", "data=npz", "data.root=.", "data.file=own.npz", "device=cpu")
    own = built("model=simclr", "data=npz", "data.root=.", "data.file=own.npz", *SMALL[2:])
    own.initialize()
    assert "knn_accuracy" not in own.trainer.evaluate("test")


@pytest.mark.parametrize("model", ["triplet", "supcon", "simclr"])
def test_a_test_set_without_labels_is_refused_before_training_if_the_loss_needs_them(model: str) -> None:
    x = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez("own.npz", x_train=x, y_train=np.arange(60) % 2, x_test=x[:20])
    own = [f"model={model}", "data=npz", "data.root=.", "data.file=own.npz", *SMALL[2:]]
    if model == "simclr":
        experiment = built(*own)
        experiment.initialize()
        assert "loss" in experiment.trainer.evaluate("test")
    else:
        with pytest.raises(BadInput, match="the test examples of own have no labels, which its metrics need; add them"):
            built(*own)


@pytest.mark.parametrize("mining", ["hard", "semi_hard", "all"])
def test_a_batch_of_one_class_has_loss_zero_and_teaches_nothing(mining: str) -> None:
    own = trainer("triplet", f"model.mining={mining}")
    split = own.data.train
    batch = own.feed.batch(split.rows[split.labels(split.rows) == 3][:8], own.generator)
    loss = own.model.loss(batch, own.generator)["loss"]
    loss.sum().backward()
    assert not loss.any()
    assert not any(p.grad.any() for p in own.model.parameters())
