"""nnlab walk."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import only_run, small
from PIL import Image

from nnlab.experiment.loading import open_run
from nnlab.plotting.images import to_pixels

pytestmark = pytest.mark.usefixtures("untitled")


@pytest.fixture
def trained(train_once):
    def run(*overrides: str, model: str = "vae") -> None:
        length = ["trainer.epochs=1"] if model == "kmeans" else ["trainer.steps=2", "trainer.precision=float32"]
        train_once(*small(model), "trainer.show_every=never", *length, *overrides)

    return run


def frames(path: str) -> list[np.ndarray]:
    """Of an animation, without the picture that is seen where it does not move."""
    with Image.open(path) as read:
        found = []
        for i in range(1, read.n_frames):
            read.seek(i)
            found.append(np.asarray(read.convert("RGB")))
        return found


def test_a_walk_through_images_meets_what_their_codes_decode_to(nnlab, trained):
    trained()
    status, out, error = nnlab("walk", "last", "--through", "3,0,7", "--steps", "4", "-o", "walk.png")
    assert (status, out.strip()) == (0, "walk.png"), error
    film = frames("walk.png")
    assert len(film) == 12
    run = open_run("last")
    test = run.experiment.data.test
    met = to_pixels(run.model.reconstruct(test.values(test.rows[[3, 0, 7]])), run.model.spec)
    for place, image in enumerate(met):
        shown = film[4 * place]
        large = np.repeat(np.repeat(image, len(shown) // 8, axis=0), len(shown) // 8, axis=1)
        assert np.abs(shown.astype(int) - large).max() <= 1


def test_another_seed_walks_elsewhere_and_the_same_seed_the_same_way(nnlab, trained):
    trained()
    for name, number in {"a.png": "0", "b.png": "0", "c.png": "1"}.items():
        typed = ["--stops", "2", "--steps", "3", "--walks", "4", "--seed", number, "-o", name]
        assert nnlab("walk", "last", *typed)[0] == 0
    a, b, c = (frames(name) for name in ("a.png", "b.png", "c.png"))
    assert len(a) == 6
    assert a[0].shape == (2 * 48 + 2, 2 * 48 + 2, 3)
    assert all(map(np.array_equal, a, b))
    assert not all(map(np.array_equal, a, c))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["--split", "train"], "--split train: has no effect without --through"),
        (["--through", "3,4", "--stops", "3"], "--stops: has no effect with --through"),
        (["--through", "3,4", "--seed", "0"], "--seed: has no effect with --through"),
        (["--through", "3"], "--through: expected 2 … 50 stops, got 1"),
        (["--stops", "1"], "--stops: expected 2 … 50 stops, got 1"),
        (["--stops", "50", "--steps", "90"], "at most 1000 pictures in all, got 50 × 90"),
        (["--walks", "101"], "--walks: expected 1 … 100, got 101"),
        (["--through", "3,359"], "--through 359: the test split has images 0 … 358"),
    ],
    ids=str,
)
def test_what_cannot_be_walked_is_said_in_a_sentence(nnlab, trained, typed, expected):
    trained()
    status, _, error = nnlab("walk", "last", *typed)
    assert status == 2
    assert expected in error
    assert len(error.splitlines()) == 1
    assert not (only_run().images / "walk.png").exists()


def test_models_that_have_no_space_to_walk_through_say_so(nnlab, trained):
    trained(model="kmeans")
    assert "walk: KMeans cannot decode a code; models that can: aae, ae, " in nnlab("walk", "last")[2]


def test_the_plane_is_drawn_where_there_are_two_coordinates_and_refused_elsewhere(nnlab, trained):
    trained("model.latent_dim=3")
    status, _, error = nnlab("traverse", "last", "--manifold")
    assert status == 2
    assert "a latent space of 2 coordinates, this one has 3; leave it out for motion along each" in error
    trained("model.latent_dim=2")
    assert "--reach: has no effect with --manifold" in nnlab("traverse", "last", "--manifold", "--reach", "2")[2]
    status, out, error = nnlab("traverse", "last", "--manifold", "--steps", "5")
    assert status == 0, error
    assert np.asarray(Image.open(out.strip()))[-(5 * 50 - 2) :, -(5 * 50 - 2) :].min() < 255


def test_a_spherical_way_has_the_ends_of_the_straight_one_and_another_middle(nnlab, trained):
    trained("trainer.steps=60", model="ae")  # whose codes are spread before a VAE's are
    typed = ["interpolate", "last", "--from", "3", "--to", "4", "--steps", "3"]
    for name, more in {"straight.png": [], "circle.png": ["--spherical"]}.items():
        assert nnlab(*typed, *more, "-o", name)[0] == 0
    straight, circle = (np.asarray(Image.open(name)).astype(int) for name in ("straight.png", "circle.png"))
    changed = np.abs(straight - circle).max((0, 2)) > 1
    assert changed.any()
    assert changed.sum() <= 48, "more than the tile in the middle"
