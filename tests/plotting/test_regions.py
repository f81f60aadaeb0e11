"""Regions of the plane: where their borders run, in which units, and in which colours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import built, small
from matplotlib.colors import to_rgb

from nnlab.data.spec import Batch, DataSpec
from nnlab.plotting import regions
from nnlab.plotting.axes import PALETTE, TINT
from nnlab.plotting.regions import borders, in_units, lattice, numbers, regions_plot

UNITS = DataSpec("any", "table", (2,), ("a", "b"), -3.0, 3.0, False, ("width", "height"), (100.0, -5.0), (20.0, 0.1))
PLAIN = DataSpec("any", "table", (2,), ("a", "b"), -3.0, 3.0, False)
CENTRES = torch.randn(12, 2, generator=torch.Generator().manual_seed(3))


def nearest(x: torch.Tensor) -> torch.Tensor:
    return torch.cdist(x, CENTRES).argmin(1)


def lines(labels_of, spec: DataSpec = PLAIN, side: int = 80) -> np.ndarray:
    """(S, 2, 2) the borders within three standard deviations, in the units of the spec."""
    corners = spec.original(torch.tensor([[-3.0, -3.0], [3.0, 3.0]])).double().numpy()
    across, up = np.linspace(*corners[:, 0], side), np.linspace(*corners[:, 1], side)
    answer = in_units(labels_of, spec, torch.device("cpu"))
    return borders(numbers(answer(lattice(across, up))), across, up, answer)


def test_a_straight_border_is_straight() -> None:
    """Of x + 2y > 0.3, whatever the grid: within a hundredth of its step, where steps of the grid would show as stairs."""
    found = lines(lambda x: (x @ torch.tensor([1.0, 2.0]) > 0.3).long())
    assert np.abs(found @ [1, 2] - 0.3).max() < 0.01 * 6 / 79
    assert np.linalg.norm(found[:, 1] - found[:, 0], axis=1).sum() == pytest.approx(np.hypot(6, 3), rel=0.03)


@pytest.mark.parametrize("spec", [PLAIN, UNITS])
def test_cells_are_voronoi_in_what_the_model_sees(spec: DataSpec) -> None:
    x = (lines(nearest, spec)[:, 0] - (spec.mean or 0)) / (spec.std or 1)  # where borders cross the grid
    distance = np.sort(np.linalg.norm(x[:, None] - CENTRES.numpy(), axis=2), axis=1)
    assert len(x) > 300
    np.testing.assert_allclose(distance[:, 0], distance[:, 1], atol=2e-3)


def test_where_three_regions_meet_no_line_ends() -> None:
    """An end that no other line shares lies on the frame: borders do not stop within the picture."""
    ends = lines(nearest).reshape(-1, 2)
    places, counts = np.unique(ends.round(9), axis=0, return_counts=True)
    loose = places[counts == 1]
    assert len(loose) > 3
    np.testing.assert_allclose(np.abs(loose).max(1), 3)


def test_a_single_region_has_no_border() -> None:
    assert lines(lambda x: torch.zeros(len(x), dtype=torch.long)).shape == (0, 2, 2)


def test_a_function_is_asked_in_its_own_units_a_part_at_a_time() -> None:
    asked = []

    def labels_of(x: torch.Tensor) -> torch.Tensor:
        asked.append(x)
        return (x[:, 0] > 0).long()

    answer = in_units(labels_of, UNITS, torch.device("cpu"))
    xy = np.array([[80.0, -5.0], [100.0, -4.9], [140.0, -5.1]])
    assert answer(xy).tolist() == [0, 0, 1]
    torch.testing.assert_close(asked[0], torch.tensor([[-1.0, 0.0], [0.0, 1.0], [2.0, -1.0]]))
    assert answer(np.zeros((300, 200, 2))).shape == (300, 200)
    assert max(map(len, asked)) <= regions.TOGETHER


def batch(labels: bool = True) -> Batch:
    x = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    return Batch(x, x, label=torch.arange(60) % 2 if labels else None)


def share_of(picture: np.ndarray, colour: np.ndarray) -> float:
    """How much of a picture has a colour."""
    return (np.abs(picture / 255 - colour).max(-1) < 0.012).mean()


PALE = [1 - TINT * (1 - np.array(to_rgb(colour))) for colour in PALETTE]
LEFT_RIGHT = {
    "numbers": lambda x: (x[:, 0] > 0).long(),
    "certain": lambda x: torch.eye(2)[(x[:, 0] > 0).long()],
    "undecided": lambda x: torch.full((len(x), 2), 0.5),
}


@pytest.mark.parametrize(("answers", "expected"), [("numbers", [1, 1, 0]), ("certain", [1, 1, 0]), ("undecided", [0, 0, 1])])
@pytest.mark.parametrize("spec", [PLAIN, UNITS])
def test_regions_of_classes_have_their_colours_mixed_as_the_probabilities(answers, expected, spec) -> None:
    picture = regions_plot(spec, batch(), LEFT_RIGHT[answers], ("a", "b"))
    colours = [PALE[0], PALE[1], (PALE[0] + PALE[1]) / 2]
    assert [share_of(picture, colour) > 0.15 for colour in colours] == [bool(one) for one in expected]


def test_regions_that_are_no_classes_lend_their_colours_only_where_there_are_no_classes() -> None:
    tinted = [
        share_of(regions_plot(PLAIN, batch(labels), LEFT_RIGHT["numbers"], ("", "")), PALE[0]) > 0.15
        for labels in (True, False)
    ]
    assert tinted == [False, True]


def test_k_means_draws_its_cells_on_the_plane_and_nothing_elsewhere() -> None:
    shown = {
        data: built(*small("kmeans"), f"data={data}", "trainer.show_every=never").trainer.images() for data in ("moons", "iris")
    }
    assert list(shown["moons"]) == ["clusters", "confusion"]
    assert list(shown["iris"]) == ["confusion"]


def test_centres_lie_where_the_model_has_them_and_within_the_frame(monkeypatch) -> None:
    drawn = []
    monkeypatch.setattr(regions, "marks", lambda axes, xy, name: drawn.append((axes.get_xlim(), axes.get_ylim(), xy)))
    centres = torch.tensor([[0.5, -1.0], [9.0, 2.0]])
    regions_plot(UNITS, batch(), LEFT_RIGHT["numbers"], ("", ""), centres)
    ((left, right), (bottom, top), xy) = drawn[0]
    np.testing.assert_allclose(xy, [[110, -5.1], [280, -4.8]])
    assert left < 280 < right
    assert bottom < -5.1 < -4.8 < top
