"""Training energy-based models moves what it should, as far as it should, and refuses what has no use."""

from __future__ import annotations

import pytest
import torch
from conftest import built, config_of, train
from sklearn.neural_network import BernoulliRBM
from torch import Tensor

from nnlab.data.spec import Batch, DataSpec
from nnlab.experiment.loading import open_run
from nnlab.families.rbm.rbm import RBM


def test_contrastive_divergence_learns_as_well_as_scikit_learns() -> None:
    """The same work: the digits' bits, 32 hidden units, batches of 100, one step, as many epochs at one rate."""
    overrides = ["model.hidden=32", "data=digits", "data.binarize=fixed", "data.validation=0", "trainer.precision=float32"]
    e = built("model=rbm", *overrides, "optimizer.lr=0.1", "optimizer/schedule=constant", "trainer.epochs=40")
    e.initialize()
    e.trainer.train(0, e.trainer.total_steps, lambda: False)
    assert e.trainer.meter.look() is None
    x, test = (part.values(part.rows).flatten(1) for part in (e.data.train, e.data.test))
    peer = BernoulliRBM(32, learning_rate=0.1, batch_size=100, n_iter=40, random_state=0).fit(x.numpy())
    theirs = RBM(e.model.spec, hidden=32)
    with torch.no_grad():
        theirs.weight.copy_(torch.from_numpy(peer.components_.T))
        theirs.visible_bias.copy_(torch.from_numpy(peer.intercept_visible_))
        theirs.hidden_bias.copy_(torch.from_numpy(peer.intercept_hidden_))
        figures = [watched_exactly(model, test) for model in (e.model, theirs)]
    assert figures[0] < figures[1]


def watched_exactly(model: RBM, v: Tensor) -> float:
    generator = torch.Generator().manual_seed(0)
    return model.monitored_loss(v, model.hidden_field(v), generator, 64).mean().item()


def test_an_update_leaves_no_graph_and_follows_the_data() -> None:
    e = built("model=rbm", "model.hidden=16", "data.binarize=fixed")
    e.initialize()
    e.trainer.train(0, 5, lambda: False)
    assert all(p.grad is None and p.grad_fn is None for p in e.model.parameters())


def test_chains_are_many_and_go_on_where_they_were() -> None:
    trainer = built("model=rbm", "model.hidden=16", "trainer.persistent=true", "trainer.batch_size=70").trainer
    assert trainer.memory.chains.shape == (70, 64)
    where = trainer.memory.chains.data_ptr()
    trainer.model.weight.data *= 20  # a cold machine, whose chains stay near where they are
    trainer.train(0, 3, lambda: False)
    before = trainer.memory.chains.clone()
    trainer.train(3, 1, lambda: False)
    assert trainer.memory.chains.data_ptr() == where
    changed = (trainer.memory.chains != before).float().mean().item()
    strangers = (trainer.memory.chains != before.roll(1, 0)).float().mean().item()
    assert 0 < changed < 0.9 * strangers


def test_weight_decay_is_for_weights_alone() -> None:
    e = built("model=rbm", "model.hidden=16", "optimizer.weight_decay=0.1")
    groups = {len(p.shape): group["weight_decay"] for group in e.trainer.player.optimizer.param_groups for p in group["params"]}
    assert groups == {2: 0.1, 1: 0.0}


