"""How indices become batches."""

from __future__ import annotations

import pytest
import torch
from conftest import built

from nnlab.data.feed import BatchBuilder
from nnlab.data.noise.masking import Masking
from nnlab.data.spec import DataSpec
from nnlab.data.split import Split

SPEC = DataSpec("bytes", "image", (1, 4, 4))
X = torch.randint(0, 256, (50, 1, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
ROWS = torch.arange(3, 50, 2)
SPLIT = Split.of(X, torch.arange(50), ROWS, 1 / 255)


def feed(noise=None) -> BatchBuilder:
    return BatchBuilder(SPLIT, noise and noise(SPEC))


def test_a_batch_holds_the_rows_asked_for_times_the_scale():
    batch = feed().batch(ROWS[[4, 0, 4]], torch.Generator())
    chosen = [11, 3, 11]
    assert batch.target.equal(X[chosen].float() * torch.tensor(1 / 255))
    assert batch.label.tolist() == chosen


def test_without_noise_input_and_target_are_one_tensor():
    batch = feed().batch(ROWS, torch.Generator())
    assert batch.input is batch.target
    assert batch.mask is None


def test_noise_touches_the_input_and_never_the_target():
    batch = feed(Masking).batch(ROWS, torch.Generator().manual_seed(0))
    assert batch.target.equal(SPLIT.values(ROWS))
    assert batch.input[batch.mask].eq(0).all()
    assert batch.input[~batch.mask].equal(batch.target[~batch.mask])


def test_gathering_leaves_the_stored_array_alone():
    reals = Split.of(X.float(), None, ROWS, 0.5)
    before = reals.target.x.clone()
    assert reals.values(ROWS).equal(before[ROWS] * 0.5)
    assert reals.target.x.equal(before)
    assert reals.labels(ROWS) is None


@pytest.mark.parametrize("limit", [None, 1, 1500])
def test_in_order_yields_each_row_once_in_the_order_of_the_file(limit):
    rows = torch.arange(2500)
    split = Split.of(rows.float()[:, None], rows, rows, 1.0)
    batches = list(BatchBuilder(split).sequential(torch.Generator(), rows[:limit]))
    assert torch.cat([batch.label for batch in batches]).equal(rows[:limit])
    assert max(map(len, batches)) <= 1000


def test_spread_rows_are_distinct_and_reach_both_ends():
    split = Split.of(torch.zeros(50, 1), None, torch.arange(100, 150), 1.0)
    assert split.spread(5).tolist() == [100, 112, 124, 137, 149]
    assert split.spread(80).equal(split.rows)


def test_stored_rows_are_the_values_uncast() -> None:
    experiment = built("model=kmeans", "data=digits")
    split, feed = experiment.data.train, experiment.trainer.feed
    for rows in (split.rows[:50], split.rows[3:9], torch.arange(20, 40)):
        batch = feed.raw(rows)
        assert batch.target.dtype == torch.uint8
        assert torch.equal(batch.target * batch.scale, split.values(rows))
