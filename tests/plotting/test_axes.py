"""Points of the plane as plots: which are drawn, where, and in which units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import QUIET, built, small
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from nnlab.data.spec import Batch, DataSpec
from nnlab.plotting import charts, plane
from nnlab.plotting.axes import FAINT, FONT, INK, PALETTE, Points, canvas, colours, dots, joined, scatter
from nnlab.plotting.picture import enlarged, headed, save
from nnlab.plotting.plane import plane_pictures

SPEC = DataSpec("any", "table", (2,), ("a", "b"), -3.0, 3.0, False, ("width", "height"), (100.0, -5.0), (20.0, 0.1))
SQUARE = np.array([[0.0, 0.0], [1.0, 1.0]])


class Shift:
    """A model that moves every point by one standard deviation, and samples a single place."""

    def __init__(self, spec: DataSpec = SPEC) -> None:
        self.spec = spec

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1

    def sample(self, n: int, generator: torch.Generator | None = None) -> torch.Tensor:
        return torch.full((n, 2), 0.5)


def batch(n: int = 50) -> Batch:
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(0))
    return Batch(x, x, label=torch.arange(n) % 2)


def has(picture: np.ndarray, colour: str) -> bool:
    near = np.abs(picture / 255 - np.array(to_rgb(colour))).max(-1) < 0.02
    return near.sum() > 100  # more than the edges of letters


def test_a_plot_holds_the_colours_of_its_classes_and_of_no_other():
    with canvas(("x", "y"), SQUARE) as drawn:
        scatter(drawn.axes, Points(SQUARE, np.array([0, 1])), ("a", "b"), alpha=1)
    assert [has(drawn.pixels, colour) for colour in (*PALETTE[:3], FAINT)] == [True, True, False, False]
    assert [text.get_text() for text in drawn.axes.figure.legends[0].get_texts()] == ["a", "b"]


def test_points_without_labels_are_gray():
    with canvas(("x", "y"), SQUARE) as drawn:
        scatter(drawn.axes, Points(SQUARE), ("a",), alpha=1)
    assert has(drawn.pixels, FAINT)
    assert not has(drawn.pixels, PALETTE[0])


@pytest.mark.parametrize("count", [1, 7, 8, 40])
def test_every_class_has_a_colour_of_its_own(count):
    assert len(set(colours(count))) == count


def test_a_picture_has_the_width_of_a_slide_and_comes_back_the_same():
    def draw() -> np.ndarray:
        with canvas(("x", "y"), SQUARE) as drawn:
            dots(drawn.axes, SQUARE, "sample")
        return drawn.pixels

    picture = draw()
    assert (picture.shape[1:], picture.dtype) == ((960, 3), np.uint8)
    assert np.array_equal(picture, draw())


@pytest.mark.parametrize(("height", "equal"), [(0.5, True), (2.0, True), (50.0, False), (0.001, False)])
def test_spans_that_are_alike_are_drawn_to_one_scale(height, equal):
    with canvas(("x", "y"), SQUARE * [1, height]) as drawn:
        pass
    assert (drawn.axes.get_aspect() == 1) == equal
    (left, right), (bottom, top) = drawn.axes.get_xlim(), drawn.axes.get_ylim()
    assert left < 0 < 1 < right
    assert bottom < 0 < height < top


def test_what_lies_beyond_the_frame_is_counted():
    with canvas(("x", "y"), SQUARE) as drawn:
        dots(drawn.axes, np.array([[0.5, 0.5], [9, 0.5], [0.5, -9]]), "sample")
    assert drawn.axes.get_legend_handles_labels()[1] == ["sample (2 beyond)"]


def test_a_line_joins_each_pair_and_leaves_the_frame_alone():
    with canvas(("x", "y"), SQUARE) as drawn:
        before = drawn.axes.get_xlim()
        joined(drawn.axes, SQUARE, SQUARE + 7)
    assert drawn.axes.get_xlim() == before
    assert [s.tolist() for s in drawn.axes.collections[0].get_segments()] == [[[0, 0], [7, 7]], [[1, 1], [8, 8]]]


@pytest.fixture
def drawings(monkeypatch):
    """The axes of every plot that is drawn."""
    found = []

    def kept(*arguments):
        made = canvas(*arguments)
        enter = made.__enter__
        made.__class__ = type("Kept", (type(made),), {"__enter__": lambda self: found.append(enter()) or found[-1]})
        return made

    monkeypatch.setattr(plane, "canvas", kept)
    return found


def test_plots_are_in_the_units_and_under_the_names_of_the_file(drawings):
    given = batch()
    pictures = plane_pictures(Shift(), [given], torch.Generator())
    assert list(pictures) == ["reconstruction", "sample"]
    reconstruction, sample = (drawn.axes for drawn in drawings)
    for axes in (reconstruction, sample):
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("width", "height")
    lines, *_ = reconstruction.collections
    moves = np.array([end - start for start, end in lines.get_segments()])
    assert np.allclose(moves, [20.0, 0.1]), "one standard deviation"
    outputs = reconstruction.collections[-1].get_offsets()
    assert np.allclose(outputs, (given.input + 1).numpy() * [20, 0.1] + [100, -5], atol=1e-4)
    assert np.allclose(sample.collections[-1].get_offsets(), [110, -4.95])
    assert len(sample.collections[-1].get_offsets()) == 50, "as many samples as data"


def test_no_more_pairs_are_joined_than_can_be_told_apart(drawings):
    plane_pictures(Shift(), [batch(400), batch(500)], torch.Generator())
    assert len(drawings[0].axes.collections[0].get_segments()) == plane.PAIRS


def test_corrupted_inputs_stand_before_the_clean_data(drawings):
    clean = batch()
    noisy = Batch(clean.target + 0.3, clean.target, torch.ones(50, 2, dtype=torch.bool), clean.label)
    plane_pictures(Shift(), [noisy], torch.Generator())
    assert drawings[0].axes.get_legend_handles_labels()[1][:3] == ["clean data", "input: a", "input: b"]


@pytest.mark.parametrize("columns", [1, 3])
def test_nothing_is_drawn_of_a_table_with_other_columns(columns):
    spec = DataSpec("any", "table", (columns,))
    assert plane_pictures(Shift(spec), [], torch.Generator()) == {}


@pytest.mark.parametrize(("model", "expected"), [("ae", ["reconstruction"]), ("vae", ["reconstruction", "sample"])])
def test_what_a_trainer_shows_follows_from_the_spec(model, expected):
    shown = {data: built(*small(model), f"data={data}", *QUIET).trainer.images() for data in ("moons", "iris", "digits")}
    assert list(shown["moons"]) == expected
    assert list(shown["iris"]) == ["embedding"]
    assert "traversal" in shown["digits"]
    assert has(shown["moons"]["reconstruction"], INK)


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_a_chart_is_written_in_lines_and_letters(kind: str) -> None:
    chart = headed(charts.kl_chart(torch.tensor([3.0, 0.5, 0.0])), "vae on digits", "epoch 3")
    for name, picture in {"chart": enlarged(chart, 2), "pixels": np.asarray(chart).copy()}.items():
        save(picture, Path(f"{name}.{kind}"), metadata={"Title": "vae on digits", "Step": "7"})
    chart, pixels = (Path(f"{name}.{kind}").read_bytes() for name in ("chart", "pixels"))
    image = {"svg": b"<image", "pdf": b"/Subtype /Image"}[kind]
    assert image not in chart
    assert image in pixels
    assert b"vae on digits" in chart
    assert b"Step: 7" in chart
    again = headed(charts.kl_chart(torch.tensor([3.0, 0.5, 0.0])), "vae on digits", "epoch 3")
    save(again, Path(f"again.{kind}"), metadata={"Title": "vae on digits", "Step": "7"})
    assert Path(f"again.{kind}").read_bytes() == chart, "no time of day is in it"
    if kind == "svg":
        assert b"<path" in chart


def test_what_is_cut_out_of_a_chart_is_pixels_alone() -> None:
    chart = charts.kl_chart(torch.tensor([3.0, 0.5]))
    assert chart.figure is not None
    assert getattr(chart[:10], "figure", None) is None
    assert getattr(np.concatenate([chart, chart]), "figure", None) is None


LONG = ("codes of the first encoder (256)", "codes of the second encoder (64)", "raw pixels (784)", "PCA (256)", "another (8)")
WIDE = np.array([[-9.0, -1.0], [9.0, 1.0]])


def inside(figure: Figure) -> bool:
    """Whether all that is drawn is within the picture."""
    whole, drawn = figure.bbox, figure.get_tightbbox().transformed(figure.dpi_scale_trans)
    return drawn.x0 >= whole.x0 and drawn.x1 <= whole.x1 and drawn.y0 >= whole.y0 and drawn.y1 <= whole.y1


@pytest.mark.parametrize("frame", [SQUARE, WIDE, 0.001 * WIDE, SQUARE * [1, 99]], ids=["square", "wide", "small", "tall"])
@pytest.mark.parametrize(
    "names", [("a", "b"), LONG, (*LONG, *LONG[::-1]), ("x" * 90, "y")], ids=["short", "long", "many", "one"]
)
def test_names_of_any_length_stay_in_the_picture(frame: np.ndarray, names: tuple[str, ...]) -> None:
    """Those of the axes and those of the legend, and no name is lost."""
    labels = ("principal component 1 (88.8% of the variance)", "principal component 2 (11.2% of the variance)")
    numbered = [f"{i} {name}" for i, name in enumerate(names)]
    with canvas(labels, frame) as drawn:
        for name in numbered:
            drawn.axes.scatter([0], [0], label=name)
    figure = drawn.axes.figure
    assert inside(figure)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == numbered
    assert drawn.axes.yaxis.label.get_fontsize() >= 9


def test_names_that_fit_are_as_they_were_given() -> None:
    with canvas(("petal length (cm)", "petal width (cm)"), SQUARE) as drawn:
        drawn.axes.scatter([0], [0], label="setosa")
    assert drawn.axes.get_ylabel() == "petal width (cm)"
    assert drawn.axes.yaxis.label.get_fontsize() == drawn.axes.xaxis.label.get_fontsize() == FONT
