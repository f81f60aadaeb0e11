"""nnlab compress and decode: a set of images as codes in a file, and back."""

from __future__ import annotations

import json
import weakref
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import small
from PIL import Image
from test_models import short

import nnlab as package
from nnlab.commands.capability import names_of
from nnlab.data import feed
from nnlab.data.inputs import Reader
from nnlab.data.spec import Batch
from nnlab.experiment.loading import open_run
from nnlab.families.ae.ae import AE
from nnlab.metrics.reconstruction import mse, psnr
from nnlab.model import Decodes, Encodes, Tokenizes
from nnlab.plotting.images import to_pixels
from nnlab.plotting.latent import reconstruction_picture

pytestmark = pytest.mark.usefixtures("untitled")

KINDS = ("float32", "float16", "uint8")
ABLE = [name for name in names_of(Decodes) if name in names_of(Encodes)]


@pytest.fixture
def trained(train_once):
    """Train a small model, hardly."""

    def run(*overrides: str, model: str = "ae") -> None:
        length = ["trainer.steps=2", "trainer.precision=float32", "trainer.show_every=never"]
        train_once(*small(model), *length, *overrides)

    return run


@pytest.fixture
def there_and_back(nnlab):
    """Encode, decode to an array; the array, and the figures of the encoding."""

    def run(*typed: str) -> tuple[np.ndarray, dict]:
        status, out, error = nnlab("compress", "last", *typed, "-o", "codes.npz")
        assert status == 0, error
        assert out.splitlines()[-2:] == ["codes.json", "codes.npz"]
        status, out, error = nnlab("decompress", "last", "codes.npz", "-o", "back.npz")
        assert (status, out) == (0, "back.npz\n"), error
        with np.load("back.npz") as found:
            return found["x"], json.loads(Path("codes.json").read_text())

    return run


def images(n: int = 12, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, *(shape or (8, 8))), dtype=np.uint8)


def save_images(folder: str, pixels: np.ndarray, names: list[str]) -> None:
    for name, image in zip(names, pixels, strict=True):
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def reconstructions(name: str) -> torch.Tensor:
    """Of a split, in the batches of an evaluation."""
    split, model = open_run("last").experiment.data.split(name), package.load("last")
    with torch.inference_mode():
        return torch.cat([model.reconstruct(split.values(rows)) for rows in split.rows.split(feed.eval_batch_size(split))])


# -- there and back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ABLE)
def test_decoded_codes_are_the_reconstructions_to_the_last_bit(nnlab, there_and_back, model):
    assert nnlab("train", *short(model))[0] == 0
    x, figures = there_and_back("--split", "train")
    assert np.array_equal(x, reconstructions("train").numpy())
    kind = "symbols" if model in names_of(Tokenizes) else "float32"
    assert (figures["n"], figures["codes"], figures["input"]) == (len(x), kind, "train split")
    assert figures["n"] > 1000, "more than one batch, and the last one smaller"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["ae", "vae"])
def test_the_figures_are_those_of_what_is_decoded(trained, there_and_back, kind, model):
    trained("noise=gaussian", "trainer.steps=30", model=model)
    x, figures = there_and_back("--codes", kind)
    run = open_run("last")
    split = run.experiment.data.test
    clean, decoded = split.values(split.rows), torch.from_numpy(x)
    error = mse(decoded, clean)
    assert figures["mse"] == pytest.approx(error.double().mean().item(), rel=1e-6)
    assert figures["psnr"] == pytest.approx(psnr(error, run.model.spec).double().mean().item(), rel=1e-6)
    assert figures["bytes_in"] == 359 * 64
    assert figures["bytes_out"] == Path("codes.npz").stat().st_size
    assert figures["ratio"] == figures["bytes_in"] / figures["bytes_out"]
    assert figures["model_bytes"] == 4 * run.folder.read_status()["parameters"]
    width = {"float32": 4, "float16": 2, "uint8": 1}[kind]
    assert 0 < figures["bytes_out"] - 359 * 4 * width < 1600, "what stands around the codes does not grow with them"


def test_fewer_bits_cost_some_quality(trained, there_and_back):
    trained("trainer.steps=300")
    error = {kind: there_and_back("--codes", kind)[1]["mse"] for kind in KINDS}
    assert error["float32"] == pytest.approx(error["float16"], rel=1e-3)
    assert error["float32"] < error["uint8"] < 1.02 * error["float32"]


