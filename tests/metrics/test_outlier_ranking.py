"""The most unusual examples: found in passing, in the order of their scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnlab.data.spec import Batch
from nnlab.errors import BadInput
from nnlab.metrics.outliers import Scored, auc, ranked, scored


class Itself:
    """A model whose score is the example, a single number."""

    def score(self, x: torch.Tensor) -> torch.Tensor:
        """x, (N,): how large it is."""
        return x[:, 0]


def found(values: list[float], most: int, size: int, name: str = "test") -> Scored:
    x = torch.tensor(values)[:, None]
    y = torch.arange(len(values)) % 2
    parts = zip(x.split(size), y.split(size), strict=True)
    return scored(Itself(), name, (Batch(some, some, label=label) for some, label in parts), ("even", "odd"), most)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize("most", [1, 4, 50])
def test_the_batches_do_not_matter(size: int, most: int) -> None:
    values = [3.0, 9.0, 1.0, 9.0, 4.0, 9.0, 2.0, 7.0]
    one = found(values, most, size)
    assert one.score.tolist() == values
    assert one.places.tolist() == [1, 3, 5, 7, 4, 0, 6, 2][:most], "of equal ones the first comes first"
    assert one.worst[:, 0].tolist() == [values[place] for place in one.places]
    assert [one.class_of(place) for place in (0, 1)] == ["even", "odd"]


def test_sets_are_merged_by_score_and_each_example_keeps_its_set() -> None:
    sets = [found([3.0, 9.0, 1.0], 3, 2), found([4.0, 9.0], 3, 2, "others")]
    order = [(one.name, place) for one, place in ranked(sets)]
    assert order == [("test", 1), ("others", 1), ("others", 0), ("test", 0), ("test", 2)]
    assert [one.kept_out for one in sets] == [False, True]


def test_the_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(0)
    inside, outside = rng.integers(0, 6, 40) * 1.0, rng.integers(2, 9, 30) * 1.0
    pairs = (outside[:, None] > inside) + 0.5 * (outside[:, None] == inside)
    assert auc(inside, outside) == pytest.approx(pairs.mean())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_that_is_not_finite_is_refused_by_the_number_of_its_example(value: float) -> None:
    with pytest.raises(BadInput, match="the score of example 3 of test is not finite"):
        found([1.0, 2.0, 3.0, value, 5.0], 2, 2)
