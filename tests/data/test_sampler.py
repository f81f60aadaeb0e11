"""Which examples are in a batch."""

from __future__ import annotations

import pytest
import torch

from nnlab.data.sampler import GroupSampler, Sampler, hash_seed
from nnlab.data.split import Split
from nnlab.errors import BadInput

ROWS = torch.arange(3, 50, 2)
SPLIT = Split.of(torch.zeros(50, 1), torch.arange(50) % 7, ROWS)


def sampler(seed: int = 0, size: int = 5, **options) -> Sampler:
    return Sampler(SPLIT, size, seed, **options)


@pytest.mark.parametrize("epoch", [0, 1, 100])
def test_an_epoch_holds_each_row_once(epoch: int) -> None:
    steps = range(5 * epoch, 5 * epoch + 5)
    assert torch.cat([sampler().rows(0, step) for step in steps]).sort().values.equal(ROWS)


def test_an_order_depends_on_seed_stage_and_epoch_alone() -> None:
    places = [(seed, stage, epoch) for seed in range(4) for stage in range(3) for epoch in range(4)]
    orders = {(seed, *place): sampler(seed).order(*place).tolist() for seed, *place in places}
    one = sampler(2)
    one.order(1, 1)
    torch.rand(7)
    assert one.order(0, 3).tolist() == orders[2, 0, 3]
    assert len({tuple(order) for order in orders.values()}) == len(places)


def test_the_length_of_an_epoch_is_that_of_its_order() -> None:
    """What a captured step takes its numbers from."""
    split = Split.of(torch.zeros(54, 1), torch.arange(54) % 7, torch.arange(54))
    for known in (
        Sampler(split, 16, 0),
        Sampler(split, 16, 0, drop_last=True),
        GroupSampler(split, 16, 0, 4),
        GroupSampler(split, 60, 0, 4),
    ):
        n = sum(len(known.rows(0, step)) for step in range(known.steps_per_epoch))
        assert n == known.images_per_epoch
        whole, rest = divmod(n, known.batch_size)
        assert [len(known.rows(0, step)) for step in range(whole)] == [known.batch_size] * whole
        assert known.steps_per_epoch == whole + (rest > 0)


@pytest.mark.parametrize(("size", "drop_last", "sizes"), [(5, False, [5, 5, 5, 5, 4]), (5, True, [5] * 4), (30, True, [24])])
def test_a_last_smaller_batch_is_kept_or_left_out_but_never_the_only_one(size: int, drop_last: bool, sizes: list[int]) -> None:
    batches = sampler(size=size, drop_last=drop_last)
    assert [len(batches.rows(0, step)) for step in range(batches.steps_per_epoch)] == sizes
    assert batches.images_per_epoch == sum(sizes)


def test_a_pass_reads_the_file_in_its_order() -> None:
    assert torch.cat([sampler().sequential(step) for step in range(5, 10)]).equal(ROWS)


def test_hash_seed_separates_every_pair_of_small_numbers() -> None:
    pairs = [(seed, number) for seed in range(100) for number in range(-2, 100)]
    seeds = {hash_seed(*pair) for pair in pairs}
    assert len(seeds) == len(pairs)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_hash_seed_changes_half_the_bits_from_one_number_to_the_next() -> None:
    changed = [(hash_seed(0, i) ^ hash_seed(0, i + 1)).bit_count() for i in range(1000)]
    assert abs(sum(changed) / 1000 - 63 / 2) < 1
    assert (hash_seed(0, 1) ^ hash_seed(1, 0)).bit_count() > 15


def test_a_batch_of_groups_holds_pairs_of_a_class_side_by_side_and_each_example_once_per_epoch() -> None:
    split = Split.of(torch.zeros(91, 1), torch.arange(91) % 9)
    batches = GroupSampler(split, 12, seed=3, each=2)
    epochs = []
    for epoch in range(2):
        rows = torch.cat([batches.rows(0, epoch * batches.steps_per_epoch + step) for step in range(batches.steps_per_epoch)])
        labels = split.labels(rows)
        assert torch.equal(labels[0::2], labels[1::2])
        assert len(rows.unique()) == len(rows) == batches.images_per_epoch
        epochs.append(rows)
    assert not torch.equal(*epochs)
    again = GroupSampler(split, 12, seed=3, each=2)
    assert torch.equal(again.rows(0, 3), batches.rows(0, 3))
    small = GroupSampler(split, 200, seed=3, each=2)
    assert (small.steps_per_epoch, len(small.rows(0, 0)), small.length(0)) == (1, 90, 90)


def test_groups_need_a_class_with_enough_examples() -> None:
    with pytest.raises(
        BadInput, match="learns from 2 examples of a class together, but no class has so many; give more data, or a smaller"
    ):
        GroupSampler(Split.of(torch.zeros(3, 1), torch.arange(3)), 4, 0, 2)
    with pytest.raises(BadInput, match="5 examples, no multiple of 2"):
        GroupSampler(SPLIT, 5, 0, 2)
    with pytest.raises(BadInput, match="no labels"):
        GroupSampler(Split.of(torch.zeros(9, 1)), 4, 0, 2)
