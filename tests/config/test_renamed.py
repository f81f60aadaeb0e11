"""Names of older versions: what is typed is refused with the new name, what was written is read under it."""

from __future__ import annotations

import json

import pytest
from conftest import train

from nnlab.checkpoints.progress import Progress
from nnlab.config import renamed
from nnlab.config.build import target
from nnlab.config.glossary import glossary
from nnlab.errors import BadInput
from nnlab.experiment.loading import open_run
from nnlab.runs.folder import RunFolder


@pytest.mark.parametrize("verb", renamed.VERBS)
def test_an_old_verb_is_answered_with_the_new_one(verb: str, nnlab) -> None:
    new = renamed.VERBS[verb]
    assert nnlab(verb, "last") == (2, "", f"nnlab: {verb}: is called {new} now; nnlab {new} takes the same words\n")
    assert nnlab(new, "--help")[0] == 0


@pytest.mark.parametrize(
    ("typed", "new"),
    [
        (["model=ae", "data.few=10"], "data.train_size"),
        (["model=dcgan", "trainer.discriminator.steps=5"], "trainer.discriminator.n_critic"),
        (["model=dcgan", "trainer.average=0.9"], "trainer.ema_decay"),
        (["model=kmeans", "model.start=random"], "model.init"),
        (["model=som", "model.start=random"], "model.init"),
        (["model=ae", "trainer.keep_every=1 epoch"], "trainer.keep_checkpoint_every"),
        (["model=bernoulli_mixture", "model.prior=0.2"], "model.pseudo_count"),
    ],
)
def test_an_old_key_is_answered_with_the_new_one(typed: list[str], new: str, nnlab) -> None:
    status, _, error = nnlab("train", *typed)
    old = typed[1].partition("=")[0]
    assert (status, error) == (2, f"nnlab: {old}: is called {new} now\n")


def test_a_key_that_the_model_never_had_is_not_said_to_be_renamed(nnlab) -> None:
    for key in ("model.start", "model.prior"):
        status, _, error = nnlab("train", "model=ae", f"{key}=1")
        assert status == 2
        assert f"{key}: unknown key" in error


def test_a_config_of_before_is_read_under_todays_names() -> None:
    old = {
        "model": {"_target_": "nnlab.families.em.bernoulli_mixture.BernoulliMixture", "start": "random", "prior": 0.1},
        "data": {"_target_": "nnlab.data.digits.Digits", "few": "none"},
        "noise": {"_target_": "nnlab.noise.SaltPepper", "amount": 0.2},
        "augmentation": {"_target_": "nnlab.augmentation.NoAugmentation"},
        "optimizer": {"lr": 1.0, "schedule": {"_target_": "nnlab.training.schedules.Cosine"}},
        "trainer": {"average": 0.9, "keep_every": "never", "discriminator": {"steps": 5}},
        "judge": {"_target_": "nnlab.earlier.Earlier", "model": {"start": "plane", "prior": "gaussian"}},
    }
    assert renamed.upgraded(old) == {
        "model": {"_target_": "nnlab.families.em.bernoulli_mixture.BernoulliMixture", "init": "random", "pseudo_count": 0.1},
        "data": {"_target_": "nnlab.data.datasets.digits.Digits", "train_size": "none"},
        "noise": {"_target_": "nnlab.data.noise.salt_pepper.SaltPepper", "amount": 0.2},
        "augmentation": {"_target_": "nnlab.data.augmentation.none.NoAugmentation"},
        "optimizer": {"lr": 1.0, "schedule": {"_target_": "nnlab.nn.schedules.Cosine"}},
        "trainer": {"ema_decay": 0.9, "keep_checkpoint_every": "never", "discriminator": {"n_critic": 5}},
        "judge": {"_target_": "nnlab.checkpoints.reference.RunReference", "model": {"init": "plane", "prior": "gaussian"}},
    }
    assert renamed.upgraded(renamed.upgraded(old)) == renamed.upgraded(old)


def test_every_class_that_moved_is_where_it_is_said_to_be() -> None:
    for new in renamed.CLASSES.values():
        assert target(new, "x").__name__ == new.rpartition(".")[2]
    with pytest.raises(BadInput, match=r"nnlab\.noise\.Hole is called nnlab\.data\.noise\.hole\.Hole now"):
        target("nnlab.noise.Hole", "noise")


def test_a_run_folder_of_before_is_opened_and_goes_on(nnlab) -> None:
    folder = train("run", "model=kmeans", "model.clusters=3", "trainer.epochs=2", "trainer.show_every=never")
    config = folder.config.read_text()
    for new, old in {
        "nnlab.data.datasets.digits": "nnlab.data.digits",
        "nnlab.data.noise.none": "nnlab.noise",
        "nnlab.data.augmentation.none": "nnlab.augmentation",
        "init: k_means++": "start: k_means++",
        "train_size:": "few:",
        "keep_checkpoint_every:": "keep_every:",
    }.items():
        assert new in config
        config = config.replace(new, old)
    folder.config.write_text(config)
    for path in (folder.metrics, folder.summary):
        text = path.read_text()
        path.write_text(text.replace("within_cluster_distance", "within").replace("center_shift", "moved"))
        assert text != path.read_text()
    assert open_run("run").model.init == "k_means++"
    assert "test/within_cluster_distance" in folder.read_summary()["final"]
    assert any("center_shift" in record for record in folder.read_metrics())
    assert nnlab("evaluate", "run")[0] == 0
    assert nnlab("resume", "run", "trainer.epochs=3")[0] == 0


def test_old_metrics_are_read_wherever_they_stand() -> None:
    assert renamed.metric("validation/layer_1/used") == "validation/layer_1/codebook_usage"
    assert renamed.metric("loss") == "loss"
    assert Progress.from_state({"figures": {"test/moved": 1.0}}).figures == {"test/center_shift": 1.0}
    known = set(glossary())
    assert set(renamed.METRICS.values()) <= known
    assert not set(renamed.METRICS) & known


def test_an_old_metric_is_answered_with_the_new_one(nnlab) -> None:
    assert "it is called center_shift now" in nnlab("explain", "moved")[2]


def test_a_status_of_before_is_shown_with_todays_metric(own_folder) -> None:
    folder = RunFolder(own_folder)
    folder.status.write_text(json.dumps({"status": "completed", "best": {"validation/within": 1.0}}))
    folder.config.write_text("model:\n  _target_: nnlab.families.em.kmeans.KMeans\n")
    assert folder.read_status()["best"] == {"validation/within_cluster_distance": 1.0}
    folder.config.write_text("model:\n  _target_: mine.Model\n")
    assert folder.read_status()["best"] == {"validation/within": 1.0}
