"""nnlab embed: the codes of a split and of one's own files, and what is shown of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import only_run, small
from PIL import Image

import nnlab as package
from nnlab.data import feed
from nnlab.data.images import bernoulli
from nnlab.data.split import Split
from nnlab.experiment.loading import open_run
from nnlab.families.em.kmeans import KMeans
from nnlab.training.randomness import fork_rng


@pytest.fixture
def trained(train_once):
    """Train a small model, hardly."""

    def run(*overrides: str, model: str = "ae") -> None:
        length = ["trainer.epochs=1"] if model == "kmeans" else ["trainer.steps=2", "trainer.precision=float32"]
        train_once(*small(model), "trainer.show_every=never", *length, *overrides)

    return run


@pytest.fixture
def embed(nnlab):
    """Embed without t-SNE, and read what was written."""

    def run(*argv: str) -> dict[str, np.ndarray]:
        status, out, error = nnlab("embed", "last", "--tsne", "0", *argv)
        assert status == 0, error
        with np.load(out.splitlines()[0], allow_pickle=False) as found:
            return dict(found)

    return run


def split_of(name: str) -> Split:
    return open_run("last").experiment.data.split(name)


def codes_of(x: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        return package.load("last").encode(x).numpy()


# -- a split ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "noise"), [("vae", "gaussian"), ("ae", "hole"), ("kmeans", "none")])
@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_codes_are_those_of_the_clean_inputs_in_the_order_of_the_split(trained, embed, model, noise, name):
    trained(f"noise={noise}", model=model)
    found, split = embed("--split", name), split_of(name)
    assert set(found) == {"codes", "indices", "labels", "classes"}
    chunks = split.rows.split(feed.eval_batch_size(split))
    assert np.array_equal(found["codes"], np.concatenate([codes_of(split.values(rows)) for rows in chunks]))
    assert (found["codes"].dtype, found["labels"].dtype, found["indices"].dtype) == (np.float32, np.int64, np.int64)
    assert np.array_equal(found["labels"], split.labels(split.rows).numpy())
    assert np.array_equal(found["indices"], np.arange(len(split)))
    assert found["classes"].tolist() == list("0123456789")


def test_codes_of_many_batches_are_those_of_one(trained, embed, monkeypatch):
    trained()
    whole, split = embed(), split_of("test")
    at_once = tensors(), sprite_places(len(split))
    monkeypatch.setattr(feed, "eval_batch_size", lambda split: 7)
    found = embed()
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


def test_the_projector_holds_the_codes_the_labels_and_the_images_of_the_same_places(trained, embed, monkeypatch):
    monkeypatch.setattr("nnlab.commands.embed.POINTS", 40)
    trained()
    found, split = embed(), split_of("test")
    places = (np.arange(40) * (len(split) - 1) / 39).round().astype(int)
    assert np.allclose(tensors(), found["codes"][places], rtol=1e-6)
    lines = (only_run().path / "projector" / "metadata.tsv").read_text().splitlines()
    assert lines == ["label\tindex", *(f"{found['labels'][i]}\t{i}" for i in places)]
    expected = (split.values(split.rows[torch.from_numpy(places)])[:, 0] * 255).round().numpy()
    assert np.array_equal(sprite_places(40), expected)


def test_bits_that_are_drawn_at_each_reading_are_drawn_by_the_runs_seed(trained, embed):
    trained("data.binarize=dynamic")
    found = embed()
    assert np.array_equal(embed()["codes"], found["codes"])
    run, split = open_run("last"), split_of("test")
    with fork_rng(run.config["seed"], run.device) as generator:
        bits = bernoulli(split.values(split.rows), generator)
    assert np.array_equal(found["codes"], codes_of(bits))
    assert not np.allclose(found["codes"], codes_of(split.values(split.rows)), atol=1e-3)


def test_without_labels_there_are_codes_and_indices_alone(trained, embed):
    np.savez("mine.npz", x_train=np.random.default_rng(0).random((40, 6, 5)))
    trained("data=npz", "data.root=.", "data.file=mine.npz", "data.validation=0")
    assert set(embed("--split", "train")) == {"codes", "indices"}
    assert (only_run().path / "projector" / "metadata.tsv").read_text().splitlines() == [str(i) for i in range(36)]


# -- one's own files --------------------------------------------------------------------------------------------------


def images(n: int = 12, side: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side), dtype=np.uint8)


def values(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).float()[:, None] * (1 / 255)


def save_images(folder: str, pixels: np.ndarray, classes: str = "") -> None:
    for i, image in enumerate(pixels):
        path = Path(folder, classes[i % len(classes)] if classes else "", f"{i:02d}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


@pytest.mark.parametrize("chunk", [1000, 5])
def test_a_folder_is_read_in_the_order_of_its_names(trained, embed, chunk, monkeypatch):
    monkeypatch.setattr("nnlab.data.inputs.Reader.chunk", chunk)
    trained()
    save_images("mine", images())
    Path("mine", "notes.txt").write_text("no image")
    Path("mine", ".hidden").mkdir()
    save_images("mine/.hidden", images(1))
    found = embed("--input", "mine")
    assert set(found) == {"codes", "files"}
    assert found["files"].tolist() == [f"{i:02d}.png" for i in range(12)]
    assert np.allclose(found["codes"], codes_of(values(images())), atol=1e-6)


def test_folders_in_a_folder_are_classes_numbered_as_the_models_own(trained, embed):
    trained()
    save_images("mine", images(), classes="73")
    found = embed("--input", "mine")
    assert found["files"].tolist()[0] == "3/01.png"
    assert found["labels"].tolist() == [3] * 6 + [7] * 6
    assert found["classes"].tolist() == list("0123456789")
    save_images("mine", images(1), classes="x")
    found = embed("--input", "mine")
    assert found["labels"].tolist() == [0] * 6 + [1] * 6 + [2]
    assert found["classes"].tolist() == ["3", "7", "x"]


def test_images_are_brought_to_the_models_size_and_colours(trained, embed):
    trained()
    colour = np.random.default_rng(1).integers(0, 256, (3, 20, 16, 3), dtype=np.uint8)
    save_images("mine", colour)
    gray = [np.asarray(Image.fromarray(image).convert("L").resize((8, 8), Image.Resampling.BILINEAR)) for image in colour]
    assert np.allclose(embed("--input", "mine")["codes"], codes_of(values(np.stack(gray))), atol=1e-6)


def test_gray_images_are_read_by_a_model_of_colours(trained, embed):
    np.savez("train.npz", x_train=np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8))
    trained("data=npz", "data.root=.", "data.file=train.npz")
    save_images("mine", images())
    expected = codes_of(values(images()).expand(-1, 3, -1, -1))
    assert np.allclose(embed("--input", "mine")["codes"], expected, atol=1e-6)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("shape", [(12, 8, 8), (12, 8, 8, 1), (12, 1, 8, 8)])
@pytest.mark.parametrize("kind", [np.uint8, np.float64])
@pytest.mark.parametrize("name", ["x", "x_train"])
def test_an_array_is_read_as_training_would_read_it(trained, embed, save, shape, kind, name, monkeypatch):
    monkeypatch.setattr("nnlab.data.inputs.Reader.chunk", 5)
    trained()
    x = images().reshape(shape)
    save("mine.npz", **{name: x if kind == np.uint8 else x / 255, name.replace("x", "y"): np.array([7, 3, 3] * 4)})
    found = embed("--input", "mine.npz")
    assert set(found) == {"codes", "indices", "labels", "classes"}
    assert np.allclose(found["codes"], codes_of(values(images())), atol=1e-6)
    assert found["labels"].tolist() == [7, 3, 3] * 4


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_table_of_ones_own_is_standardised_with_the_runs_figures(trained, embed, order):
    x = np.random.default_rng(0).normal(size=(60, 3)) * [1, 1e-3, 1e3] + [1e6, 0, -5]  # far from 0: float32 would not do
    np.savez("mine.npz", x_train=np.asarray(x, order=order), x_test=x[:5])
    trained("data=npz", "data.root=.", "data.file=mine.npz", "data.standardize=true")
    own, split = embed("--input", "mine.npz"), embed("--split", "train")
    assert np.allclose(own["codes"][split_of("train").rows], split["codes"], atol=1e-6)


@pytest.mark.parametrize("how", ["threshold", "fixed", "dynamic"])
def test_images_of_ones_own_are_binarized_as_the_runs_were(trained, embed, how):
    trained(f"data.binarize={how}")
    bits = (images() > 127).astype(np.uint8) * 255
    save_images("bits", bits)
    assert np.allclose(embed("--input", "bits")["codes"], codes_of(values(bits)), atol=1e-6)
    save_images("mine", images())
    found = embed("--input", "mine")["codes"]
    assert np.array_equal(embed("--input", "mine")["codes"], found), "the same seed draws the same bits"
    of_thresholds = np.allclose(found, codes_of((values(images()) >= 0.5).float()), atol=1e-6)
    assert of_thresholds == (how == "threshold")
    assert not np.allclose(found, codes_of(values(images())), atol=1e-3)


# -- pictures ---------------------------------------------------------------------------------------------------------


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
    trained(f"model.latent_dim={latent_dim}")
    status, out, error = nnlab("embed", "last", *typed, "-o", "own/codes.npz")
    assert status == 0, error
    folder = only_run().path
    written = [Path("own/codes.npz"), *(folder / "images" / f"{name}.png" for name in sorted(expected)), folder / "projector"]
    assert [Path(line) for line in out.splitlines()] == written
    assert all(path.exists() for path in written)
    assert not (folder / "codes.npz").exists()
    assert {path.stem for path in (folder / "images").iterdir() if "embedding" in path.stem} == expected


def test_a_table_has_no_sprite(trained, embed):
    trained("data=moons")
    embed()
    assert {path.name for path in (only_run().path / "projector").iterdir()} == {"tensors.tsv", "metadata.tsv"}
    assert "sprite" not in (only_run().path / "projector_config.pbtxt").read_text()


# -- bad input --------------------------------------------------------------------------------------------------------


def save_own() -> None:
    x = images(3)
    np.savez("good.npz", x=x)
    np.savez("shape.npz", x=np.zeros((3, 9, 8), np.uint8))
    np.savez("flat.npz", x=np.zeros((3, 64)))
    np.savez("deep.npz", x=np.zeros((3, 1, 8, 8, 1)))
    np.savez("rows.npz", x=np.zeros((0, 8, 8)))
    np.savez("one.npz", x=np.array(1.0))
    np.savez("texts.npz", x=np.array(["a", "b"]))
    np.savez("objects.npz", x=np.array([{}, {}]))
    np.savez("range.npz", x=np.minimum(x, 200).astype(np.float32))
    np.savez("nan.npz", x=np.where(np.arange(3)[:, None, None] == 2, np.nan, x / 255))
    np.savez("labels.npz", x=x, y=[1, 2])
    np.savez("names.npz", images=x)
    Path("text.npz").write_text("hello")
    Path("empty").mkdir()
    save_images("damaged", x)
    Path("damaged", "02.png").write_bytes(b"no image")


INPUTS = {
    "nowhere": "nowhere: no such folder or file",
    "text.npz": "text.npz: expected a folder of images, an image, or an .npz with an array 'x'",
    "empty": "empty: holds no image",
    "damaged": "damaged/02.png: not a readable image",
    "shape.npz": "shape.npz: x has shape (3, 9, 8); this model takes images (N, 8, 8, 1) or (N, 1, 8, 8) or (N, 8, 8)",
    "flat.npz": "flat.npz: x has shape (3, 64); this model takes images",
    "deep.npz": "deep.npz: x has shape (3, 1, 8, 8, 1); this model takes images",
    "rows.npz": "rows.npz: x has shape (0, 8, 8), without a row",
    "one.npz": "one.npz: x has shape (), without a row",
    "texts.npz": "texts.npz: x holds <U1; expected numbers",
    "objects.npz": "objects.npz: cannot be read (x is said to have shape (2,)",
    "range.npz": "range.npz: x holds 0 … 200, but the model learned from 0 … 1; bytes stand for 0 … 1",
    "nan.npz": "nan.npz: x[2] holds values that are not finite in float32; fill or remove that row",
    "labels.npz": "labels.npz: y has shape (2,); expected one label per row of x, (3,)",
    "names.npz": "names.npz: no array 'x' or 'x_train'; it holds images",
}


def test_own_files_that_do_not_fit_are_named_with_the_reason(nnlab, trained, monkeypatch):
    monkeypatch.setattr("nnlab.data.inputs.Reader.chunk", 2)
    trained()
    save_own()
    codes = only_run().path / "codes.npz"
    codes.write_bytes(b"before")
    for name, expected in INPUTS.items():
        status, _, error = nnlab("embed", "last", "--input", name)
        assert status == 2, name
        assert error.startswith(f"nnlab: {expected}"), error
        assert len(error.splitlines()) == 1
        assert codes.read_bytes() == b"before"
        assert not list(codes.parent.glob("codes.npz.*"))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["-o", "codes.txt"], "-o codes.txt: codes are written as NumPy's .npz; give a name that ends in .npz"),
        (["-o", "file/codes.npz"], "-o file/codes.npz: nothing can be written into"),
        (["--input", "good.npz", "-o", "good.npz"], "-o good.npz: is the input itself; give another name"),
        (["--input", "good.npz", "--split", "test"], "--split test: has no effect on --input, which is taken whole"),
        (["--split", "validation"], "--split validation: it is empty in this run"),
        (["--tsne", "-1"], "--tsne: expected a whole number ≥ 0, got -1"),
        (["--tsne", "5001"], "--tsne: expected a whole number between 0 and 5000, got 5001"),
        (["--tsne", "9"], "--tsne: 9 codes are too few to tell neighbours from others; it takes 10"),
        (["--input", "good.npz", "--tsne", "50"], "--tsne: 3 codes are too few"),
        (["--checkpoint", "step-9"], "checkpoint 'step-9'"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_said_in_a_sentence(nnlab, trained, typed, expected):
    trained("data.validation=0")
    np.savez("good.npz", x=images(3))
    Path("file").write_text("")
    before = Path("good.npz").read_bytes()
    status, _, error = nnlab("embed", "last", *typed)
    assert status == 2
    assert expected in error
    assert len(error.splitlines()) == 1
    assert Path("good.npz").read_bytes() == before
    assert not (only_run().path / "codes.npz").exists()


def test_codes_of_two_coordinates_need_no_tsne(nnlab, trained):
    trained("model.latent_dim=2")
    assert "--tsne: codes of 2 coordinates are drawn as they are; leave it out" in nnlab("embed", "last", "--tsne", "50")[2]


def test_a_folder_of_images_is_no_table(nnlab, trained):
    trained("data=iris")
    save_images("mine", images())
    error = nnlab("embed", "last", "--input", "mine")[2]
    assert error.startswith("nnlab: mine: a folder of image files, but the model takes rows of 4 columns; give an .npz")


def test_images_beyond_bytes_come_from_no_image_file(nnlab, trained):
    np.savez("train.npz", x_train=np.random.default_rng(0).normal(size=(40, 8, 8)))
    trained("data=npz", "data.root=.", "data.file=train.npz")
    save_images("mine", images())
    np.savez("bytes.npz", x=images())
    assert "a folder of image files, but the model takes images of values -" in nnlab("embed", "last", "--input", "mine")[2]
    assert "x holds bytes, which stand for 0 … 1, but the" in nnlab("embed", "last", "--input", "bytes.npz")[2]


def test_a_model_that_cannot_encode_is_refused(nnlab, trained, monkeypatch):
    trained(model="kmeans")
    monkeypatch.setattr(KMeans, "encode", None)
    status, _, error = nnlab("embed", "last")
    assert status == 2
    assert error.startswith("nnlab: embed: KMeans cannot encode; models that can: aae, ae, ")
