from __future__ import annotations

import io

import numpy as np
import torch
from conftest import built
from PIL import Image

from nnlab.plotting.animation import MOST, ImageHistory, ModelHistory
from nnlab.plotting.picture import Animation, gif, headed, png, under


def footage(model) -> ModelHistory:
    """The first weight as a gray picture."""
    return ModelHistory(model, lambda: np.full((4, 4, 3), int(model.units[0, 0]), np.uint8), lambda: float(model.units[0, 0]))


def test_a_film_is_written_as_an_animation_that_ends_in_its_own_picture() -> None:
    frames = [np.full((4, 6, 3), value, np.uint8) for value in (10, 20, 30)]
    film = Animation.of(frames)
    assert film.shape == (4, 6, 3)
    assert (film == 30).all()
    with Image.open(io.BytesIO(png(film))) as read:
        assert read.default_image  # the first picture of the file, seen where animations do not move
        for i, frame in enumerate([frames[-1], *frames]):
            read.seek(i)
            np.testing.assert_array_equal(np.asarray(read.convert("RGB")), frame)
        assert read.n_frames == 4
    with Image.open(io.BytesIO(png(frames[0]))) as read:
        assert getattr(read, "n_frames", 1) == 1


def test_a_resumed_film_holds_what_was_seen_before_and_leaves_the_model_as_it_is() -> None:
    model = built("model=som").model
    whole = footage(model)
    for value in (1, 2):
        model.units.fill_(value)
        whole.look()
    resumed = footage(model)
    resumed.restore(whole.state())
    for film in (whole, resumed):
        model.units.fill_(3)
        seen = film.look()
        assert [int(frame[0, 0, 0]) for frame in seen.frames] == [1, 2, 3]
        assert seen.captions == ["epoch 1", "epoch 2", "epoch 3"]
        assert torch.equal(model.units, torch.full_like(model.units, 3))


def test_a_long_film_leaves_pictures_out_but_neither_end() -> None:
    model = built("model=som").model
    film = footage(model)
    for value in range(3 * MOST):
        model.units.fill_(value)
        last = film.look()
    assert len(last.captions) == len(last.frames) <= MOST + 1
    assert (last.frames[0] == 0).all()
    assert (last == 3 * MOST - 1).all()


def test_every_frame_of_a_film_stands_under_its_title_and_its_own_epoch() -> None:
    frames = [np.full((40, 300, 3), value, np.uint8) for value in (10, 20)]
    film = headed(Animation.of(frames, captions=["epoch 1", "epoch 2"]), "som on rings", "epoch 2")
    tops = [np.asarray(frame)[: -len(frames[0])] for frame in film.frames]
    assert all(np.array_equal(np.asarray(frame)[-40:], plain) for frame, plain in zip(film.frames, frames, strict=True))
    assert not np.array_equal(*tops)
    assert np.array_equal(tops[1], under(frames[1], "som on rings, epoch 2")[:-40])
    assert film.durations == Animation.of(frames).durations


def test_a_gif_has_the_films_frames() -> None:
    film = Animation.of([np.full((4, 6, 3), value, np.uint8) for value in (10, 20, 30)])
    with Image.open(io.BytesIO(gif(film))) as read:
        assert read.n_frames == 3
        for i, value in enumerate((10, 20, 30)):
            read.seek(i)
            assert (np.asarray(read.convert("RGB")) == value).all()


def test_a_reel_of_a_run_of_before_has_no_epochs() -> None:
    reel = ImageHistory()
    reel.look(np.zeros((2, 4, 4, 3), np.uint8), 1.5)
    again = ImageHistory()
    again.restore(reel.state())
    assert again.film().captions == ["epoch 1.5"]
    again.restore(reel.state()[:-1])
    assert again.film().captions == [""]
