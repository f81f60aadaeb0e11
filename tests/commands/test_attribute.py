"""nnlab attribute: S, from the mean code of some images to the mean code of others, and whom it is given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import only_run, small
from PIL import Image

from nnlab.experiment.loading import open_run
from nnlab.plotting.images import to_pixels

pytestmark = pytest.mark.usefixtures("untitled")


@pytest.fixture
def trained(train_once):
    def run(*overrides: str, model: str = "pca") -> None:
        length = ["trainer.steps=2", "trainer.precision=float32"] if model != "pca" else []
        train_once(*small(model), "trainer.show_every=never", *length, *overrides)

    return run


@pytest.fixture
def attribute(nnlab):
    """The picture, its figures, and what was printed."""

    def run(*typed: str) -> tuple[np.ndarray, dict, str]:
        status, out, error = nnlab("attribute", "last", *typed)
        assert status == 0, error
        figures, picture = out.splitlines()[-2:]
        return np.asarray(Image.open(picture)), json.loads(Path(figures).read_text()), out

    return run


def of_class(split: str, label: int) -> torch.Tensor:
    part = open_run("last").experiment.data.split(split)
    return part.values(part.rows[part.labels(part.rows) == label])


def test_the_direction_leads_between_the_mean_codes_of_the_training_split(trained, attribute):
    trained()
    _, figures, _ = attribute("--plus", "1", "--minus", "0", "--strength=-2,0,1")
    model = open_run("last").model
    with_it, without, given = of_class("train", 1), of_class("train", 0), of_class("test", 0)
    direction = model.encode(with_it).double().mean(0) - model.encode(without).double().mean(0)
    assert figures["length"] == pytest.approx(direction.norm().item(), rel=1e-5)
    assert (figures["plus"]["n"], figures["minus"]["n"], figures["applied"]["n"]) == (len(with_it), len(without), len(given))
    codes = model.encode(given)
    for row in figures["strengths"]:
        output = model.decode(codes + row["strength"] * direction.float())
        assert row["mse"] == pytest.approx((output - given).square().mean().item(), rel=1e-4)


def test_the_picture_holds_images_at_even_distances_and_what_becomes_of_them(trained, attribute):
    trained()
    shown, _, _ = attribute("--plus", "1", "--minus", "0", "--apply-to", "5", "--strength", "0,1", "-n", "3")
    given, model = of_class("test", 5), open_run("last").model
    few = given[np.linspace(0, len(given) - 1, 3).round().astype(int)]
    outputs = model.reconstruct(few)
    row, right = 48 + 2, shown.shape[1] - 48
    for i in range(3):
        block = shown[shown.shape[0] - (3 - i) * row + 2 :][:48]
        large = [to_pixels(image, model.spec).repeat(6, axis=0).repeat(6, axis=1) for image in (few[i], outputs[i])]
        assert np.array_equal(block[:, right - row : right - 2], large[1])
        assert np.array_equal(block[:, right - 2 * row - 8 + 2 :][:, :48], large[0])


def test_files_list_places_of_the_training_split_and_of_the_other(trained, attribute):
    trained()
    data = open_run("last").experiment.data
    by_class = attribute("--plus", "1", "--minus", "0")[1]
    for name, split, label in (("plus.npy", data.train, 1), ("minus.txt", data.train, 0), ("whom.npy", data.test, 0)):
        places = (split.labels(split.rows) == label).nonzero().flatten().numpy()
        np.save(name, places) if name.endswith("npy") else Path(name).write_text("\n".join(map(str, places)))
    by_file = attribute("--plus", "plus.npy", "--minus", "minus.txt", "--apply-to", "whom.npy")[1]
    assert by_file["length"] == by_class["length"]
    assert by_file["strengths"] == by_class["strengths"]
    assert by_file["plus"]["name"] == "plus"


@pytest.fixture
def classifier(train_once) -> str:
    train_once("model=fcnn", "model.hidden=[32]", "trainer.epochs=15", "outputs=judges")
    return str(only_run("judges").path)


def test_at_strength_one_most_images_are_seen_as_the_other_class(trained, attribute, classifier):
    trained("model.latent_dim=16")
    typed = ["--plus", "1", "--minus", "0", "--strength", "0,0.5,1", "--judge", classifier]
    _, figures, out = attribute(*typed)
    start, middle, end = figures["strengths"]
    assert start["judged_plus"] < 0.1 < 0.5 < end["judged_plus"]
    assert start["judged_minus"] > 0.8 > 0.2 > end["judged_minus"]
    assert start["judged_plus"] <= middle["judged_plus"] <= end["judged_plus"]
    assert figures["input"]["judged_minus"] > 0.9
    assert f"1 S: {end['judged_plus']:.1%} seen as 1, {end['judged_minus']:.1%} seen as 0, mse " in out
    seen = open_run(classifier).model.classify(of_class("test", 0)).argmax(1)
    assert figures["input"]["judged_minus"] == pytest.approx((seen == 0).double().mean().item())


def test_the_runs_own_judge_is_asked_unless_another_is_typed(trained, attribute, classifier):
    trained("model.latent_dim=16", f"judge={classifier}")
    own = attribute("--plus", "1", "--minus", "0")[1]
    assert own["judge"] == only_run().read_config()["judge"]["fingerprint"]
    assert attribute("--plus", "1", "--minus", "0", "--judge", classifier)[1] == own
    np.save("ones.npy", np.arange(9))
    assert "judge" not in attribute("--plus", "ones.npy", "--minus", "0")[1], "of a file it is not known which class it is"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["--plus", "ten", "--minus", "0"], "--plus ten: Digits has no class 'ten'; there are 0, 1, 2"),
        (["--plus", "1", "--minus", "0,10"], "--minus 0,10: Digits has no class '10'; there are 0, 1, 2"),
        (["--plus", "none.txt", "--minus", "0"], "--plus none.txt: holds no index; expected one per line"),
        (["--plus", "beyond.txt", "--minus", "0"], "--plus beyond.txt: it lists 1438; the train split has examples 0 … 1437"),
        (
            ["--plus", "1", "--minus", "0", "--apply-to", "beyond.txt"],
            "--apply-to beyond.txt: it lists 1438; the test",
        ),
        (["--plus", "1", "--minus", "few.txt"], "--apply-to: needed, since few.txt lists training images; give classes, or"),
        (["--plus", "1,0", "--minus", "0,1"], "--plus, --minus: the same images, so the difference is 0"),
        (["--plus", "1", "--minus", "0", "--split", "validation"], "--split validation: it is empty in this run"),
        (["--plus", "1", "--minus", "0", "--judge", "inception"], "--judge inception: it has other classes than these data"),
        (["--plus", "1", "--minus", "0", "--judge", "nowhere"], "--judge: nowhere: no such run folder"),
        (
            ["--plus", "few.txt", "--minus", "0", "--judge", "last"],
            "--judge last: recognizes classes, but few.txt is not a class",
        ),
        (["--plus", "1", "--minus", "0", "-o", "a.jpg"], "-o a.jpg: pictures are written as .png"),
        (["--plus", "1", "--minus", "0", "-n", "101"], "-n: expected at most 100 for a picture, got 101"),
        (["--plus", "1", "--minus", "0", "--strength", ",".join("1" * 101)], "--strength: expected at most 100 for a picture"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_said_in_a_sentence(nnlab, trained, typed, expected):
    trained("data.validation=0")
    Path("none.txt").write_text("\n")
    Path("few.txt").write_text("1\n2\n")
    Path("beyond.txt").write_text("1\n1438\n")
    status, _, error = nnlab("attribute", "last", *typed)
    assert status == 2
    assert error.startswith(f"nnlab: {expected}"), error
    assert len(error.splitlines()) == 1
    assert not (only_run().path / "images" / "attribute.png").exists()


def test_a_class_without_an_example_in_a_split_is_told(nnlab, trained):
    x = np.random.default_rng(0).random((40, 6, 5))
    np.savez("mine.npz", x_train=x, y_train=["a"] * 20 + ["b"] * 20, x_test=x[:3], y_test=["a"] * 3)
    trained("data=npz", "data.root=.", "data.file=mine.npz")
    error = nnlab("attribute", "last", "--plus", "a", "--minus", "b")[2]
    assert error == "nnlab: --minus b: the test split has no example of b\n"
    assert nnlab("attribute", "last", "--plus", "b", "--minus", "a")[0] == 0
    np.savez("mine.npz", x_train=x, y_train=["b"] + ["a"] * 39, x_test=x[:3], y_test=["a"] * 3)
    trained("data=npz", "data.root=.", "data.file=mine.npz", "data.limit=10")
    held = open_run("last").experiment.data.train
    assert not (held.labels(held.rows) == 1).any()
    error = nnlab("attribute", "last", "--plus", "b", "--minus", "a")[2]
    assert error == "nnlab: --plus b: the train split has no example of b\n"


def test_without_labels_only_files_choose(nnlab, trained, attribute):
    np.savez("mine.npz", x_train=np.random.default_rng(0).random((40, 6, 5)))
    trained("data=npz", "data.root=.", "data.file=mine.npz")
    assert (
        "--plus 1: mine has no labels to choose by; give a file of indices"
        in nnlab("attribute", "last", "--plus", "1", "--minus", "0")[2]
    )
    for name, places in (("a.txt", "0\n1\n"), ("b.txt", "2\n3\n"), ("c.txt", "0\n")):
        Path(name).write_text(places)
    assert attribute("--plus", "a.txt", "--minus", "b.txt", "--apply-to", "c.txt")[1]["applied"]["n"] == 1
