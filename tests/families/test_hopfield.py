"""Associative memory: what is stored is where recall ends, as far as theory says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import built

from nnlab.data.spec import DataSpec
from nnlab.families.rbm.hopfield import Hopfield, stored, stored_from_pairs
from nnlab.families.rbm.hopfield_trainer import flipped, overlaps, random_patterns, recall_share

SPEC = DataSpec("coins", "image", (1, 28, 28))
N = SPEC.features


def net_of(patterns: torch.Tensor, rule: str, recall: str = "asynchronous", spec: DataSpec = SPEC) -> Hopfield:
    net = Hopfield(spec, rule=rule, recall=recall)
    net.weight.copy_(stored(patterns, rule))
    return net


def coins(load: float, seed: int = 0) -> torch.Tensor:
    return random_patterns(round(load * N), N, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("recall", ["asynchronous", "synchronous"])
@pytest.mark.parametrize(("rule", "load"), [("hebb", 0.1), ("pseudo_inverse", 0.3)])
def test_what_theory_says_can_be_held_is_recalled_from_a_tenth_flipped(rule: str, load: float, recall: str) -> None:
    patterns, generator = coins(load), torch.Generator().manual_seed(1)
    assert recall_share(net_of(patterns, rule, recall), patterns, 0.1, generator) >= 0.95


def test_hebbs_rule_collapses_near_its_capacity() -> None:
    generator = torch.Generator().manual_seed(1)
    shares = [recall_share(net_of(coins(load), "hebb"), coins(load)[:80], 0.1, generator) for load in (0.12, 0.18)]
    assert shares[0] > 0.8
    assert shares[1] < 0.2


def test_the_projection_holds_every_pattern_exactly() -> None:
    patterns = coins(0.5)
    net = net_of(patterns, "pseudo_inverse")
    assert torch.equal(net.settle(patterns), patterns)
    whole = net.weight + torch.diag(net_of(patterns, "pseudo_inverse").weight.new_zeros(N))
    assert whole.diagonal().abs().max() == 0


@pytest.mark.parametrize("rule", ["hebb", "pseudo_inverse"])
def test_patterns_and_their_sums_give_the_same_weights(rule: str) -> None:
    patterns = random_patterns(30, 64, torch.Generator().manual_seed(0))
    patterns = torch.cat([patterns, patterns[:5], -patterns[5:9]])  # some twice, some turned: no inverse
    pairs = (patterns.T @ patterns).double()
    np.testing.assert_allclose(stored(patterns, rule), stored_from_pairs(pairs, rule), atol=1e-6)


def test_hebbs_rule_is_the_statistics_of_the_data() -> None:
    patterns = random_patterns(30, 784, torch.Generator().manual_seed(0))
    own = Hopfield(SPEC).statistics(patterns)["weight"]
    torch.testing.assert_close(stored(patterns, "hebb") * 784 / 30, own)


def test_asynchronous_recall_never_climbs_in_energy() -> None:
    net, generator = net_of(coins(0.16), "hebb"), torch.Generator().manual_seed(0)
    s = flipped(coins(0.16)[:10], 0.4, generator).double()
    net.double()
    before, order = net.energy(s), torch.randperm(N, generator=generator)
    for part in order.split(49):
        s = net.step(s, part)
        now = net.energy(s)
        assert (now <= before + 1e-9).all()
        before = now


def test_recall_leaves_its_input_alone() -> None:
    net, s = net_of(coins(0.1), "hebb"), flipped(coins(0.1), 0.3, torch.Generator().manual_seed(0))
    for start in (s, s.T.contiguous().T):  # in either layout
        before = start.clone()
        assert not torch.equal(net.step(start, torch.arange(N)), before)
        assert torch.equal(start, before)


def test_where_recall_ends_nothing_changes() -> None:
    net = net_of(coins(0.1), "hebb")
    end = net.settle(flipped(coins(0.1), 0.2, torch.Generator().manual_seed(0)))
    assert torch.equal(net.step(end, torch.arange(N)), end)


def test_synchronous_recall_may_go_back_and_forth() -> None:
    net = Hopfield(DataSpec("two", "image", (1, 1, 2)), recall="synchronous")
    net.weight.copy_(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    s, order = torch.tensor([[1.0, -1.0]]), torch.arange(2)
    assert torch.equal(net.step(s, order), -s)
    assert torch.equal(net.step(net.step(s, order), order), s)


def test_a_completion_holds_what_is_known() -> None:
    patterns = coins(0.05)
    net = net_of(patterns, "hebb")
    x = net.to_values(patterns)
    lost = torch.zeros_like(x, dtype=torch.bool)
    lost[..., 14:, :] = True
    given = x.masked_fill(lost, 0.0)
    found = net.complete(given, lost, torch.Generator())
    assert torch.equal(found[~lost], x[~lost])
    assert (overlaps(net.to_spins(found), patterns) > 0.95).all()


def test_so_many_units_are_flipped_as_asked() -> None:
    patterns = coins(0.1)
    turned = flipped(patterns, 0.1, torch.Generator().manual_seed(0))
    assert ((turned != patterns).sum(1) == round(0.1 * N)).all()


def test_a_run_stores_its_training_set() -> None:
    e = built("model=hopfield", "data=digits", "data.limit=8", "data.validation=0", "model.rule=pseudo_inverse")
    e.initialize()
    e.trainer.train(0, e.trainer.total_steps, lambda: False)
    x = e.data.train.values(e.data.train.rows)
    bits = (x > 0.5).float()
    assert torch.equal(e.model.reconstruct(x), bits)
    assert e.trainer.converged


def test_too_many_patterns_are_told_with_the_load(nnlab) -> None:
    _, out, _ = nnlab("train", "model=hopfield", "trainer.show_every=never", "data.limit=100")
    assert "90 patterns in 64 units, a load of 1.41: over the limit of 0.138 that hebb has" in out
    _, out, _ = nnlab("train", "model=hopfield", "trainer.show_every=never", "data.limit=8")
    assert "a load of" not in out
