"""Earlier runs as ingredients: transfer, by reference when a run begins and from its own checkpoints ever after."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from conftest import built, only_run, weights

import nnlab as package
from nnlab.runs.find import find
from nnlab.runs.folder import RunFolder

pytestmark = pytest.mark.usefixtures("blank_charts")

SHORT = ["trainer.epochs=2", "trainer.show_every=never", "trainer.precision=float32"]
AE = ["model=ae", "model.hidden=[32]", "model.latent_dim=6", *SHORT]


@pytest.fixture
def encoder(train_once) -> RunFolder:
    train_once(*AE, "outputs=earlier")
    return only_run("earlier")


def transferred(nnlab, encoder: RunFolder, *overrides: str) -> RunFolder:
    status, _, error = nnlab("train", "model=transfer", f"model.encoder={encoder.path}", *SHORT, *overrides)
    assert status == 0, error
    return only_run()


def of_encoder(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in state.items() if name.startswith("body.0.model.encoder")}


def test_a_frozen_encoder_stays_what_it_was_and_a_fine_tuned_one_moves(nnlab, encoder: RunFolder) -> None:
    before = weights(encoder, "best")
    frozen = of_encoder(weights(transferred(nnlab, encoder)))
    assert frozen
    assert all(torch.equal(value, before[name.removeprefix("body.0.model.")]) for name, value in frozen.items())
    shutil.rmtree("outputs")
    tuned = of_encoder(weights(transferred(nnlab, encoder, "model.frozen=false")))
    assert not any(torch.equal(value, before[name.removeprefix("body.0.model.")]) for name, value in tuned.items())


def test_a_random_start_has_the_shape_of_the_earlier_run_and_none_of_its_weights(nnlab, encoder: RunFolder) -> None:
    before = weights(encoder, "best")
    state = of_encoder(weights(transferred(nnlab, encoder, "model.weights=random")))
    matrices = {name: value for name, value in state.items() if value.ndim == 2}
    assert matrices
    for name, value in matrices.items():
        assert value.shape == before[name.removeprefix("body.0.model.")].shape
        assert not torch.isclose(value, before[name.removeprefix("body.0.model.")]).any(0).all()


@pytest.mark.parametrize("frozen", [True, False])
def test_codes_of_a_random_start_with_batch_normalisation_are_standardised_in_training_too(train_once, frozen: bool) -> None:
    train_once(
        "model=supcon", "model/body=residual", "model.body.channels=[8,16]", "trainer.steps=1", *SHORT[1:], "outputs=earlier"
    )
    own = built("model=transfer", f"model.encoder={only_run('earlier').path}", "model.weights=random", f"model.frozen={frozen}")
    own.initialize()
    encoder, train = own.model.body[0], own.data.train
    x = train.values(train.spread(200))
    for mode in (True, False):
        with torch.no_grad():
            codes = encoder.train(mode)(x)
        assert codes.mean(0).abs().max() < 0.3
        assert (codes.std(0) - 1).abs().max() < 0.3
    norm = next(layer for layer in encoder.model.body.modules() if isinstance(layer, torch.nn.BatchNorm2d))
    assert (norm.running_var != 1).all()


def test_a_deep_belief_network_starts_a_classifier(nnlab) -> None:
    dbn = ["model=dbn", "model.hidden=[32,16]", "trainer.pretraining.epochs=2", *SHORT, "outputs=earlier"]
    assert nnlab("train", *dbn)[0] == 0
    folder = transferred(nnlab, only_run("earlier"), "model.frozen=false", "trainer.epochs=30", "data.train_size=200")
    assert folder.read_summary()["final"]["test/accuracy"] > 0.6
    before, after = weights(only_run("earlier"), "best"), weights(folder)
    for layer in (0, 1):
        assert not torch.equal(before[f"layers.{layer}.weight"], after[f"body.0.model.layers.{layer}.weight"])


def test_a_head_on_a_frozen_encoder_classifies_its_codes(nnlab, encoder: RunFolder) -> None:
    folder = transferred(nnlab, encoder, "trainer.epochs=30", "optimizer.lr=0.05")
    net, source = package.load(folder.path), package.load(encoder.path)
    data = built("model=fcnn").data.train
    x = data.values(data.rows)
    codes = source.encode(x)
    assert torch.allclose(net.features(x), (codes - codes.mean(0)) / codes.std(0, correction=0), atol=1e-4)
    assert folder.read_summary()["final"]["test/accuracy"] > 0.6


def test_the_earlier_run_may_be_deleted_once_the_new_one_has_begun(nnlab, encoder: RunFolder) -> None:
    folder = transferred(nnlab, encoder)
    shutil.rmtree(encoder.path)
    status, out, error = nnlab("evaluate", str(folder.path))
    assert status == 0, error
    assert f'"test/accuracy": {folder.read_summary()["final"]["test/accuracy"]}' in out
    assert nnlab("resume", str(folder.path), "trainer.epochs=3")[0] == 0


def test_the_config_names_the_run_its_checkpoint_and_the_fingerprint_of_its_weights(nnlab, encoder: RunFolder) -> None:
    folder = transferred(nnlab, encoder)
    node = folder.read_config()["model"]["encoder"]
    assert (node["run"], node["checkpoint"]) == (str(encoder.path), "best")
    assert len(node["fingerprint"]) == 16
    assert node["model"] == encoder.read_config()["model"]


def test_a_run_that_has_changed_since_it_was_named_is_refused(nnlab, encoder: RunFolder, monkeypatch) -> None:
    from nnlab.checkpoints import reference

    changing = iter("abcdefgh")
    monkeypatch.setattr(reference, "fingerprint", lambda state: next(changing))
    status, _, error = nnlab("train", "model=transfer", f"model.encoder={encoder.path}")
    assert status == 2
    assert "its checkpoint 'best' has changed since the run was named" in error
    assert not Path("outputs").exists(), "a rejected config leaves no trace"


def test_last_is_the_last_run_before_the_command_also_in_a_sweep(nnlab, encoder: RunFolder, monkeypatch) -> None:
    monkeypatch.setenv("NNLAB_OUTPUTS", "earlier")
    status, _, error = nnlab("train", "-m", "model=transfer", "model.encoder=last", *SHORT, "seed=0,1")
    assert status == 0, error
    named = {folder.read_config()["model"]["encoder"]["run"] for folder in find(Path("earlier/sweeps"))}
    assert named == {str(encoder.path)}


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["model.encoder=nowhere"], "model.encoder: nowhere: no such run folder"),
        ([], "model.encoder: needs a value; add model.encoder=…"),
        (["data=moons", "model.encoder=RUN"], "model.encoder: it takes images of 1×8×8 (Digits), but Moons has rows of 2"),
        (["data=blobs", "model.encoder=RUN"], "model.encoder: it takes images"),
    ],
)
def test_bad_references(nnlab, encoder: RunFolder, overrides: list[str], expected: str) -> None:
    typed = [override.replace("RUN", str(encoder.path)) for override in overrides]
    status, _, error = nnlab("train", "model=transfer", *typed)
    assert status == 2
    assert error.startswith(f"nnlab: {expected}"), error
    assert not Path("outputs").exists()


def test_an_encoder_without_weights_to_tune_and_a_model_without_codes_are_refused(nnlab) -> None:
    assert nnlab("train", "model=pca", "model.latent_dim=4", "outputs=earlier")[0] == 0
    run = only_run("earlier")
    status, _, error = nnlab("train", "model=transfer", f"model.encoder={run.path}", "model.frozen=false")
    assert (status, error) == (2, "nnlab: model.frozen: PCA has no weights that learn by gradient; leave it true\n")


def test_an_encoder_that_has_not_come_to_its_last_stage_is_refused(nnlab) -> None:
    stacked = ["model=stacked_ae", "model.hidden=[32]", "model.latent_dim=4", "trainer.pretraining.epochs=1", *SHORT]
    assert nnlab("train", *stacked, "trainer.keep_checkpoint_every=1 epoch", "outputs=earlier")[0] == 0
    run = only_run("earlier")
    for name in ("best", "last"):  # as if it had been killed in the first stage
        shutil.copy(run.checkpoints / "step-000011.pt", run.checkpoints / f"{name}.pt")
    status, _, error = nnlab("train", "model=transfer", f"model.encoder={run.path}")
    assert status == 2
    assert error == f"nnlab: model.encoder: {run.path} has not reached its last stage; resume it first\n"
    assert not Path("outputs").exists()


def test_without_a_run_it_says_what_may_stand_there(nnlab) -> None:
    status, _, error = nnlab("train", "model=transfer", "model.encoder=none")
    assert (status, error) == (2, "nnlab: model.encoder: expected a run folder, or last, got 'none'\n")
