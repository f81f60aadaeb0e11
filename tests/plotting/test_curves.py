"""Learning curves: what is drawn is what was recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import QUIET, small
from PIL import Image

from nnlab.plotting.curves import apart, curves, line_of, shown
from nnlab.runs.folder import RunFolder

SCORES = [3.0, 1.0, 2.0]


def records(**more) -> list[dict]:
    train = [{"split": "train", "epoch": i + 1.0, "loss": 4.0 - i, **more} for i in range(3)]
    validation = [{"split": "validation", "epoch": i + 1.0, "loss": value, "accuracy": i / 3} for i, value in enumerate(SCORES)]
    return [*train, *validation, {"split": "test", "epoch": 3.0, "loss": 9.0}]


def test_a_line_holds_the_records_of_its_split_and_marks_the_best() -> None:
    line = line_of(records(), "validation", "loss", best=1.0)
    assert line.value.tolist() == SCORES
    assert line.epoch.tolist() == [1, 2, 3]
    assert line.best == (2.0, 1.0)
    assert line_of(records(), "train", "loss").best is None
    assert line_of(records(), "test", "loss") is None, "one point is no line"


def test_the_stages_of_a_run_are_parted_where_they_end() -> None:
    early = [{"split": "train", "stage": "layer_1", "epoch": float(i), "loss": 1.0} for i in (1, 2)]
    assert line_of([*early, {"split": "train", "epoch": 3.0, "loss": 1.0}], "train", "loss").ends == (2.0,)


@pytest.mark.parametrize(
    ("more", "monitored", "expected"),
    [
        ({}, "loss", ["loss"]),
        ({}, "accuracy", ["loss", "accuracy"]),
        ({"generator_loss": 1.0, "discriminator_loss": 2.0}, None, ["loss"]),
    ],
)
def test_the_loss_and_the_monitored_figure_are_shown(more: dict, monitored: str | None, expected: list[str]) -> None:
    assert shown(records(**more), monitored) == expected


def test_of_a_game_each_player_has_a_panel() -> None:
    game = [{"split": "train", "epoch": i, "discriminator_loss": 1.0, "generator_loss": 2.0, "diversity": 1.0} for i in (1, 2)]
    assert shown(game, None) == ["discriminator_loss", "generator_loss"]


def test_sums_over_splits_of_different_sizes_have_panels_of_their_own() -> None:
    both = [{"split": s, "epoch": i, "inertia": v} for s, v in (("train", 900.0), ("validation", 90.0)) for i in (1.0, 2.0)]
    lines = {("run", split): line_of(both, split, "inertia") for split in ("train", "validation")}
    assert list(apart("inertia", lines)) == ["inertia (train)", "inertia (validation)"]
    assert list(apart("loss", dict.fromkeys(lines, lines["run", "train"]))) == ["loss"]


def test_where_nothing_was_recorded_twice_there_is_no_picture() -> None:
    assert curves({"run": (records()[:1], {})}) is None


def test_every_run_leaves_its_curves_and_several_are_laid_over_each_other(nnlab, curves) -> None:
    for name, rate in (("a", "1e-3"), ("b", "1e-4")):
        typed = [*small("vae"), "trainer.epochs=2", f"optimizer.lr={rate}", *QUIET, f"hydra.run.dir={name}"]
        assert nnlab("train", *typed)[0] == 0
        assert RunFolder(Path(name)).images.joinpath("curves.png").exists()
    assert "-o curves.png" in nnlab("curves", "a", "b")[2]
    status, out, error = nnlab("curves", "a", "b", "-o", "both.png")
    assert (status, out) == (0, "both.png\n"), error
    own = np.asarray(Image.open("a/images/curves.png").convert("RGB"))
    assert nnlab("curves", "a", "-o", "again.png")[0] == 0
    assert np.array_equal(np.asarray(Image.open("again.png").convert("RGB")), own)
    assert nnlab("curves", "a", "--no-title", "-o", "bare.svg")[0] == 0
    assert "<svg " in Path("bare.svg").read_text()
