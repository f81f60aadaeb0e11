"""Schedules of the learning rate, update by update."""

from __future__ import annotations

from itertools import pairwise

import pytest

from nnlab.nn.scheduled import Scheduled
from nnlab.nn.schedules import Constant, Cosine, Linear, Milestones, Schedule, StageLength, Step

CLOCK = StageLength(total=400, per_epoch=10)
ALL = [
    Constant(),
    Linear(final=0.1),
    Linear(warmup=2.0),
    Cosine(),
    Cosine(final=0.1, warmup=3.0),
    Step(every=7.0),
    Step(every=1.5, factor=0.5, warmup=2.5),
    Milestones(at=[1.0, 3.5], factor=0.3, warmup=1.5),
]


def factors(schedule: Schedule, clock: StageLength = CLOCK, n: int | None = None) -> list[float]:
    return [schedule.factor(step, clock) for step in range(n or clock.total)]


@pytest.mark.parametrize("schedule", ALL)
@pytest.mark.parametrize("clock", [CLOCK, StageLength(7, 3), StageLength(1, 1), StageLength(20, 10)])
def test_a_factor_is_above_0_and_never_exceeds_1(schedule, clock):
    assert all(0 < factor <= 1 for factor in factors(schedule, clock))


@pytest.mark.parametrize("shape", [Constant, Cosine, Step])
@pytest.mark.parametrize("warmup", [0.1, 1.0, 2.5, 4.0])
def test_warm_up_rises_by_equal_steps_to_1(shape, warmup):
    rise = round(warmup * CLOCK.per_epoch)
    seen = [0.0, *factors(shape(warmup=warmup), n=rise + 1)]
    assert [b - a for a, b in pairwise(seen)] == pytest.approx([1 / (rise + 1)] * (rise + 1))
    assert seen[-1] == 1


def test_warm_up_of_a_broken_number_of_updates_reaches_1_too():
    seen = factors(Constant(warmup=0.25), n=5)  # 2.5 updates
    assert seen == pytest.approx([1 / 3, 2 / 3, 1, 1, 1])


def test_no_warm_up_begins_at_1():
    assert [schedule.factor(0, CLOCK) for schedule in (Constant(), Cosine(), Step())] == [1, 1, 1]


@pytest.mark.parametrize("final", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("warmup", [0.0, 2.5])
def test_cosine_falls_from_1_to_its_final_factor(final, warmup):
    schedule = Cosine(final=final, warmup=warmup)
    seen = factors(schedule)[round(warmup * 10) :]
    assert seen == sorted(seen, reverse=True)
    assert schedule.factor(CLOCK.total, CLOCK) == pytest.approx(final)
    assert seen[-1] - final < 1e-4  # the last update is one before the end
    assert schedule.factor(CLOCK.total + 100, CLOCK) == pytest.approx(final)


def test_cosine_is_halfway_in_the_middle_and_symmetric_about_it():
    seen = [*factors(Cosine(final=0.2)), 0.2]
    assert seen[200] == pytest.approx(0.6)
    assert [a + b for a, b in zip(seen, seen[::-1], strict=True)] == pytest.approx([1.2] * 401)


@pytest.mark.parametrize(
    ("warmup", "every", "per_epoch", "start", "updates"),
    [
        (0.0, 10.0, 10, 0, 100),
        (0.0, 2.5, 10, 0, 25),
        (0.0, 1.0, 7, 0, 7),
        (2.0, 1.5, 10, 20, 15),
        (0.0, 1.1, 430, 0, 473),  # 1.1 · 430 is a little more than 473 in binary
        (1.1, 2.0, 430, 473, 860),
    ],
)
def test_step_falls_at_the_first_update_of_each_period(warmup, every, per_epoch, start, updates):
    schedule, clock = Step(every=every, factor=0.5, warmup=warmup), StageLength(10**6, per_epoch)
    for period in range(1, 4):
        first = start + period * updates
        assert [schedule.factor(step, clock) for step in (first - 1, first)] == [0.5 ** (period - 1), 0.5**period]


def test_milestones_of_equal_distances_are_steps():
    assert factors(Milestones(at=[10.0, 20.0, 30.0], factor=0.5, warmup=2.0)) == factors(
        Step(every=10.0, factor=0.5, warmup=2.0)
    )


def test_a_milestone_is_passed_at_its_first_update_in_whatever_order_they_stand():
    schedule, clock = Milestones(at=[4.0, 1.1], factor=0.5), StageLength(10**6, 430)
    assert [schedule.factor(step, clock) for step in (472, 473, 1719, 1720)] == [1, 0.5, 0.5, 0.25]


def test_the_rate_is_the_base_times_the_factor():
    scheduled = Scheduled(3e-4, Cosine(warmup=1.0))
    assert [scheduled.at(step, CLOCK) for step in (0, 10, 205)] == pytest.approx([3e-4 / 11, 3e-4, 1.5e-4])


def test_linear_falls_by_equal_steps_to_its_end():
    seen = [*factors(Linear(final=0.2, warmup=4.0))[40:], 0.2]
    assert [a - b for a, b in pairwise(seen)] == pytest.approx([0.8 / 360] * 360)