@pytest.mark.parametrize("kind", ["float32", "uint8"])
def test_the_picture_holds_images_at_even_distances_over_what_they_are_decoded_to(trained, there_and_back, kind):
    trained("trainer.steps=30")
    x, _ = there_and_back("--codes", kind, "--split", "train")
    run = open_run("last")
    split, places = run.experiment.data.train, np.linspace(0, len(x) - 1, 24).round().astype(int)
    images = split.values(split.rows[places])
    expected = reconstruction_picture(run.model, Batch(images, images), torch.from_numpy(x[places]))
    assert np.array_equal(np.asarray(Image.open(run.folder.images / "encoding.png")), expected)


@pytest.mark.parametrize("how", ["threshold", "dynamic"])
def test_a_bit_of_the_input_counts_as_one_and_is_drawn_once(trained, there_and_back, how):
    trained(f"data.binarize={how}")
    first, figures = there_and_back("--codes", "uint8")
    assert figures["bytes_in"] == 359 * 64 // 8
    assert np.array_equal(there_and_back("--codes", "uint8")[0], first)


def test_a_table_comes_back_in_its_own_units(trained, there_and_back):
    trained("data=iris", "trainer.steps=300", "model.latent_dim=4")
    x, _ = there_and_back("--split", "train")
    run = open_run("last")
    split = run.experiment.data.train
    rows = run.model.spec.original(split.values(split.rows)).numpy()
    assert x.dtype == np.float64
    assert np.abs(x - rows).mean() < 0.5
    assert np.allclose(x.mean(0), rows.mean(0), atol=0.3)


# -- one's own images -------------------------------------------------------------------------------------------------


def test_a_folder_comes_back_under_the_names_of_its_files(nnlab, trained):
    trained()
    names = ["a/1.png", "a/2.bmp", "b/3.png", "b/deep/ä 4.png"]
    save_images("mine", images(4), names)
    status, out, error = nnlab("compress", "last", "mine", "-o", "codes.npz")
    assert status == 0, error
    status, out, error = nnlab("decompress", "last", "codes.npz", "-o", "back")
    assert (status, out) == (0, "back\n"), error
    found = sorted(path.relative_to("back").as_posix() for path in Path("back").rglob("*.png"))
    assert found == ["a/1.png", "a/2.png", "b/3.png", "b/deep/ä 4.png"]
    model = package.load("last")
    with torch.inference_mode():
        expected = model.reconstruct(torch.from_numpy(images(4)).float()[:, None] * (1 / 255))
    for name, output in zip(found, to_pixels(expected, model.spec), strict=True):
        assert np.array_equal(np.asarray(Image.open(Path("back", name))), output[..., 0])
    figures = json.loads(Path("codes.json").read_text())
    assert figures["bytes_of_files"] == sum(Path("mine", name).stat().st_size for name in names)
    assert figures["bytes_in"] == 4 * 64


def test_files_that_differ_by_their_suffix_alone_stay_two(nnlab, trained):
    trained()
    save_images("mine", images(2), ["a.png", "a.bmp"])
    assert nnlab("compress", "last", "mine", "-o", "codes.npz")[0] == 0
    assert nnlab("decompress", "last", "codes.npz", "-o", "back")[0] == 0
    assert {path.name for path in Path("back").iterdir()} == {"a.png.png", "a.bmp.png"}


def test_one_image_and_an_array_of_them(nnlab, trained, there_and_back):
    trained()
    save_images("mine", images(3), ["0.png", "1.png", "2.png"])
    np.savez("mine.npz", x=images(3))
    folder, of_array, of_one = (there_and_back(typed)[0] for typed in ("mine", "mine.npz", "mine/1.png"))
    assert np.array_equal(folder, of_array)
    assert np.allclose(of_one, folder[1:2], atol=1e-6)
    assert nnlab("decompress", "last", "codes.npz", "-o", "one")[0] == 0
    assert [path.name for path in Path("one").iterdir()] == ["1.png"]


def test_what_comes_from_an_array_is_numbered(nnlab, trained):
    trained()
    np.savez("mine.npz", x=images(11))
    nnlab("compress", "last", "mine.npz", "-o", "codes.npz")
    nnlab("decompress", "last", "codes.npz", "-o", "back")
    assert sorted(path.name for path in Path("back").iterdir()) == [f"{i:02d}.png" for i in range(11)]


def test_colours_stay_colours(nnlab, trained):
    np.savez("train.npz", x_train=images(40, 8, 8, 3))
    trained("data=npz", "data.root=.", "data.file=train.npz")
    save_images("mine", images(2, 8, 8, 3), ["a.png", "b.png"])
    nnlab("compress", "last", "mine", "-o", "codes.npz")
    nnlab("decompress", "last", "codes.npz", "-o", "back")
    assert np.asarray(Image.open("back/a.png")).shape == (8, 8, 3)


