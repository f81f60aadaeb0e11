"""A run in stages: each with its optimizer, its curves and its end."""

from __future__ import annotations

import json

import pytest
import torch
from conftest import built, config_of, only_run, same_bits, weights

from nnlab.training.gradient import parameters_of

STACKED = [
    "model=stacked_ae",
    "model.hidden=[32,16]",
    "model.latent_dim=4",
    "trainer.epochs=2",
    "trainer.pretraining.epochs=2",
    "trainer.show_every=never",
    "trainer.precision=float32",
]


def test_a_layer_alone_moves_only_its_own_weights() -> None:
    trainer = built(*STACKED).trainer
    for stage, layer in ((0, 1), (1, 2), (2, 3)):
        trainer.start_stage(stage)
        own = {id(parameter) for parameter in parameters_of(trainer.model.layer(layer))}
        before = {name: value.clone() for name, value in trainer.model.named_parameters()}
        trainer.train(0, 3, lambda: False)
        for name, value in trainer.model.named_parameters():
            assert torch.equal(value, before[name]) == (id(value) not in own), name
    trainer.start_stage(3)
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    trainer.train(0, 3, lambda: False)
    assert not any(torch.equal(value, before[name]) for name, value in trainer.model.named_parameters())


def test_each_stage_has_its_curves_and_its_best_goes_on(nnlab) -> None:
    assert nnlab("train", *STACKED)[0] == 0
    folder = only_run()
    records = folder.read_metrics()
    stages = list(dict.fromkeys(record.get("stage", "") for record in records if record["split"] == "validation"))
    assert stages == ["layer_1", "layer_2", "layer_3", ""]
    final, best = folder.read_summary()["final"], folder.read_summary()["best"]
    for stage in ("layer_1/", "layer_2/", "layer_3/", ""):
        losses = [r["loss"] for r in records if r["split"] == "validation" and r.get("stage", "") == stage.rstrip("/")]
        assert final[f"validation/{stage}loss"] == losses[-1]
        assert best[f"validation/{stage}loss"] == min(losses)
        assert losses[-1] < losses[0]
    assert folder.read_status()["epoch"] == 8  # 3 layers and the whole, two epochs each
    assert folder.read_status()["best"]["validation/loss"] == best["validation/loss"]


def test_each_stage_has_a_schedule_over_its_own_length() -> None:
    trainer = built(*STACKED, "trainer.pretraining.epochs=[1,2,3]", "trainer.pretraining.optimizer.lr=0.1").trainer
    for stage, (base, epochs) in enumerate([(0.1, 1), (0.1, 2), (0.1, 3), (2e-3, 2)]):
        trainer.start_stage(stage)
        steps = trainer.stages[stage].steps
        assert steps == epochs * trainer.steps_per_epoch
        assert trainer.rates(0)["lr"] == pytest.approx(base)
        assert trainer.rates(steps)["lr"] == pytest.approx(0)


def test_stages_see_the_data_in_orders_of_their_own() -> None:
    trainer = built(*STACKED).trainer
    first = trainer.rows(0).tolist()
    trainer.start_stage(1)
    assert trainer.rows(0).tolist() != first


def test_a_stage_that_stops_early_is_followed_by_the_next_from_its_best_weights(nnlab) -> None:
    wild = ["trainer.pretraining.optimizer.lr=3", "trainer.pretraining.epochs=30", "trainer.early_stopping.patience=2"]
    assert nnlab("train", *STACKED, *wild, "trainer.gradient_clip=1")[0] == 0
    folder = only_run()
    records = [r for r in folder.read_metrics() if r["split"] == "validation"]
    for stage in ("layer_1", "layer_2", "layer_3"):
        losses = [r["loss"] for r in records if r.get("stage") == stage]
        assert len(losses) < 30
        assert losses.index(min(losses)) == len(losses) - 3
    assert folder.read_status()["status"] == "completed"


def test_the_best_weights_of_a_stage_go_into_the_next(nnlab) -> None:
    wild = ["trainer.pretraining.optimizer.lr=3", "trainer.pretraining.epochs=[4,1,1]", "trainer.gradient_clip=1"]
    keep = "trainer.keep_checkpoint_every=1 epoch"
    assert nnlab("train", *STACKED, *wild, keep)[0] == 0
    folder = only_run()
    losses = [r["loss"] for r in folder.read_metrics() if r["split"] == "validation" and r.get("stage") == "layer_1"]
    steps = [r["step"] for r in folder.read_metrics() if r["split"] == "validation" and r.get("stage") == "layer_1"]
    best = steps[losses.index(min(losses))]
    after = weights(folder, f"step-{steps[-1] + steps[0]:06d}")  # one epoch into the second stage
    kept = weights(folder, f"step-{best:06d}")
    layer = [name for name in kept if name in ("encoder.1.weight", "encoder.1.bias")]
    assert len(layer) == 2
    assert all(torch.equal(after[name], kept[name]) for name in layer)


