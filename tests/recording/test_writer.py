"""A thread that writes: nothing is lost, nothing changes places, and its errors are heard."""

from __future__ import annotations

import threading

import pytest

from nnlab.recording.writer import BackgroundWriter


@pytest.fixture
def writer():
    made = BackgroundWriter()
    yield made
    made.close()


@pytest.fixture
def held(writer):
    """A writer that is busy until it is let go: (let go, what has been done since)."""
    gate, began, done = threading.Event(), threading.Event(), []

    def wait() -> None:
        began.set()
        gate.wait(10)

    writer.post(wait)
    assert began.wait(10)
    yield gate.set, done
    gate.set()


def test_jobs_are_done_in_the_order_given_and_in_another_thread(writer):
    done: list[tuple[int, threading.Thread]] = []
    for number in range(100):
        writer.post(lambda number=number: done.append((number, threading.current_thread())))
    writer.drain()
    assert [number for number, _ in done] == list(range(100))
    assert {thread for _, thread in done} != {threading.current_thread()}


def test_giving_a_job_does_not_wait_for_the_one_before(writer, held):
    let_go, done = held
    writer.post(lambda: done.append(1))
    assert done == []
    let_go()
    writer.drain()
    assert done == [1]


def test_of_two_waiting_states_of_one_name_the_newer_counts_at_its_own_place(writer, held):
    let_go, done = held
    for name, replaces in (("old", "last"), ("record", None), ("best", "best"), ("new", "last")):
        writer.post(lambda name=name: done.append(name), replaces)
    let_go()
    writer.drain()
    assert done == ["record", "best", "new"]


def test_an_error_is_raised_by_the_next_call_and_what_waits_behind_it_is_not_done(writer, held):
    let_go, done = held

    def fail() -> None:
        raise OSError("the disk is full")

    writer.post(fail)
    writer.post(lambda: done.append("behind"))
    let_go()
    with pytest.raises(OSError, match="full"):
        writer.drain()
    writer.post(lambda: done.append("after"))
    writer.drain()
    assert done == ["after"]


def test_closing_does_what_is_left(held):
    writer, done = BackgroundWriter(), []
    for number in range(10):
        writer.post(lambda number=number: done.append(number))
    writer.close()
    assert done == list(range(10))


def test_a_job_knows_that_it_is_one(writer):
    answers = []
    writer.post(lambda: answers.append(writer.works_here()))
    writer.drain()
    assert answers == [True]
    assert not writer.works_here()
