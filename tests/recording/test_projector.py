"""TensorBoard's projector, as its own plugin reads what was written."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
from werkzeug.test import Client

from nnlab.plotting.sprite import SPRITE, sprite, thumbnail
from nnlab.recording import projector
from nnlab.recording.projector import POINTS

CODES = np.random.default_rng(0).normal(size=(11, 5)).astype(np.float32)
IMAGES = np.random.default_rng(1).integers(0, 256, (11, 6, 4, 3), dtype=np.uint8)
COLUMNS = {"label": ["a", "b"] * 5 + ["c"], "index": list(range(0, 22, 2))}


def ask(run: Path, route: str, name: str = "test split") -> bytes:
    """What the plugin answers a browser, of the run that is the log folder itself."""
    plugin = ProjectorPlugin(TBContext(logdir=str(run)))
    answer = Client(plugin.get_plugin_apps()[route]).get("/", query_string={"run": ".", "name": name})
    assert answer.status_code == 200, answer.data
    return answer.data


def test_the_plugin_finds_the_run_and_serves_its_codes(tmp_path):
    projector.write(tmp_path, "test split", CODES, COLUMNS)
    assert json.loads(ask(tmp_path, "/runs")) == ["."]
    (embedding,) = json.loads(ask(tmp_path, "/info"))["embeddings"]
    assert (embedding["tensorName"], embedding["tensorShape"]) == ("test split", [11, 5])
    assert "sprite" not in embedding
    served = np.frombuffer(ask(tmp_path, "/tensor"), np.float32).reshape(11, 5)
    assert np.allclose(served, CODES, rtol=1e-6)


@pytest.mark.parametrize("d", [1, 2])
def test_codes_of_fewer_than_three_coordinates_lie_in_space(d, tmp_path):
    projector.write(tmp_path, "test split", CODES[:, :d], COLUMNS)
    served = np.frombuffer(ask(tmp_path, "/tensor"), np.float32).reshape(11, 3)
    assert np.allclose(served[:, :d], CODES[:, :d], rtol=1e-6)
    assert not served[:, d:].any()


@pytest.mark.parametrize(("columns", "header"), [(COLUMNS, ["label\tindex"]), ({"index": list(range(11))}, [])])
def test_every_point_has_its_line(columns, header, tmp_path):
    projector.write(tmp_path, "test split", CODES, columns)
    lines = ask(tmp_path, "/metadata").decode().splitlines()
    assert lines == header + ["\t".join(map(str, row)) for row in zip(*columns.values(), strict=True)]


def test_a_name_cannot_break_its_line(tmp_path):
    projector.write(tmp_path, "test split", CODES[:2], {"label": ["T-shirt\t/\ntop", "Schuh für „groß“"], "index": [0, 1]})
    assert ask(tmp_path, "/metadata").decode() == "label\tindex\nT-shirt / top\t0\nSchuh für „groß“\t1\n"


@pytest.mark.parametrize("gray", [False, True])
def test_the_sprite_shows_each_point_where_the_browser_cuts_it_out(gray, tmp_path):
    images = np.repeat(IMAGES[..., :1], 3, axis=-1) if gray else IMAGES
    projector.write(tmp_path, "test split", CODES, COLUMNS, images)
    (embedding,) = json.loads(ask(tmp_path, "/info"))["embeddings"]
    width, height = embedding["sprite"]["singleImageDim"]
    assert (width, height) == (4, 6)
    picture = np.asarray(Image.open(io.BytesIO(ask(tmp_path, "/sprite_image"))).convert("RGB"))
    a_row = picture.shape[1] // width
    assert picture.shape[0] // height == a_row, "the browser takes it to be a square of places"
    for i, image in enumerate(images):
        row, column = divmod(i, a_row)
        shown = picture[row * height : (row + 1) * height, column * width : (column + 1) * width]
        assert np.array_equal(shown, image)


@pytest.mark.parametrize("count", [1, 2, 4, 5, 4999, POINTS])
@pytest.mark.parametrize("shape", [(1000, 1000, 3), (300, 200, 3), (2, 3000, 3)])
def test_a_sprite_is_never_larger_than_a_texture(count, shape):
    h, w, _ = thumbnail(np.zeros(shape, np.uint8), count).shape
    side = int(np.ceil(np.sqrt(count)))
    assert max(h, w) * side <= SPRITE
    assert w / h == pytest.approx(shape[1] / shape[0], rel=0.05) or 1 in (h, w)
    assert min(h, w) >= 1


def test_a_small_image_is_its_own_thumbnail():
    assert np.array_equal(thumbnail(IMAGES[0], POINTS), IMAGES[0])
    assert sprite(IMAGES[:1]).shape == IMAGES[0].shape


def test_a_second_embedding_replaces_the_first(tmp_path):
    projector.write(tmp_path, "test split", CODES, COLUMNS, IMAGES)
    projector.write(tmp_path, 'faces: my "own"', CODES[:3], {"file": ["1.png", "2.png", "3.png"]})
    (embedding,) = json.loads(ask(tmp_path, "/info"))["embeddings"]
    assert embedding["tensorName"] == 'faces: my "own"'
    assert np.frombuffer(ask(tmp_path, "/tensor", embedding["tensorName"]), np.float32).shape == (15,)
