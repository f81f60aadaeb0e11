"""What a chart draws is what was recorded."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from reports import Page, made, records

from nnlab.reporting.charts import LINES, POINTS, Chart, Curve, charts, drawn, fitting, legend, spans, thinned, ticks
from nnlab.reporting.facts import read
from nnlab.reporting.words import Words

EN = Words("en")


def a_curve(value: np.ndarray, **more) -> Curve:
    epoch = np.arange(1.0, len(value) + 1)
    return Curve(0, epoch, 10 * epoch, np.asarray(value, dtype=float), **more)


def axis(page: Page, html: str, anchor: str) -> np.ndarray:
    """(K, 2): the numbers of an axis, and where they stand."""
    place = "x" if anchor == "middle" else "y"
    found = re.findall(rf'<text x="([\d.]+)" y="([\d.]+)" text-anchor="{anchor}">([-\d.e+]+)</text>', html)
    return np.array([(float(text), float(x) if place == "x" else float(y)) for x, y, text in found])


@pytest.mark.parametrize("values", [[300.0, 250.0, 251.5], [1e-7, 3e-7, 2e-7], [-5.0, 0.0, 1e6], [1.0, 1.0, 1.0]])
def test_a_point_lies_where_the_axes_say(values: list[float]) -> None:
    html = drawn(Chart("loss", [a_curve(np.array(values))], True), legend([read_run(values)], EN), EN)
    across, up = axis(Page(html), html, "middle"), axis(Page(html), html, "end")
    points = np.array([point.split() for point in re.search(r' d="M([^"]+)"', html)[1].split("L")], dtype=float)
    epoch = np.polyval(np.polyfit(across[:, 1], across[:, 0], 1), points[:, 0])
    assert epoch == pytest.approx([1, 2, 3], abs=0.01)
    if len(set(values)) > 1:
        value = np.polyval(np.polyfit(up[:, 1] - 4, up[:, 0], 1), points[:, 1])
        assert value == pytest.approx(values, abs=0.005 * np.ptp(values))


def read_run(values: list[float]):
    import tempfile

    return read("a", made(f"{tempfile.mkdtemp(dir='.')}/run", values=values))


def test_the_script_is_given_every_record(own_folder) -> None:
    run = read("a", made("run"))
    html = "".join(drawn(chart, legend([run], EN), EN) for chart in charts([run]))
    told = dict(zip((c.name for c in charts([run])), Page(html).curves(), strict=True))
    assert set(told) == {"loss", "lr", "psnr"}, "neither n nor what the test alone has"
    for name, curves in told.items():
        for curve in curves:
            split = ("train", "validation")[curve["key"]]
            mine = [r for r in records() if r["split"] == split]
            assert curve["value"] == [r[name] for r in mine]
            assert curve["epoch"] == [r["epoch"] for r in mine]
            assert curve["step"] == [r["step"] for r in mine]
    best = [curve["best"] for curve in told["loss"]]
    assert best == [None, [2.0, 250.0]]


def test_the_most_important_curves_come_first(own_folder) -> None:
    one = read("a", made("run"))
    assert [(chart.name, chart.main) for chart in charts([one])] == [("loss", True), ("lr", False), ("psnr", False)]
    several = [one, read("b", made("other"))]
    named = [(chart.name, chart.main, len(chart.curves)) for chart in charts(several)]
    assert named[:2] == [("validation/loss", True, 2), ("train/loss", True, 2)]
    assert set(named[2:]) == {("validation/psnr", False, 2), ("train/lr", False, 2)}


def test_every_run_has_its_own_line(own_folder) -> None:
    runs = [read(str(i), made(f"run{i}")) for i in range(20)]
    keys = legend(runs, EN)
    assert len({(key.colour, key.dash) for key in keys}) == 20
    assert [key.name for key in keys][:2] == ["1. 0", "2. 1"]


def test_a_long_curve_keeps_its_ends_its_extremes_and_its_best() -> None:
    value = np.random.default_rng(0).normal(size=10_000)
    value[1234], value[7777] = 50.0, -50.0
    curve = a_curve(value, best=(5001.0, float(value[5000])))
    short = thinned(curve, 100)
    assert len(short.value) <= 100
    assert {value[0], value[-1], 50.0, -50.0, value[5000]} <= set(short.value.tolist())
    rows = (short.epoch - 1).astype(int)
    assert (short.value == value[rows]).all()
    assert (short.step == 10 * short.epoch).all()
    assert (np.diff(short.epoch) > 0).all()
    assert thinned(a_curve(value[:100]), 100).value.tolist() == value[:100].tolist()


def test_a_page_holds_so_many_points_and_no_more() -> None:
    many = [Chart(str(i), [a_curve(np.arange(500.0))] * 20, i == 0) for i in range(LINES // 20 + 3)]
    kept, left, points = fitting(many)
    assert sum(len(curve.value) for chart in kept for curve in chart.curves) <= POINTS
    assert max(len(curve.value) for chart in kept for curve in chart.curves) <= points
    assert left == [chart.name for chart in many[len(kept) :]]
    assert len(left) == 3
    assert fitting([Chart("short", [a_curve(np.arange(9.0))], True)])[1:] == ([], 0)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (1, 6), (282.7, 391.1), (-3e-9, 5e-9), (1e6, 1e6 + 3), (-1e99, 1e99), (0.1, 0.7)]
)
def test_ticks_are_few_round_and_inside(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 2 <= len(found) <= 8
    assert all(low <= tick <= high for tick in found)
    step = found[1] - found[0]
    assert np.diff(found) == pytest.approx(step)
    first = step / 10 ** math.floor(math.log10(step * 1.0001))
    assert min(abs(first - m) for m in (1, 2, 5)) < 0.01
    assert all(len(f"{tick:.10g}") < 12 for tick in found)


def test_a_stranger_breaks_no_chart(own_folder) -> None:
    folder = made("run")
    bad = [
        {"step": 1, "epoch": "x", "split": "train", "loss": 1.0},
        {"step": 2, "epoch": 1, "split": ["train"], "loss": 1.0},
        {"epoch": 1, "split": "train", "loss": 1.0},
        {"step": 3, "epoch": 1, "split": "train", "loss": True, "lr": "fast"},
        {"step": 4, "epoch": 2, "split": "train", "loss": 10**400},
        {"step": 5, "epoch": 3, "split": "train", "loss": 1e300},
        {"step": 6, "epoch": 4, "split": "train", "loss": -1e300},
    ]
    lines = [*map(json.dumps, bad), '{"step": 6, "epoch": 4, "split": "train", "loss": NaN}', "[]", "{", "\x00"]
    folder.metrics.write_text("\n".join(lines))
    assert charts([read("a", folder)]) == []


def test_the_range_of_a_chart_has_room() -> None:
    (left, right), (low, high) = spans([a_curve(np.array([1.0, 3.0])), a_curve(np.array([-1.0, 2.0, 2.0]))])
    assert (left, right) == (1, 3)
    assert low < -1
    assert high > 3
    assert high - low < 5