def test_the_memory_does_not_grow_with_the_number_of_images(nnlab, trained, monkeypatch):
    trained()
    np.savez("mine.npz", x=images(600))
    alive, most, read = [], [], Reader.batch

    def watched(self: Reader, *args: object) -> object:
        batch = read(self, *args)
        alive.append(weakref.ref(batch.input))
        most.append(sum(one() is not None for one in alive))
        return batch

    monkeypatch.setattr(Reader, "batch", watched)
    monkeypatch.setattr(Reader, "chunk", 10)
    assert nnlab("compress", "last", "mine.npz", "--codes", "uint8", "-o", "codes.npz")[0] == 0
    assert len(most) == 2 * 60, "a pass that finds the ranges, and one that encodes"
    assert max(most) <= 2


# -- bad input --------------------------------------------------------------------------------------------------------


def test_codes_of_other_weights_are_refused(nnlab, trained):
    trained("hydra.run.dir=one")
    trained("hydra.run.dir=two", "seed=1")
    assert nnlab("compress", "one", "-o", "codes.npz")[0] == 0
    status, _, error = nnlab("decompress", "two", "codes.npz", "-o", "back")
    assert status == 2
    mark = json.loads(Path("codes.json").read_text())["fingerprint"]
    assert error.startswith(f"nnlab: codes.npz: its codes are of other weights (fingerprint {mark}) than the checkpoint 'best'")
    assert error.endswith("; give the run that encoded them\n")
    assert not Path("back").exists()


def test_the_checkpoint_that_encoded_them_is_named(nnlab, trained):
    trained("trainer.steps=20", "trainer.keep_checkpoint_every=5 steps")
    assert nnlab("compress", "last", "--checkpoint", "step-000005", "-o", "codes.npz")[0] == 0
    error = nnlab("decompress", "last", "codes.npz", "-o", "back.npz")[2]
    assert error.endswith("; add --checkpoint step-000005\n")
    assert nnlab("decompress", "last", "codes.npz", "-o", "back.npz", "--checkpoint", "step-000005")[0] == 0


@pytest.mark.parametrize("out", ["back.npz", "back"])
def test_of_a_truncated_file_nothing_is_decoded(nnlab, trained, out):
    trained()
    assert nnlab("compress", "last", "-o", "codes.npz")[0] == 0
    whole = Path("codes.npz").read_bytes()
    Path("codes.npz").write_bytes(whole[: len(whole) // 2])
    status, _, error = nnlab("decompress", "last", "codes.npz", "-o", out)
    assert status == 2
    assert error.startswith("nnlab: codes.npz: truncated or damaged (")
    assert len(error.splitlines()) == 1
    assert not Path(out).exists()


@pytest.mark.parametrize("name", ["../evil.png", "/tmp/evil.png", "a/../../evil.png", "..\\evil.png", ""])
def test_a_name_that_leads_out_of_the_folder_is_refused(nnlab, trained, name):
    trained()
    save_images("mine", images(1), ["a.png"])
    assert nnlab("compress", "last", "mine", "-o", "codes.npz")[0] == 0
    with np.load("codes.npz") as found:
        arrays = dict(found)
    arrays["names"] = np.frombuffer(zlib.compress(name.encode()), np.uint8)
    np.savez("codes.npz", **arrays)
    status, _, error = nnlab("decompress", "last", "codes.npz", "-o", "back")
    assert status == 2
    assert "which leads out of the folder; decode it to an .npz instead" in error
    assert not Path("back").exists()
    assert nnlab("decompress", "last", "codes.npz", "-o", "back.npz")[0] == 0


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["compress", "last", "nowhere"], "nowhere: no such folder or file"),
        (["compress", "last", "shape.npz"], "shape.npz: x has shape (3, 9, 8); this model takes images (N, 8, 8, 1)"),
        (["compress", "last", "bad"], "bad/1.png: not a readable image"),
        (["compress", "last", "bad/1.png"], "bad/1.png: not a readable image"),
        (
            ["compress", "last", "shape.npz", "--split", "test"],
            "--split test: has no effect on shape.npz, which is taken whole",
        ),
        (["compress", "last", "--split", "validation"], "--split validation: it is empty in this run"),
        (["decompress", "last", "nowhere.npz"], "nowhere.npz: no such file"),
        (["decompress", "last", "shape.npz"], "shape.npz: holds no codes; expected a file that nnlab compress wrote"),
        (["decompress", "last", "bad/1.png"], "bad/1.png: truncated or damaged"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_said_in_a_sentence(nnlab, trained, typed, expected):
    trained("data.validation=0")
    np.savez("shape.npz", x=np.zeros((3, 9, 8), np.uint8))
    save_images("bad", images(2), ["0.png", "1.png"])
    Path("bad/1.png").write_bytes(b"no image")
    status, _, error = nnlab(*typed, "-o", "out.npz")
    assert status == 2
    assert error.startswith(f"nnlab: {expected}"), error
    assert len(error.splitlines()) == 1
    assert not list(Path().glob("out.*")), "nothing is left"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["compress", "last", "-o", "codes"], "-o codes: codes are written as NumPy's .npz; give a name that ends in .npz"),
        (["compress", "last", "mine.npz", "-o", "mine.npz"], "-o mine.npz: is the input itself; give another name"),
        (["compress", "last", "-o", "file/codes.npz"], "-o file/codes.npz: nothing can be written into"),
        (
            ["decompress", "last", "codes.npz", "-o", "codes.npz"],
            "-o codes.npz: is the file of codes itself; give another name",
        ),
        (
            ["decompress", "last", "codes.npz", "-o", "a.png"],
            "-o a.png: expected a name that ends in .npz, or one without",
        ),
        (["decompress", "last", "codes.npz", "-o", "full"], "-o full: exists already; give the name of a new folder"),
        (["decompress", "last", "codes.npz", "-o", "file"], "-o file: exists already; give the name of a new folder"),
    ],
    ids=str,
)
def test_where_nothing_can_be_written(nnlab, trained, typed, expected):
    trained()
    np.savez("mine.npz", x=images())
    assert nnlab("compress", "last", "-o", "codes.npz")[0] == 0
    Path("file").write_text("")
    save_images("full", images(1), ["0.png"])
    before = Path("codes.npz").read_bytes()
    status, _, error = nnlab(*typed)
    assert status == 2
    assert error.startswith(f"nnlab: {expected}"), error
    assert Path("codes.npz").read_bytes() == before


