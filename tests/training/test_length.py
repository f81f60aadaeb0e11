"""How long a run is: a number of passes that is `auto` gives small sets the steps that they need."""

from __future__ import annotations

import pytest
from conftest import QUIET, built, only_run, small

from nnlab.errors import BadInput
from nnlab.families.gan.options import Discriminator, GameOptions
from nnlab.training import options
from nnlab.training.options import OnePassOptions, Pretraining, UpdateOptions


@pytest.mark.parametrize(("per_epoch", "epochs"), [(430, 20), (100, 20), (99, 21), (11, 182), (1, 2000)])
def test_a_run_has_20_epochs_or_2000_steps_whichever_is_longer(per_epoch: int, epochs: int) -> None:
    auto = UpdateOptions()
    auto.settle(per_epoch)
    assert auto.epochs == epochs
    assert auto.length(per_epoch) >= 2000
    assert (epochs - 1) * per_epoch < 2000 or epochs == 20, "no epoch more than it needs"


def test_a_length_that_is_given_stays() -> None:
    for asked in (UpdateOptions(epochs=3), UpdateOptions(steps=7), UpdateOptions(epochs=None, steps=7), OnePassOptions()):
        before = asked.length(5) if asked.epochs != "auto" else 7
        asked.settle(5)
        assert asked.length(5) == before


@pytest.mark.parametrize(("epochs", "shows"), [(1, "5 epochs"), (20, "5 epochs"), (182, "46 epochs")])
def test_pictures_are_drawn_at_each_quarter_of_a_long_run(epochs: int, shows: str) -> None:
    asked = UpdateOptions(epochs=epochs)
    asked.settle(11)
    assert asked.show_every == shows


@pytest.mark.parametrize(("epochs", "looks"), [(1, "1 epoch"), (100, "1 epoch"), (101, "2 epochs"), (667, "7 epochs")])
def test_a_run_looks_at_itself_a_hundred_times_at_most(epochs: int, looks: str) -> None:
    asked = UpdateOptions(epochs=epochs, save_every="3 epochs")
    asked.settle(3)
    assert (asked.evaluate_every, asked.save_every) == (looks, "3 epochs")
    game = GameOptions(epochs=epochs, discriminator=Discriminator(optimizer={}))
    game.settle(3)
    assert (game.show_every, game.save_every) == (looks, looks)
    assert int(game.evaluate_every.split()[0]) == 3 * int(looks.split()[0])


@pytest.mark.parametrize(("per_epoch", "epochs"), [(430, 10), (100, 10), (50, 20), (4, 250)])
def test_a_stage_before_the_last_is_half_as_long(per_epoch: int, epochs: int) -> None:
    pretraining = Pretraining(optimizer={})
    pretraining.settle(per_epoch)
    assert pretraining.of(2) == [epochs, epochs]
    assert epochs * per_epoch >= 1000
    given = Pretraining(epochs=[1, 2], optimizer={})
    given.settle(per_epoch)
    assert given.of(2) == [1, 2]


def test_the_record_holds_the_number_of_each_stage() -> None:
    trainer = built("model=stacked_ae", "data=digits").config["trainer"]
    assert (trainer["pretraining"]["epochs"], trainer["epochs"], trainer["evaluate_every"]) == (91, 182, "2 epochs")
    with pytest.raises(
        BadInput, match=r"trainer\.pretraining\.optimizer\.schedule\.warmup: 100 epochs of warm-up in a stage of 91"
    ):
        built("model=stacked_ae", "trainer.pretraining.optimizer.schedule.warmup=100")


def test_schedules_and_the_record_see_the_number() -> None:
    experiment = built("model=ae", "data=digits")
    trainer, epochs = experiment.trainer, 182  # of 11 steps
    assert trainer.total_steps == epochs * 11
    assert experiment.config["trainer"]["epochs"] == epochs
    assert trainer.rates(trainer.total_steps - 1)["lr"] < 1e-3 * trainer.rates(0)["lr"], "the cosine ends with the run"
    assert "epochs" not in built("model=pca").config["trainer"]
    assert built("model=kmeans").config["trainer"]["epochs"] == 100
    assert built("model=som").config["trainer"]["epochs"] == 20


def test_a_schedule_longer_than_the_run_is_refused_when_its_length_is_known() -> None:
    slow = ["model=ae", "optimizer/schedule=warmup"]
    assert built(*slow, "optimizer.schedule.warmup=100").options.epochs == 182
    with pytest.raises(BadInput, match=r"optimizer\.schedule\.warmup: 200 epochs of warm-up in a run of 182"):
        built(*slow, "optimizer.schedule.warmup=200")


def test_resuming_keeps_the_number_and_takes_a_new_one(nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "USUAL_EPOCHS", 2)
    monkeypatch.setattr(options, "LEAST_STEPS", 9)
    assert nnlab("train", *small("ae"), "data.limit=300", "trainer.batch_size=100", *QUIET)[0] == 0
    folder = only_run()
    assert folder.read_config()["trainer"]["epochs"] == folder.read_status()["epoch"] == 3
    monkeypatch.setattr(options, "LEAST_STEPS", 90)
    assert "completed" in nnlab("resume", "last")[2]
    assert nnlab("resume", "last", "trainer.epochs=5")[0] == 0
    assert folder.read_status()["epoch"] == 5
    assert nnlab("resume", "last", "trainer.epochs=auto")[0] == 0
    assert folder.read_config()["trainer"]["epochs"] == folder.read_status()["epoch"] == 30
