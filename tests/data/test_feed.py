"""How indices become batches."""

from __future__ import annotations

import pytest
import torch
from conftest import built

from nnlab.data.feed import BatchBuilder, hash_seed
from nnlab.data.noise.masking import Masking
from nnlab.data.spec import DataSpec
from nnlab.data.split import Split

SPEC = DataSpec("bytes", "image", (1, 4, 4))
X = torch.randint(0, 256, (50, 1, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
ROWS = torch.arange(3, 50, 2)
SPLIT = Split(X, torch.arange(50), ROWS, 1 / 255)


def feed(noise=None) -> BatchBuilder:
    return BatchBuilder(SPLIT, noise and noise(SPEC))


@pytest.mark.parametrize("epoch", [0, 1, 100])
def test_an_order_is_a_permutation_of_the_splits_rows(epoch):
    assert feed().permutation(0, epoch).sort().values.equal(ROWS)


def test_an_order_depends_on_the_seed_and_the_epoch_alone():
    orders = {(seed, epoch): feed().permutation(seed, epoch).tolist() for seed in range(5) for epoch in range(5)}
    torch.rand(7)
    feed().permutation(3, 1)
    assert feed(Masking).permutation(2, 3).tolist() == orders[2, 3]
    assert len({tuple(order) for order in orders.values()}) == 25


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
    reals = Split(X.float(), None, ROWS, 0.5)
    before = reals.x.clone()
    assert reals.values(ROWS).equal(before[ROWS] * 0.5)
    assert reals.x.equal(before)
    assert reals.labels(ROWS) is None


@pytest.mark.parametrize("limit", [None, 1, 1500])
def test_in_order_yields_each_row_once_in_the_order_of_the_file(limit):
    rows = torch.arange(2500)
    split = Split(rows.float()[:, None], rows, rows, 1.0)
    batches = list(BatchBuilder(split).sequential(torch.Generator(), rows[:limit]))
    assert torch.cat([batch.label for batch in batches]).equal(rows[:limit])
    assert max(map(len, batches)) <= 1000


def test_spread_rows_are_distinct_and_reach_both_ends():
    split = Split(torch.zeros(50, 1), None, torch.arange(100, 150), 1.0)
    assert split.spread(5).tolist() == [100, 112, 124, 137, 149]
    assert split.spread(80).equal(split.rows)


def test_mix_tells_apart_every_pair_of_small_numbers():
    pairs = [(seed, number) for seed in range(100) for number in range(-2, 100)]
    seeds = {hash_seed(*pair) for pair in pairs}
    assert len(seeds) == len(pairs)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_mix_changes_half_the_bits_from_one_number_to_the_next():
    changed = [(hash_seed(0, i) ^ hash_seed(0, i + 1)).bit_count() for i in range(1000)]
    assert abs(sum(changed) / 1000 - 63 / 2) < 1
    assert (hash_seed(0, 1) ^ hash_seed(1, 0)).bit_count() > 15


def test_stored_rows_are_the_values_uncast() -> None:
    experiment = built("model=kmeans", "data=digits")
    split, feed = experiment.data.train, experiment.trainer.feed
    for rows in (split.rows[:50], split.rows[3:9], torch.arange(20, 40)):
        batch = feed.raw(rows)
        assert batch.target.dtype == torch.uint8
        assert torch.equal(batch.target * batch.scale, split.values(rows))
