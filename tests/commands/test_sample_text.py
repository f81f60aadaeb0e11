"""nnlab sample --text and --box: rows of what was asked for, and what cannot be asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import nnlab as package
from nnlab.data.words import encode
from nnlab.plotting.images import sheet, to_pixels

SCENES = ["data=scenes", "data@data.of=digits", "data.size=20", "data.sizes=[6,10]", "data.limit=200"]
SMALL = ["model=stackgan", "model.levels=1", "model.channels=[4,8]", "model.text_dim=8", "model.condition_dim=4"]
SMALL += [*SCENES, "trainer.steps=2", "trainer.pretraining.epochs=1", "trainer.precision=float32", "trainer.show_every=never"]
FIVE, RED = "there is a small red five at the top", "a large red three at the top left"

pytestmark = pytest.mark.usefixtures("untitled")


@pytest.fixture
def stackgan(train_once) -> None:
    train_once(*SMALL)


def picture(path: str = "asked.png") -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def test_each_text_has_a_row_with_its_title(nnlab, stackgan: None) -> None:
    status, _, error = nnlab("sample", "last", "--text", FIVE, "--text", RED, "-n", "3", "--seed", "5", "-o", "asked.png")
    assert (status, error) == (0, "")
    model = package.load("last")
    part = model.spec["caption"]
    numbers = [encode(text, part.names, part.shape[0])[0] for text in (FIVE, RED)]
    with torch.inference_mode():
        made = model.sample_given({"caption": torch.tensor(numbers).repeat_interleave(3, 0)}, seeded())
    tiles = to_pixels(made, model.spec).reshape(2, 3, 20, 20, 3)
    broken = ["there is a small red five at\nthe top", "a large red three at the top\nleft"]
    assert np.array_equal(picture(), sheet(tiles, broken))


def test_a_text_is_read_as_captions_are_and_has_eight_examples_by_default(nnlab, stackgan: None) -> None:
    assert nnlab("sample", "last", "--text", "A LARGE, red three: at the top-left!", "--seed", "5", "-o", "loud.png")[0] == 0
    assert nnlab("sample", "last", "--text", RED, "-n", "8", "--seed", "5", "-o", "asked.png")[0] == 0
    assert np.array_equal(picture()[:, -300:], picture("loud.png")[:, -300:]), "but for the title"


def test_many_examples_of_one_text_are_wrapped(nnlab, stackgan: None) -> None:
    assert nnlab("sample", "last", "--text", RED, "-n", "14", "-o", "asked.png")[0] == 0
    tall, wide, _ = picture().shape
    assert tall == 2 * 60 + 2, "two rows of tiles of 60 pixels"
    assert wide > 12 * 62


def test_an_unknown_word_is_named_with_the_nearest_known_one(nnlab, stackgan: None) -> None:
    status, out, error = nnlab("sample", "last", "--text", "a smal red three at the quokka", "-n", "2", "-o", "asked.png")
    assert status == 0
    assert "asked.png" in out
    assert error == "nnlab: --text: the model has learned no such word: 'smal' (did you mean 'small'?), 'quokka'\n"


BAD = [
    (["--text", "quokka zebra"], "--text: no word of 'quokka zebra' is known; unknown: 'quokka'"),
    (["--text", "42 !"], "--text: '42 !' holds no word; write one of"),
    (["--text", " ".join(["red"] * 99)], "99 words, the captions have"),
    (["--text", " ".join(["red"] * 99 + ["quokka"])], "at most; shorten it; unknown: 'quokka'"),
    (["--text", RED, "--label", "3"], "--label: says what to draw, and so does --text; leave one out"),
    (["--text", RED, "--box", "1,1,5,5"], "--box: StackGAN is given no boxes; models that are:"),
    (["--box", "1,1,5,5"], "--box: StackGAN is given no boxes"),
    (["--box", "1,1,5,5", "--label", "3"], "--label: says what to draw, and so does --box; leave one out"),
    (["--text", RED, "-o", "asked.csv"], "-o asked.csv: pictures are written as .png"),
]


@pytest.mark.parametrize(("typed", "said"), BAD)
def test_what_cannot_be_asked(nnlab, stackgan: None, typed: list[str], said: str) -> None:
    status, _, error = nnlab("sample", "last", *typed)
    assert status == 2
    assert error.startswith("nnlab: ")
    assert said in error
    assert len(error.splitlines()) == 1


def test_a_model_without_words_names_those_that_have_some(nnlab, train_once) -> None:
    train_once("model=gan", "model.hidden=[8]", "trainer.steps=1", "trainer.show_every=never")
    status, _, error = nnlab("sample", "last", "--text", "a red three")
    assert status == 2
    said, able = error.strip().split("; models that can: ")
    assert said == "nnlab: sample --text: GAN cannot draw examples of a text"
    assert "stackgan" in able.split(", ")
    status, _, error = nnlab("sample", "last", "--box", "1,1,5,5")
    assert (status, error) == (2, "nnlab: --box: GAN is given no boxes; models that are: gawwn\n")


# -- boxes: by a model that paints them ---------------------------------------------------------------------------

BOXED = '''
"""A model that fills the boxes that it is given, as bright as its caption is long."""

import torch
from torch import nn

from nnlab.families.gan.base import Play
from nnlab.families.gan.given import GivenParts


class Boxed(GivenParts):
    """Paints boxes."""

    needs = conditions = ("caption", "box")

    def __init__(self, spec, *, unused: int = 1):
        nets = {name: nn.Linear(1, 1) for name in ("generator", "discriminator")}
        super().__init__(spec, **nets)

    def play(self, batch, generator):
        return Play((batch.target,), (self.generator(batch.target[..., :1]).expand_as(batch.target),))

    def discriminate(self, x):
        return self.discriminator(x.flatten(1).mean(1, keepdim=True)).squeeze(1)

    def sample_given(self, parts, generator=None):
        box = parts["box"].reshape(len(parts["box"]), -1, 4, 1, 1)
        left, top, wide, high = box.unbind(2)
        x, y = torch.arange(20.0), torch.arange(20.0)[:, None]
        inside = (x >= left) & (x < left + wide) & (y >= top) & (y < top + high)
        bright = (parts["caption"] != 0).float().mean(1)[:, None, None]
        return (inside.any(1) * bright)[:, None].expand(-1, *self.spec.shape).contiguous()
'''
GAME = "  - override /optimizer@_global_.optimizer: adam_gan\n  - override /trainer@_global_.trainer: game\n"


@pytest.fixture
def boxed(nnlab, monkeypatch: pytest.MonkeyPatch):
    Path("boxing").mkdir()
    Path("conf/model").mkdir(parents=True)
    Path("boxing/__init__.py").write_text("")
    Path("boxing/boxed.py").write_text(BOXED)
    text = f"# nnlab train model=boxed\n# Boxes.\ndefaults:\n{GAME}  - _self_\n_target_: boxing.boxed.Boxed\nunused: 1\n"
    Path("conf/model/boxed.yaml").write_text(text)
    monkeypatch.syspath_prepend(str(Path.cwd()))
    monkeypatch.setenv("NNLAB_PLUGINS", "boxing")

    def train(*more: str) -> None:
        short = ["trainer.steps=1", "trainer.show_every=never"]
        status, _, error = nnlab("train", "-cd", "conf", "model=boxed", *SCENES, *short, *more)
        assert status == 0, error

    yield train
    for name in [name for name in sys.modules if name.startswith("boxing")]:
        del sys.modules[name]


def lit(columns: int, path: str = "asked.png") -> list[list[tuple[int, int, int, int]]]:
    """The box of what is not black in each tile of 60 pixels of a sheet, row after row, in pixels of the model."""
    pixels, found = picture(path), []
    left = pixels.shape[1] - (columns * 62 - 2)
    for top in range(0, pixels.shape[0], 62):
        tiles = [pixels[top : top + 60 : 3, left + 62 * i : left + 62 * i + 60 : 3, 0] for i in range(columns)]
        inked = [np.argwhere(tile > 0) for tile in tiles]
        found.append([(*ink.min(0)[::-1], *(ink.max(0) - ink.min(0) + 1)[::-1]) for ink in inked])
    return found


def test_a_box_is_where_it_was_asked(nnlab, boxed) -> None:
    boxed()
    status, _, error = nnlab("sample", "last", "--text", RED, "--box", "4,2,10,7", "-n", "2", "-o", "asked.png")
    assert (status, error) == (0, "")
    assert lit(2) == [[(4, 2, 10, 7)] * 2]
    two = ["--box", "4,2,10,7", "--box", "0,0,20,1"]
    assert nnlab("sample", "last", "--text", RED, *two, "-n", "2", "-o", "asked.png")[0] == 0
    assert lit(2) == [[(4, 2, 10, 7)] * 2, [(0, 0, 20, 1)] * 2], "a row for each"
    both = ["--text", RED, "--text", FIVE]
    assert nnlab("sample", "last", *both, *two, "-n", "1", "-o", "asked.png")[0] == 0
    assert lit(1) == [[(4, 2, 10, 7)], [(0, 0, 20, 1)]], "to each its own"
    assert nnlab("sample", "last", *both, "--box", "4,2,10,7", "-n", "1", "-o", "asked.png")[0] == 0
    assert lit(1) == [[(4, 2, 10, 7)]] * 2


def test_what_is_not_asked_for_is_drawn_of_the_training_data_and_told(nnlab, boxed) -> None:
    boxed()
    status, _, error = nnlab("sample", "last", "--text", RED, "-n", "6", "-o", "asked.png")
    assert (status, error) == (0, "nnlab: boxes are not given; those of training examples are used\n")
    known = {tuple(map(int, box)) for box in package.load("last").kept_box.tolist()}
    (found,) = lit(6)
    assert set(found) <= known
    assert len(set(found)) > 2
    status, _, error = nnlab("sample", "last", "--box", "4,2,10,7", "-n", "6", "-o", "asked.png")
    assert (status, error) == (0, "nnlab: captions are not given; those of training examples are used\n")
    assert set(lit(6)[0]) == {(4, 2, 10, 7)}
    assert nnlab("sample", "last", "-n", "4")[0] == 0


def test_scenes_of_two_objects_have_two_boxes(nnlab, boxed) -> None:
    boxed("data.objects=2", "data.sizes=[5,8]")
    two = ["--box", "1,2,3,4", "--box", "10,11,5,6"]
    assert nnlab("sample", "last", "--text", RED, *two, "-n", "1", "-o", "asked.png")[0] == 0
    assert lit(1) == [[(1, 2, 14, 15)]], "around both"
    status, _, error = nnlab("sample", "last", "--text", RED, *two[:2])
    assert (status, error) == (2, "nnlab: --box: the scenes have 2 objects, got 1 boxes; give --box for each object\n")


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ("4,4,0,8", "--box 4,4,0,8: has no area; width and height must be above 0"),
        ("4,4,8,-1", "--box 4,4,8,-1: has no area"),
        ("15,4,8,8", "--box 15,4,8,8: leaves the image, which is 20 pixels wide and 20 high"),
        ("-1,4,8,8", "--box -1,4,8,8: leaves the image"),
        ("1,2,3", "expected left,top,width,height such as 4,4,20,20, got '1,2,3'"),
        ("a,b,c,d", "expected left,top,width,height such as 4,4,20,20, got 'a,b,c,d'"),
        ("4 4 8 8", "expected left,top,width,height such as 4,4,20,20, got '4 4 8 8'"),
        ("1,2,nan,4", "expected left,top,width,height such as 4,4,20,20, got '1,2,nan,4'"),
        ("4,4,0.5,8", "--box 4,4,0.5,8: is smaller than a pixel; width and height are in pixels, at least 1"),
    ],
)
def test_boxes_that_are_none(nnlab, boxed, box: str, said: str) -> None:
    boxed()
    status, _, error = nnlab("sample", "last", "--text", RED, f"--box={box}")
    assert status == 2
    assert said in error


def test_boxes_and_texts_of_other_numbers(nnlab, boxed) -> None:
    boxed()
    three = [part for box in ("1,1,2,2", "3,3,2,2", "5,5,2,2") for part in ("--box", box)]
    status, _, error = nnlab("sample", "last", "--text", RED, "--text", FIVE, *three)
    assert (status, error) == (2, "nnlab: --box: 3 boxes for 2 texts; give one for all, or one for each\n")


def test_a_model_that_has_learned_without_boxes_says_how_it_gets_them(nnlab) -> None:
    """A folder of captions may give keypoints, too."""
    Path("mine").mkdir()
    entries = []
    for i in range(12):
        Image.fromarray(np.full((20, 20), 9 * i, np.uint8)).save(f"mine/{i}.png")
        entries.append({"image_id": i, "caption": "a red thing", "bbox": [1, 1, 9, 9], "keypoints": [3, 4, 2]})
    whole = {"images": [{"id": i, "file_name": f"{i}.png"} for i in range(12)], "annotations": entries}
    Path("mine/annotations.json").write_text(json.dumps(whole), encoding="utf-8")
    data = ["data=captions", f"data.folder={Path('mine').absolute()}", "data.test=0.3"]
    short = ["model.channels=[4,8]", "trainer.steps=1", "trainer.show_every=never", "trainer.batch_size=4"]
    status, _, error = nnlab("train", "model=gawwn", "model.place=keypoints", *data, *short)
    assert status == 0, error
    status, _, error = nnlab("sample", "last", "--text", "a red thing", "--box", "1,1,4,4")
    assert (status, error) == (2, "nnlab: --box: this GAWWN has learned without boxes; train one with model.place=box\n")
