"""Means of the training terms, and the first value that is not finite."""

from __future__ import annotations

import math

import pytest
import torch

from nnlab.training.meter import Meter

STEPS = 40
VALUES = torch.randn((STEPS, 2), generator=torch.Generator().manual_seed(0)) * 100
WEIGHTS = [*([128] * (STEPS - 1)), 37]


def fill(meter: Meter, steps: range) -> None:
    for step in steps:
        meter.add({"loss": VALUES[step, 0], "kl": VALUES[step, 1]}, WEIGHTS[step])


def meter_read_at(looks: list[int]) -> Meter:
    """A meter of all steps, looked at after these."""
    meter = Meter()
    for first, last in zip([0, *looks], [*looks, STEPS], strict=True):
        fill(meter, range(first, last))
        assert meter.look() is None
    return meter


def test_a_mean_is_weighted_by_the_images_of_each_step():
    expected = (VALUES.double() * torch.tensor(WEIGHTS)[:, None]).sum(0) / sum(WEIGHTS)
    means = meter_read_at([]).window.take()
    assert list(means) == ["loss", "kl"]
    assert list(means.values()) == pytest.approx(expected.tolist(), rel=1e-12)


@pytest.mark.parametrize("looks", [[1], [20], [3, 4, 39], list(range(1, STEPS)), [7, 7]])
def test_the_bits_do_not_depend_on_when_someone_looked(looks):
    assert meter_read_at(looks).window.take() == meter_read_at([]).window.take()
    assert meter_read_at(looks).epoch.take() == meter_read_at([]).epoch.take()


def test_window_and_epoch_start_anew_each_on_its_own():
    meter = Meter()
    fill(meter, range(10))
    meter.look()
    first = meter.window.take()
    assert meter.window.take() == {}
    fill(meter, range(10, 20))
    meter.look()
    second, epoch = meter.window.take(), meter.epoch.take()
    assert epoch["kl"] == pytest.approx((first["kl"] + second["kl"]) / 2)
    assert first["kl"] != second["kl"]


def test_a_meter_brought_back_goes_on_to_the_same_bits():
    before, after = Meter(), Meter()
    fill(before, range(15))
    before.look()
    after.restore(before.state())
    fill(after, range(15, STEPS))
    after.look()
    assert after.epoch.take() == meter_read_at([15]).epoch.take()


def test_restoring_forgets_what_nobody_had_looked_at():
    meter = Meter()
    fill(meter, range(10))
    meter.look()
    saved = meter.state()
    fill(meter, range(10, 30))
    meter.restore(saved)
    assert meter.look() is None
    assert meter.window.take()["loss"] == pytest.approx(VALUES[:10, 0].mean().item(), rel=1e-5)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("spoilt", "blamed"),
    [(["kl"], "kl"), (["loss"], "loss"), (["loss", "kl"], "kl"), (["loss", "reconstruction"], "reconstruction")],
)
def test_the_first_value_that_is_not_finite_is_located(value, spoilt, blamed):
    meter = Meter()
    good = {name: torch.tensor(1.0) for name in ("loss", "reconstruction", "kl")}
    for step in range(10):
        bad = {name: torch.tensor(value) for name in spoilt} if step >= 6 else {}
        meter.add(good | bad, 1)
        if step == 3:
            assert meter.look() is None
    trouble = meter.look()
    assert (trouble.offset, trouble.term) == (2, blamed)  # steps 4 and 5 were good