def test_a_table_makes_no_images(nnlab, trained):
    trained("data=iris")
    assert nnlab("compress", "last", "-o", "codes.npz")[0] == 0
    error = nnlab("decompress", "last", "codes.npz", "-o", "back")[2]
    assert "-o back: Iris is a table of 4 columns, so there is no picture" in error


@pytest.mark.parametrize(
    ("factor", "kind", "expected"),
    [
        (1e6, "float16", "the code of 0 of test split goes beyond float16, which ends at 65,504; leave --codes out"),
        (float("inf"), "uint8", "the code of 0 of test split is not finite: are the inputs, or the weights, huge?"),
    ],
)
def test_codes_that_cannot_be_stored(nnlab, trained, monkeypatch, factor, kind, expected):
    trained()
    encode = AE.encode
    monkeypatch.setattr(AE, "encode", lambda self, x: encode(self, x) * factor)
    status, _, error = nnlab("compress", "last", "--codes", kind, "-o", "codes.npz")
    assert status == 2
    assert error == f"nnlab: {expected}\n"
    assert not list(Path().glob("codes.*"))


def test_a_grid_of_symbols_is_stored_as_such_and_decodes_to_the_last_bit(nnlab, trained, there_and_back):
    trained("model.codes=300", "model.code_dim=4", model="vq_vae")
    images, figures = there_and_back("--split", "test")
    run = open_run("last")
    with np.load("codes.npz") as found:
        symbols = found["codes"]
        assert (symbols.dtype, found["alphabet"].tolist()) == (np.uint16, [300])
    assert symbols.shape == (figures["n"], run.model.places)
    test = run.experiment.data.test
    with torch.inference_mode():
        assert np.array_equal(symbols[:9], run.model.encode_indices(test.values(test.rows[:9])).numpy())
    assert figures["codes"] == "symbols"
    numbers, dearer = there_and_back("--split", "test", "--codes", "float32")
    assert np.array_equal(images, numbers)
    assert figures["bytes_out"] < 0.3 * dearer["bytes_out"]
    with np.load("codes.npz") as found, Path("odd.npz").open("wb") as file:
        np.savez(file, **{**found, "codes": np.full((2, run.model.places), 300, np.uint16), "alphabet": [300]})
    assert (
        "symbol 300 of an alphabet of 300: the file of codes is damaged"
        in nnlab("decompress", "last", "odd.npz", "-o", "no.npz")[2]
    )


def test_what_has_no_symbols_says_so(nnlab, trained):
    trained()
    status, _, error = nnlab("compress", "last", "--split", "test", "--codes", "symbols", "-o", "codes.npz")
    assert (status, error) == (2, "nnlab: --codes symbols: AE has codes of numbers; leave it out\n")
    assert not Path("codes.npz").exists()
