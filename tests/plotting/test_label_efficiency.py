"""Accuracy by labels: a line for each of a few encoders, a row of dots for each of many."""

from __future__ import annotations

from nnlab.plotting.label_efficiency import MOST, probe_chart


def found(n: int) -> dict[str, list[tuple[int, float, float | None]]]:
    return {f"encoder {i}": [(10, 0.3 + 0.01 * i, 0.02), (1000, 0.9 - 0.05 * i, None)] for i in range(n)}


def test_few_encoders_are_lines_over_the_number_of_labels() -> None:
    (axes,) = probe_chart(found(MOST), "digits").figure.axes
    assert axes.get_xscale() == "log"
    assert len(axes.containers) == MOST


def test_many_encoders_are_rows_with_the_best_on_average_above() -> None:
    (axes,) = probe_chart(found(MOST + 1), "digits").figure.axes
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert names == [f"encoder {i}" for i in reversed(range(MOST + 1))], "the top is the last"
    assert len(axes.containers) == 2
    points = axes.containers[1].lines[0]
    assert points.get_xdata()[-1] == 90
    assert axes.containers[0].get_label() == "10 labels"
