"""What a config's value may be, and what is said of one that may not."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Optional

import pytest

from nnlab.config.constraints import AtLeast, AtMost, Between, MoreThan, NonEmpty, complaint

Positive = Annotated[float, MoreThan(0)]
Count = Annotated[int, AtLeast(1)]
Auto = Literal["auto"] | Annotated[int, AtLeast(0)]


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (int, [0, -3, 2**63 - 1]),
        (float, [0, 0.5, -1e300, 3]),
        (bool, [True, False]),
        (str, ["", "None", "3"]),
        (Any, [None, 1, "x", [1]]),
        (Count, [1, 10**9]),
        (Positive, [1e-300, 1]),
        (Annotated[float, Between(0, 1)], [0, 1, 0.5]),
        (Annotated[float, MoreThan(0), Between(0, 1)], [1, 0.1]),
        (Literal["relu", "tanh"], ["relu", "tanh"]),
        (Literal[0, 1], [0, 1]),
        (int | None, [None, "none", 4]),
        (Optional[Count], [None, "none", 4]),  # noqa: UP045 — the spelling of torch's own signatures
        (Auto, ["auto", 0, 500]),
        (list[Count], [[], [1], [3, 2, 1]]),
        (Annotated[list[Count], NonEmpty()], [[1]]),
        (tuple[Count, Count], [[2, 3], (2, 3)]),
        (Count | tuple[Count, Count] | None, [64, [5, 7], "none"]),
        (list[list[int]], [[[1], [], [2, 3]]]),
    ],
)
def test_a_legal_value_gets_no_complaint(annotation, values):
    assert [complaint(annotation, value) for value in values] == [None] * len(values)


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (int, [1.0, True, "3", None, "none", [3]]),
        (int, [2**63, -(10**400), 10**5000]),  # no machine's number holds it
        (float, [float("nan"), float("inf"), True, "0.5", None]),
        (float, [10**400]),  # no double holds it
        (bool, [0, 1, "true", "off", None]),
        (str, [3, None, True, ["a"]]),
        (Count, [0, -1, 1.0, "auto"]),
        (Positive, [0, -1e-300, float("inf")]),
        (Annotated[float, Between(0, 1)], [-0.01, 1.01, float("nan")]),
        (Annotated[float, MoreThan(0), Between(0, 1)], [0, 1.5]),
        (Literal["relu", "tanh"], ["Relu", "", None, 3, ["relu"]]),
        (Literal[0, 1], [True, False, "0", 2]),
        (int | None, ["null", 1.5, False]),
        (Auto, ["Auto", -1, None, 0.5]),
        (list[Count], [3, "3", [0], [1, 2.0], (1,), None]),
        (Annotated[list[Count], NonEmpty()], [[], [0], 3]),
        (tuple[Count, Count], [[2], [2, 3, 4], [2, 0], 2, "23"]),
    ],
)
def test_an_illegal_value_gets_one(annotation, values):
    assert all(complaint(annotation, value) for value in values)


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (Annotated[float, AtLeast(0)], -1, "expected a number ≥ 0, got -1"),
        (int, 1.5, "expected a whole number, got 1.5"),
        (int, "many", "expected a whole number, got 'many'"),
        (float, None, "expected a number, got none"),
        (bool, "yes", "expected true or false, got 'yes'"),
        (str, 3, "expected a text, got 3"),
        (Positive, 0, "expected a number > 0, got 0"),
        (Annotated[float, Between(0, 0.9)], 1, "expected a number between 0 and 0.9, got 1"),
        (Literal["relu", "tanh"], "rleu", "expected relu or tanh, got 'rleu'"),
        (Count | None, 0, "expected a whole number ≥ 1 or none, got 0"),
        (int, 10**20, "expected a whole number, got one of more than 64 bits"),
        (Auto, -5, "expected auto or a whole number ≥ 0, got -5"),
        (list[Count], [1, 0], "expected a list of whole numbers ≥ 1, got [1, 0]"),
        (list[str], "a", "expected a list of texts, got 'a'"),
        (Annotated[list[int], NonEmpty()], [], "expected a list of whole numbers that is not empty, got []"),
        (Annotated[float, MoreThan(0), AtMost(1)], 2, "expected a number > 0 and ≤ 1, got 2"),
        (Annotated[float, MoreThan(0), AtMost(1)], 0, "expected a number > 0 and ≤ 1, got 0"),
        (tuple[Count, float], [1], "expected [a whole number ≥ 1, a number], got [1]"),
    ],
)
def test_a_complaint_says_what_was_expected_and_what_came(annotation, value, message):
    assert complaint(annotation, value) == message
