"""The largest batch that fits, by trial."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch

from nnlab.commands import batch_size
from nnlab.families.ae.ae import AE


@pytest.mark.parametrize("room", [0, 1, 2, 3, 7, 64, 100, 999, 1000, 5000])
def test_the_largest_is_found_within_its_fineness_and_none_that_does_not_fit(room):
    tried = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= room

    found = batch_size.largest(fits, most=1000)
    best = min(room, 1000)
    assert best / (1 + batch_size.FINE) - 1 <= found <= best
    assert max(tried) <= 1000
    assert len(tried) <= 2 * 11


def test_it_trains_with_each_size_until_memory_is_out(nnlab, monkeypatch):
    sizes = set()

    def loss(self, batch, generator):
        sizes.add(len(batch))
        if len(batch) > 37:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return {"loss": self.reconstruct(batch.input).square().flatten(1).sum(1)}

    monkeypatch.setattr(AE, "loss", loss)
    monkeypatch.setattr(batch_size, "training_examples", lambda config: 1000)
    status, out, err = nnlab("batch-size", "model=ae", "data=digits", "device=cpu")
    assert (status, out, err) == (0, "trainer.batch_size=37\n", "")
    assert {2, 4, 8, 16, 32, 64} <= sizes


def test_a_trial_leaves_nothing_in_memory_for_the_next(nnlab, monkeypatch):
    """When torch is asked to return what is free, the model and its trainer are."""
    models, left, collect = [], [], gc.collect

    def loss(self, batch, generator):
        if not any(known() is self for known in models):
            models.append(weakref.ref(self))
        if len(batch) > 37:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return {"loss": self.reconstruct(batch.input).square().flatten(1).sum(1)}

    def collected() -> int:
        found = collect()
        left.append(sum(known() is not None for known in models))
        return found

    monkeypatch.setattr(AE, "loss", loss)
    monkeypatch.setattr(gc, "collect", collected)
    monkeypatch.setattr(batch_size, "training_examples", lambda config: 1000)
    assert nnlab("batch-size", "model=ae", "data=digits", "device=cpu")[0] == 0
    assert len(models) > 6
    assert not any(left)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["model=ae", "device=cpu"], "the device is cpu"),
        (["model=aee"], "did you mean 'ae'"),
        (["model=ae,vae"], "not a sweep of 2"),
    ],
)
def test_what_cannot_be_tried_is_refused(nnlab, arguments, sentence):
    status, _, err = nnlab("batch-size", *arguments)
    assert status == 2
    assert sentence in err


def test_a_run_that_is_out_of_memory_says_how_to_find_what_fits(nnlab, monkeypatch, tmp_path):
    def loss(self, batch, generator):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(AE, "loss", loss)
    status, _, err = nnlab("train", "model=ae", "data=digits")
    assert status == 1
    assert "nnlab batch-size" in err
