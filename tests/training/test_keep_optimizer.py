"""Checkpoints without the optimizer's state, where nothing goes on from them."""

from __future__ import annotations

import itertools

import pytest
import torch
from conftest import QUIET, only_run, same_bits, small, train, weights

from nnlab.training.interruption import SignalHandler

RUN = [*small("ae"), "data.limit=200", "trainer.epochs=2", "trainer.keep_checkpoint_every=1 epoch", *QUIET]


def held(name: str) -> bool:
    return "optimizer" in torch.load(only_run().checkpoints / f"{name}.pt", weights_only=True)["trainer"]


def test_a_complete_run_is_smaller_and_evaluates_all_the_same(nnlab) -> None:
    assert nnlab("train", *RUN, "hydra.run.dir=outputs/whole")[0] == 0
    assert all(map(held, ("last", "best", "step-000002")))
    whole = only_run()
    size = (whole.checkpoints / "best.pt").stat().st_size
    expected = weights(whole)
    whole.path.rename("kept")
    assert nnlab("train", *RUN, "trainer.keep_optimizer=false")[0] == 0
    folder = only_run()
    assert not any(map(held, ("last", "best", "step-000002")))
    assert (folder.checkpoints / "best.pt").stat().st_size < 0.5 * size
    assert same_bits(weights(folder), expected)
    status, _, error = nnlab("evaluate", "last")
    assert status == 0, error
    for asked in ([], ["--checkpoint", "step-000002"]):
        status, _, error = nnlab("resume", "last", "trainer.epochs=4", *asked)
        assert status == 2
        assert "this checkpoint holds no optimizer's state (trainer.keep_optimizer=false)" in error
        assert len(error.splitlines()) == 1


def test_an_interrupted_run_goes_on_to_the_same_bits(nnlab) -> None:
    whole = train("whole", *RUN, "trainer.keep_optimizer=false")
    asked = itertools.count()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SignalHandler, "__call__", lambda self: next(asked) >= 1)
        status, _, error = nnlab("train", *RUN, "trainer.keep_optimizer=false")
    assert status == 130, error
    assert held("last")
    assert nnlab("resume", "last")[0] == 0
    assert not held("last")
    assert same_bits(weights(only_run()), weights(whole))
