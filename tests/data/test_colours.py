from __future__ import annotations

import numpy as np
import pytest
from conftest import built
from PIL import Image

from nnlab.errors import BadInput


def test_every_row_is_a_pixels_colour() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(picture).save("own.png")
    data = built("model=som", "data=colours", "data.root=.", "data.file=own.png").data
    assert data.spec.columns == ("red", "green", "blue")
    assert data.spec.name == "own"
    rows = [split.values(split.rows) for split in (data.train, data.validation, data.test)]
    found = np.concatenate([np.rint(255 * x.numpy()) for x in rows])
    order = np.lexsort(found.T)
    expected = picture.reshape(-1, 3)
    np.testing.assert_array_equal(found[order], expected[np.lexsort(expected.T)])


def test_no_more_than_asked_for_and_always_the_same() -> None:
    first, second = (built("model=som", "data=colours", "data.pixels=500").data for _ in range(2))
    assert len(first.train) + len(first.validation) + len(first.test) == 500
    assert first.spec.digest == second.spec.digest


@pytest.mark.parametrize(("name", "message"), [("none.png", "no file"), ("text.png", "is no image that can be read")])
def test_what_is_no_image_is_named(name: str, message: str, own_folder) -> None:
    (own_folder / "text.png").write_text("no image")
    with pytest.raises(BadInput, match=message):
        built("model=som", "data=colours", "data.root=.", f"data.file={name}")
