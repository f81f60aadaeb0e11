"""The tensors that training changes beside the model."""

from __future__ import annotations

import pytest
import torch
from conftest import built
from torch import tensor

from nnlab.training.memory import Memory, saved_memory

CPU = torch.device("cpu")


def test_a_group_comes_and_goes_together():
    memory = Memory()
    assert memory.group("sums") is None
    memory.set_group("sums", {"n": tensor(3.0), "x": tensor([1.0, 2.0])})
    memory.register_buffer("chains", torch.zeros(2))
    assert memory.group("sums").keys() == {"n", "x"}
    assert set(memory.state_dict()) == {"sums/n", "sums/x", "chains"}
    memory.set_group("sums", {"n": tensor(4.0)})
    assert memory.group("sums") == {"n": tensor(4.0)}
    memory.set_group("sums", None)
    assert memory.group("sums") is None
    assert set(memory.state_dict()) == {"chains"}


def test_it_is_restored_and_another_shape_is_refused():
    memory, other = Memory(), Memory()
    memory.register_buffer("chains", torch.arange(6.0).view(2, 3))
    memory.set_group("sums", {"n": tensor(3.0, dtype=torch.float64)})
    other.register_buffer("chains", torch.zeros(2, 3))
    other.restore(memory.state_dict(), CPU)
    assert torch.equal(other.chains, memory.chains)
    assert other.group("sums") == {"n": tensor(3.0, dtype=torch.float64)}
    small = Memory()
    small.register_buffer("chains", torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"chains is \(2, 3\) in the checkpoint, but \(1, 3\) in this run"):
        small.restore(memory.state_dict(), CPU)


def test_checkpoints_of_before_are_read():
    old = {"chains": tensor([1.0]), "hidden_mean": None, "sums": {"n": tensor(2.0)}, "model": {}}
    assert saved_memory(old) == {"chains": tensor([1.0]), "sums/n": tensor(2.0)}
    assert saved_memory({"sums": None}) == {}
    assert saved_memory({"memory": {"x": tensor(1.0)}, "sums": None}) == {"x": tensor(1.0)}


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        (["model=rbm", "trainer.persistent=true"], {"chains", "hidden_mean"}),
        (["model=rbm"], {"hidden_mean"}),
        (["model=boltzmann", "trainer.inference=mean_field"], {"chains"}),
        (["model=boltzmann", "trainer.inference=gibbs"], {"chains"}),
    ],
)
def test_what_a_trainer_keeps_is_in_checkpoints_and_among_the_changes_of_a_step(overrides, names):
    experiment = built(*overrides, "trainer.batch_size=50")
    experiment.initialize()
    trainer = experiment.trainer
    trainer.train(0, 3, lambda: False)
    trainer.meter.look()
    assert set(trainer.state()["memory"]) == names
    changes = {id(tensor) for tensor in trainer.changes()}
    assert all(id(buffer) in changes for buffer in trainer.memory.buffers())