def test_a_run_killed_in_the_first_stage_holds_a_shallow_autoencoder(nnlab) -> None:
    assert nnlab("train", *STACKED, "trainer.keep_checkpoint_every=1 epoch")[0] == 0
    import nnlab as package

    folder = only_run()
    early, late = package.load(folder.path, "step-000011"), package.load(folder.path, "last")
    x = torch.rand(5, 1, 8, 8)
    assert early.encode(x).shape == (5, 32) == (5, early.latent_dim)
    assert late.encode(x).shape == (5, 4) == (5, late.latent_dim)
    assert early.reconstruct(x).shape == x.shape


def test_the_whole_is_the_plain_autoencoder() -> None:
    stacked, plain = built(*STACKED).model, built("model=ae", *STACKED[1:3]).model
    assert [p.shape for p in stacked.parameters()] == [p.shape for p in plain.parameters()]
    plain.load_state_dict({name: value for name, value in stacked.state_dict().items() if name != "_extra_state"})
    stacked.use(stacked.layers)
    x = torch.rand(5, 1, 8, 8)
    assert torch.equal(stacked.reconstruct(x), plain.reconstruct(x))


def test_depths_of_another_number_are_refused(nnlab) -> None:
    status, _, error = nnlab("train", *STACKED, "trainer.pretraining.epochs=[1,2]")
    assert status == 2
    assert error == "nnlab: trainer.pretraining.epochs: 2 numbers for 3 stages; give one each, or one\n"


def test_the_optimizer_of_the_stages_is_checked_like_the_other(nnlab) -> None:
    status, _, error = nnlab("train", "model=stacked_ae", "trainer.pretraining.optimizer.lrr=1")
    assert (status, error) == (2, "nnlab: trainer.pretraining.optimizer.lrr: unknown key; did you mean 'lr'?\n")
    status, _, error = nnlab("train", "model=stacked_ae", "trainer.pretraining.optimizer.lr=-1")
    assert status == 2
    assert error.startswith("nnlab: trainer.pretraining.optimizer.lr: Invalid learning rate: -1")


def test_the_optimizer_of_the_stages_can_be_another() -> None:
    config = config_of("model=stacked_ae", "optimizer@trainer.pretraining.optimizer=sgd")
    assert config["trainer"]["pretraining"]["optimizer"]["_target_"] == "torch.optim.SGD"
    assert config["optimizer"]["_target_"] == "torch.optim.Adam"


def test_a_resumed_run_goes_on_with_the_last_stage_alone(nnlab) -> None:
    assert nnlab("train", *STACKED)[0] == 0
    folder = only_run()
    layer = {name: value for name, value in weights(folder).items() if name.startswith("encoder.1.")}
    status, out, error = nnlab("resume", str(folder.path), "trainer.epochs=3")
    assert status == 0, error
    assert "3/3" in out
    assert not same_bits(layer, {name: weights(folder)[name] for name in layer})
    assert folder.read_status()["epoch"] == 9


def test_evaluate_gives_the_figures_of_the_stage_of_its_checkpoint(nnlab) -> None:
    assert nnlab("train", *STACKED, "trainer.keep_checkpoint_every=1 epoch")[0] == 0
    folder = only_run()
    final = folder.read_summary()["final"]
    assert json.loads(nnlab("evaluate", "last")[1])["test/loss"] == final["test/loss"]
    second = next(r for r in folder.read_metrics() if r["split"] == "validation" and r.get("stage") == "layer_2")
    name = f"step-{second['step']:06d}"
    figures = json.loads(nnlab("evaluate", "last", "--split", "validation", "--checkpoint", name)[1])
    assert figures["validation/layer_2/loss"] == second["loss"]


def test_a_run_resumed_in_an_earlier_stage_ends_in_the_same_bits(nnlab) -> None:
    wild = ["trainer.pretraining.optimizer.lr=3", "trainer.pretraining.epochs=[4,1,1]", "trainer.gradient_clip=1"]
    assert nnlab("train", *STACKED, *wild, "trainer.keep_checkpoint_every=1 epoch")[0] == 0
    folder = only_run()
    before = weights(folder)
    steps = [r["step"] for r in folder.read_metrics() if r["split"] == "validation" and r.get("stage") == "layer_1"]
    assert nnlab("resume", "last", "--checkpoint", f"step-{steps[-2]:06d}")[0] == 0
    assert all(torch.equal(value, before[name]) for name, value in weights(folder).items())


def test_stages_without_an_optimizer_or_with_too_long_a_warmup_are_refused(nnlab) -> None:
    status, _, error = nnlab("train", *STACKED, "optimizer@trainer.pretraining.optimizer=none")
    assert status == 2
    assert error.startswith("nnlab: trainer.pretraining.optimizer: the stages learn by gradient and need one"), error
    status, _, error = nnlab("train", *STACKED, "trainer.pretraining.optimizer.schedule.warmup=50")
    assert status == 2
    assert "trainer.pretraining.optimizer.schedule.warmup: 50 epochs of warm-up in a stage of 2" in error
