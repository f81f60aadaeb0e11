"""Codes that are damaged, of another run or told to go where they must not are refused in a sentence."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import only_run
from own_images import images, save_images

from nnlab.families.ae.ae import AE


def test_codes_of_other_weights_are_refused(nnlab, trained):
    trained()
    one = only_run()
    trained("seed=1")
    assert nnlab("compress", str(one.path), "-o", "codes.npz")[0] == 0
    status, _, error = nnlab("decompress", "last", "codes.npz", "-o", "back")
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
            "--split test: has no effect on shape.npz, which is used as a whole",
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
        (["compress", "last", "-o", "file/codes.npz"], "-o file/codes.npz: cannot write into"),
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


def test_what_has_no_symbols_says_so(nnlab, trained):
    trained()
    status, _, error = nnlab("compress", "last", "--split", "test", "--codes", "symbols", "-o", "codes.npz")
    assert (status, error) == (2, "nnlab: --codes symbols: AE has codes of numbers; leave it out\n")
    assert not Path("codes.npz").exists()
