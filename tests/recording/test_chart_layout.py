"""The charts of TensorBoard's page of custom scalars: what stands together, and that nothing is lost."""

from __future__ import annotations

import re

import pytest

from nnlab.recording.layout import arranged, pattern

GAME = [
    *("train/discriminator_loss", "train/generator_loss", "train/real_accuracy", "train/fake_accuracy"),
    *("train/discriminator_gradient", "train/generator_gradient", "train/gradient_penalty"),
    *("train/discriminator_lr", "train/generator_lr", "train/instance_noise"),
    *("validation/real_accuracy", "validation/fake_accuracy", "validation/real_score", "validation/fake_score"),
    *("validation/frechet_distance", "validation/precision", "test/real_score"),
]
JUDGED = {"frechet_distance", "precision"}


def charts(tags: list[str], **about) -> dict[str, dict[str, list[str]]]:
    return arranged(tags, **about)


def test_training_and_validation_of_a_loss_stand_in_one_chart() -> None:
    tags = [
        "train/loss",
        "train/kl",
        "train/lr",
        "validation/loss",
        "validation/kl",
        "validation/psnr",
        "test/loss",
        "best/loss",
    ]
    assert charts(tags) == {
        "losses": {"loss": ["train/loss", "validation/loss"]},
        "terms and metrics": {"kl": ["train/kl", "validation/kl"], "psnr": ["validation/psnr"]},
        "schedules": {"lr": ["train/lr"]},
    }


def test_the_players_of_a_game_share_their_charts() -> None:
    found = charts(GAME, scheduled={"instance_noise"}, judged=JUDGED)
    assert found["losses"] == {"loss (discriminator, generator)": ["train/discriminator_loss", "train/generator_loss"]}
    assert list(found["terms and metrics"]) == [
        *("accuracy (real, fake)", "gradient (discriminator, generator)", "gradient_penalty", "score (real, fake)")
    ]
    assert set(found["terms and metrics"]["accuracy (real, fake)"]) == {
        f"{split}/{side}_accuracy" for split in ("train", "validation") for side in ("real", "fake")
    }
    assert found["judge"] == {name: [f"validation/{name}"] for name in ("frechet_distance", "precision")}
    assert list(found["schedules"]) == ["lr (discriminator, generator)", "instance_noise"]


def test_two_domains_and_their_players_share_charts() -> None:
    players = ("discriminator_a", "discriminator_b", "generator_a")
    tags = [f"train/{player}_{what}" for what in ("loss", "lr") for player in players] + ["train/discriminator_a_real_accuracy"]
    tags += ["validation/frechet_distance_a", "validation/frechet_distance_b"]
    found = charts(tags, judged={"frechet_distance_a", "frechet_distance_b"})
    assert list(found["losses"]) == ["loss (discriminator_a, discriminator_b, generator_a)"]
    assert list(found["judge"]) == ["frechet_distance (a, b)"]
    assert list(found["terms and metrics"]) == ["discriminator_a_real_accuracy"], "nothing to share: the whole name"


def test_each_stage_has_its_charts() -> None:
    tags = ["train/layer_1/loss", "validation/layer_1/loss", "train/loss", "train/layer_1/lr"]
    assert charts(tags) == {
        "losses": {"layer_1: loss": ["train/layer_1/loss", "validation/layer_1/loss"], "loss": ["train/loss"]},
        "schedules": {"layer_1: lr": ["train/layer_1/lr"]},
    }


@pytest.mark.parametrize("tags", [GAME, ["train/a.b", "train/a_b", "train/loss(x)", "validation/layer_1/loss", "train/losses"]])
def test_every_curve_is_in_one_chart_and_its_pattern_finds_it_alone(tags: list[str]) -> None:
    groups = [group for category in charts(tags, judged=JUDGED).values() for group in category.values()]
    assert sorted(tag for group in groups for tag in group) == sorted(tag for tag in tags if not tag.startswith("test/"))
    for group in groups:
        assert [tag for tag in tags if re.match(pattern(group), tag)] == [tag for tag in tags if tag in group]


def test_no_curves_no_charts() -> None:
    assert charts([]) == {}
    assert charts(["test/loss", "best/validation/loss"]) == {}