def test_sparsity_brings_the_activity_near_its_target() -> None:
    def activity(*overrides: str) -> float:
        e = built("model=rbm", "model.hidden=16", "data.binarize=fixed", "optimizer.lr=0.3", *overrides)
        e.initialize()
        e.trainer.train(0, 100, lambda: False)
        with torch.no_grad():
            return e.model.encode(e.data.train.values(e.data.train.rows)).mean().item()

    free = activity()
    sparse = activity("trainer.sparsity_cost=0.1", "trainer.sparsity_target=0.1")
    assert abs(sparse - 0.1) < 0.05 < abs(free - 0.1)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["model=rbm", "trainer.k=0"], "trainer.k: expected a whole number ≥ 1, got 0"),
        (["model=boltzmann", "trainer.k=0"], "trainer.k: expected a whole number ≥ 1, got 0"),
        (["model=rbm", "trainer.chains=50"], "trainer.chains: has no effect on chains that begin at the data"),
        (["model=rbm", "noise=gaussian"], "noise: has no use, RBM learns by contrastive divergence from clean data"),
        (["model=hopfield", "noise=gaussian"], "noise: has no use, Hopfield learns in one pass over the set from clean data"),
        (
            ["model=rbm", "trainer.likelihood.method=none", "trainer.likelihood.every=1 epoch"],
            "trainer.likelihood.every: has no",
        ),
    ],
)
def test_what_cannot_be_is_said(nnlab, typed: list[str], said: str) -> None:
    status, _, error = nnlab("train", *typed)
    assert status == 2
    assert error.startswith(f"nnlab: {said}"), error


def test_gray_values_are_said_to_be_probabilities_once(nnlab) -> None:
    short = ["trainer.steps=1", "trainer.show_every=never", "model.hidden=4", "data.limit=60"]

    def remarks(*overrides: str) -> str:
        experiment = built(*short, *overrides)
        return "\n".join(experiment.model.remarks(experiment.data.train))

    _, out, _ = nnlab("train", "model=rbm", *short)
    assert out.count("take gray values as probabilities of a 1") == 1
    for model in ("rbm", "boltzmann"):  # of the next run in this process, too
        assert remarks(f"model={model}").count("take gray values as probabilities of a 1") == 1
    for bits in ("fixed", "dynamic"):
        assert "gray values" not in remarks("model=rbm", f"data.binarize={bits}")


def test_a_rate_that_blows_up_is_caught(nnlab) -> None:
    status, _, error = nnlab("train", "model=rbm", "model.visible=gaussian", "optimizer.lr=1e4", "trainer.show_every=never")
    assert status == 1
    assert "is not finite" in error


def test_stages_of_a_dbn_move_only_their_own_machine() -> None:
    trainer = built("model=dbn", "model.hidden=[32,16,8]", "trainer.pretraining.epochs=[1,2]").trainer
    assert [stage.name for stage in trainer.stages] == ["layer_1", "layer_2", ""]
    for number in range(3):
        trainer.start_stage(number)
        before = {name: p.clone() for name, p in trainer.model.named_parameters()}
        trainer.train(0, 3, lambda: False)
        moved = {name.split(".")[1] for name, p in trainer.model.named_parameters() if not torch.equal(p, before[name])}
        assert moved == {str(number)}
        assert trainer.model.latent_dim == [32, 16, 8][number]


def test_the_config_of_the_trainers_is_theirs() -> None:
    assert config_of("model=rbm")["trainer"]["_target_"].endswith("ContrastiveOptions")
    spec = DataSpec("digits", "image", (1, 8, 8))
    batch = Batch(torch.zeros(2, 1, 8, 8), torch.ones(2, 1, 8, 8))
    assert RBM(spec, hidden=4).loss(batch, torch.Generator())["loss"].shape == (2,)


@pytest.mark.parametrize("model", ["rbm", "dbn", "boltzmann"])
def test_compiling_is_no_option_of_what_differentiates_nothing(model: str, nnlab) -> None:
    status, _, error = nnlab("train", f"model={model}", "trainer.compile=auto")
    assert (status, "trainer.compile: unknown key" in error) == (2, True)


def test_a_run_of_before_that_says_compile_is_read() -> None:
    folder = train("run", "model=rbm", "trainer.epochs=1", "trainer.show_every=never", "trainer.likelihood.method=none")
    folder.config.write_text(folder.config.read_text().replace("early_stopping:", "compile: none\n  early_stopping:"))
    assert "compile" in folder.config.read_text()
    assert open_run("run").model.weight.shape == (64, 256)
