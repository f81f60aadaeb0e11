"""The contract's part about data: every model learns from images of any size and from tables, or refuses them by name."""

from __future__ import annotations

import json
import re
from math import gcd
from pathlib import Path

import numpy as np
import pytest
from conftest import QUIET, built, config_of, legal, model_node, needs, small, train, trainer_class, uses_noise
from PIL import Image

from nnlab.config.build import classes_of
from nnlab.errors import BadInput
from nnlab.model import Classifies, Encodes, Reconstructs, Samples, Varies, can
from nnlab.training.trainer import Monitor


def refused(*reasons: str, by: list[str]) -> bool:
    """Whether a model, built by these overrides, refuses its data for one of the reasons; another one is an error."""
    try:
        built(*by)
    except BadInput as error:
        if not any(reason in str(error) for reason in reasons):
            raise
        return True
    return False


IMAGES = {"colour, odd sides": (20, 9, 7, 3), "gray, tall": (20, 22, 8), "large": (12, 64, 48, 3)}
LOADS = "nnlab.families.rbm.hopfield_trainer.LOADS"  # of a chart that has tests of its own, and takes long for many units


@pytest.mark.parametrize("shape", IMAGES.values(), ids=list(IMAGES))
def test_images_of_any_size(model: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the noise that takes most of an image, where the model learns from noise."""
    if shape != IMAGES["colour, odd sides"] and not {"channels", "width"} & set(model_node(model)):
        pytest.skip("without convolutions every size is alike")
    monkeypatch.setattr(LOADS, (0.01, 0.02))
    takes_any_images(model, shape, "hole" if uses_noise(model) else "none")


def test_weights_that_are_the_square_of_an_images_size_are_refused() -> None:
    own = own_images(IMAGES["large"])
    with pytest.raises(BadInput, match="units, all connected"):
        built(*small("boltzmann", *own), *own)


SAME_SHAPE = [name for name, noise in classes_of("noise").items() if not noise.replaces]  # the others: tests/data/test_parts.py


@pytest.mark.parametrize("noise", SAME_SHAPE)
@pytest.mark.parametrize("shape", IMAGES.values(), ids=list(IMAGES))
def test_every_noise_on_images_of_any_size(shape: tuple[int, ...], noise: str) -> None:
    """A noise knows no models: one that learns from noise stands for all."""
    takes_any_images("conv_ae", shape, noise)


def own_images(shape: tuple[int, ...]) -> list[str]:
    """The overrides for a file of random images with three classes."""
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.savez("own.npz", x_train=images, y_train=np.arange(len(images)) % 3)
    return ["data=npz", "data.root=.", "data.file=own.npz", "data.test=0.2"]


def on_own(model: str, own: list[str]) -> list[str]:
    """The overrides of a small model and of a file; of two domains both are the file."""
    sized = small(model, *own)
    (file,) = [override.removeprefix("data.file=") for override in own if override.startswith("data.file=")]
    if "caption" in needs(model):
        x = np.load(file)["x_train"]
        captioned = own if x.ndim == 2 else captioned_files(x)
        return [*(part for part in sized if "data" not in part), *captioned]
    if "b" not in needs(model):
        return [*sized, *own]
    sides = [part for side in "ab" for part in (f"+data@data.{side}=npz", f"data.{side}.file={file}")]
    sides += [f"data.{side}.test=0.2" for side in "ab"]
    return [*(part for part in sized if "data" not in part), "data=domains", "data.root=.", *sides]


def captioned_files(x: np.ndarray) -> list[str]:
    """The overrides for a folder of these images, each with two captions, a box and two keypoints."""
    folder, (height, width) = Path("captioned"), x.shape[1:3]
    folder.mkdir(exist_ok=True)
    entries = []
    for i, image in enumerate(x):
        Image.fromarray(image).save(folder / f"{i:02d}.png")
        box, points = [1, 2, width - 2, height - 3], [1, 2, 2, width - 1, height - 1, 2]
        entries += [{"image_id": i, "caption": f"a picture of {name}"} for name in ("this", "that")]
        entries += [{"image_id": i, "bbox": box, "keypoints": points}]
    images = [{"id": i, "file_name": f"{i:02d}.png"} for i in range(len(x))]
    (folder / "annotations.json").write_text(json.dumps({"images": images, "annotations": entries}))
    return ["data=captions", "data.root=.", f"data.folder={folder}", "data.test=0.2"]


def takes_any_images(model: str, shape: tuple[int, ...], noise: str) -> None:
    own = own_images(shape)
    few = legal(
        model, *QUIET, "model.clusters=3", "model.components=3", "model.init=random", "trainer.likelihood.temperatures=20"
    )
    few += legal(model, f"model.patch={gcd(*shape[1:3])}")  # which divides the image
    few += ["data.validation=0"] if model == "triplet" else []  # so few have no two of a class
    overrides = [*on_own(model, own), *legal(model, f"noise={noise}"), *few]
    # by weights that are the square of an image's size; by a model that enlarges what a noise cannot make smaller
    if refused("units, all connected", "have no whole part", by=overrides):
        return
    experiment = built(*overrides)
    experiment.initialize()
    trainer = experiment.trainer
    for stage in range(len(trainer.stages)):
        trainer.start_stage(stage)
        for step in range(2):
            trainer.train(step, 1, lambda: False)
            assert trainer.meter.look() is None
    assert all(np.isfinite(value) for value in trainer.evaluate("test").values())
    trainer.model.pictures = lambda few, batches, generator: {"own": np.zeros((1, 1, 3), np.uint8)}
    names = {name.rpartition("_")[2] for name in trainer.images()}  # of a layer: layer_1_reconstruction
    assert "own" in names, "a model's own pictures need no trainer"
    able = {"reconstruction": Reconstructs, "confusion": Classifies, "sample": Samples, "variation": Varies}
    able["codes"] = Encodes
    assert next(name for name, capability in able.items() if can(trainer.model, capability)) in names


def test_tables_are_learned_or_refused_by_name(model: str) -> None:
    table_is_learned_or_refused(model, "masking")


@pytest.mark.parametrize("noise", ["none", "gaussian", "salt_pepper"])
def test_tables_are_learned_under_every_noise(noise: str) -> None:
    table_is_learned_or_refused("ae", noise)


def table_is_learned_or_refused(model: str, noise: str) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 500)
    np.savez("own.npz", x_train=rng.normal(3 + label[:, None], [0.1, 1, 5, 2]), y_train=label)
    own = ["data=npz", "data.root=.", "data.file=own.npz"]
    table = [*on_own(model, own), *legal(model, f"noise={noise}", "trainer.epochs=10", *QUIET)]
    refusals = {
        "channels": "convolutions need images, but the data are a table",
        "patch": "patches are of images, but the data are a table",
        "pseudo_count": "within [0, 1], but own is a table",
    }
    if needs(model):  # images of other images, or of captions
        assert refused("needs images", "images of images", "is a table", "needs the part 'caption'", by=table)
        return
    node = config_of(f"model={model}")["model"]  # a prior that is a number is one of bits, not of a generator's noise
    refusal = next((text for key, text in refusals.items() if key in node and node[key] != "gaussian"), None)
    if refusal:
        with pytest.raises(BadInput, match=re.escape(refusal)):
            built(*table)
        return
    # as by units on or off, by augmentations, and by a body of convolutions
    if refused("but own is a table of 4 columns", "is a table; use another model", "but the data are a table", by=table):
        return
    monitor = trainer_class(model).monitor
    if monitor and monitor.name == "accuracy":  # which moves in steps, too coarse for ten epochs of corrupted rows
        monitor = Monitor("loss")
    if monitor is None:
        names = train("run", *table, "trainer.epochs=2").read_metrics()[-1]
        assert all(np.isfinite(value) for name, value in names.items() if name.startswith("test/"))
        return
    start = built(*table)
    start.initialize()
    start.trainer.start_stage(len(start.trainer.stages) - 1)
    last = [r for r in train("run", *table).read_metrics() if r["split"] == "train"][-1]
    assert monitor.better(last[monitor.name], start.trainer.evaluate("train")[monitor.name])
