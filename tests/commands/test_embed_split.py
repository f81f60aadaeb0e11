"""The codes of a split, and the points and pictures shown of them, are those of its examples in their order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import only_run
from embedded import codes_of, embed, split_of
from PIL import Image

from nnlab.data import feed
from nnlab.data.images import bernoulli
from nnlab.experiment.loading import open_run
from nnlab.training.randomness import fork_rng


@pytest.mark.parametrize(("model", "noise"), [("vae", "gaussian"), ("ae", "hole"), ("kmeans", "none")])
@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_codes_are_those_of_the_clean_inputs_in_the_order_of_the_split(trained, nnlab, model, noise, name):
    trained(f"noise={noise}", model=model)
    found, split = embed(nnlab, "--split", name), split_of(name)
    assert set(found) == {"codes", "indices", "labels", "classes"}
    chunks = split.rows.split(feed.eval_batch_size(split))
    assert np.array_equal(found["codes"], np.concatenate([codes_of(split.values(rows)) for rows in chunks]))
    assert (found["codes"].dtype, found["labels"].dtype, found["indices"].dtype) == (np.float32, np.int64, np.int64)
    assert np.array_equal(found["labels"], split.labels(split.rows).numpy())
    assert np.array_equal(found["indices"], np.arange(len(split)))
    assert found["classes"].tolist() == list("0123456789")


def test_codes_of_many_batches_are_those_of_one(trained, nnlab, monkeypatch):
    trained()
    whole, split = embed(nnlab), split_of("test")
    at_once = tensors(), sprite_places(len(split))
    monkeypatch.setattr(feed, "eval_batch_size", lambda split: 7)
    found = embed(nnlab)
    assert np.allclose(found["codes"], whole["codes"], atol=1e-6)
    assert np.array_equal(found["labels"], whole["labels"])
    assert np.allclose(tensors(), at_once[0], atol=1e-6)
    assert np.array_equal(sprite_places(len(split)), at_once[1])


def tensors() -> np.ndarray:
    return np.loadtxt(only_run().path / "projector" / "tensors.tsv", delimiter="\t")


def sprite_places(n: int, size: int = 8) -> np.ndarray:
    """The first n images (n, 8, 8) of the sprite."""
    picture = np.asarray(Image.open(only_run().path / "projector" / "sprite.png"))
    side = picture.shape[0] // size
    return picture.reshape(side, size, side, size).swapaxes(1, 2).reshape(-1, size, size)[:n]


def test_the_projector_holds_the_codes_the_labels_and_the_images_of_the_same_places(trained, nnlab, monkeypatch):
    monkeypatch.setattr("nnlab.commands.embed.POINTS", 40)
    trained()
    found, split = embed(nnlab), split_of("test")
    places = (np.arange(40) * (len(split) - 1) / 39).round().astype(int)
    assert np.allclose(tensors(), found["codes"][places], rtol=1e-6)
    lines = (only_run().path / "projector" / "metadata.tsv").read_text().splitlines()
    assert lines == ["label\tindex", *(f"{found['labels'][i]}\t{i}" for i in places)]
    expected = (split.values(split.rows[torch.from_numpy(places)])[:, 0] * 255).round().numpy()
    assert np.array_equal(sprite_places(40), expected)


def test_bits_that_are_drawn_at_each_reading_are_drawn_by_the_runs_seed(trained, nnlab):
    trained("data.binarize=dynamic")
    found = embed(nnlab)
    assert np.array_equal(embed(nnlab)["codes"], found["codes"])
    run, split = open_run("last"), split_of("test")
    with fork_rng(run.config["seed"], run.device) as generator:
        bits = bernoulli(split.values(split.rows), generator)
    assert np.array_equal(found["codes"], codes_of(bits))
    assert not np.allclose(found["codes"], codes_of(split.values(split.rows)), atol=1e-3)


def test_without_labels_there_are_codes_and_indices_alone(trained, nnlab):
    np.savez("mine.npz", x_train=np.random.default_rng(0).random((40, 6, 5)))
    trained("data=npz", "data.root=.", "data.file=mine.npz", "data.validation=0")
    assert set(embed(nnlab, "--split", "train")) == {"codes", "indices"}
    assert (only_run().path / "projector" / "metadata.tsv").read_text().splitlines() == [str(i) for i in range(36)]


@pytest.mark.parametrize(
    ("latent_dim", "typed", "expected"),
    [
        (4, [], {"embedding_pca", "embedding_tsne"}),
        (4, ["--tsne", "0"], {"embedding_pca"}),
        (2, [], {"embedding"}),
        (1, [], {"embedding"}),
    ],
)
def test_which_pictures_there_are(nnlab, trained, latent_dim, typed, expected):
    trained(f"model.latent_dim={latent_dim}", "data.limit=150")
    status, out, error = nnlab("embed", "last", *typed, "-o", "own/codes.npz")
    assert status == 0, error
    folder = only_run().path
    written = [Path("own/codes.npz"), *(folder / "images" / f"{name}.png" for name in sorted(expected)), folder / "projector"]
    assert [Path(line) for line in out.splitlines()] == written
    assert all(path.exists() for path in written)
    assert not (folder / "codes.npz").exists()
    assert {path.stem for path in (folder / "images").iterdir() if "embedding" in path.stem} == expected


def test_a_table_has_no_sprite(trained, nnlab):
    trained("data=moons")
    embed(nnlab)
    assert {path.name for path in (only_run().path / "projector").iterdir()} == {"tensors.tsv", "metadata.tsv"}
    assert "sprite" not in (only_run().path / "projector_config.pbtxt").read_text()
