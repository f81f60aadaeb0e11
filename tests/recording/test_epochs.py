"""The table of a run on the terminal: columns that stay where they are, and what stands in them."""

from __future__ import annotations

import json
import re

import pytest
from conftest import QUIET, only_run

from nnlab.metrics.main import main_figures
from nnlab.recording.epochs import EpochTable, Row

pytestmark = pytest.mark.usefixtures("blank_charts")


def row(epoch: str = "1/20", *, best: bool = False, rate: float | None = 8123.4, validation=None, **train: float) -> Row:
    return Row(epoch, train, validation or {}, best, rate, "0:42")


def test_the_losses_and_the_chosen_figure_come_first() -> None:
    assert main_figures(["loss", "kl"]) == ["loss"]
    assert main_figures(["loss", "accuracy"], ["accuracy"]) == ["loss", "accuracy"]
    assert main_figures(["discriminator_loss", "real_accuracy", "generator_loss"]) == ["discriminator_loss", "generator_loss"]
    assert main_figures([], ["frechet_distance"]) == ["frechet_distance"]


def test_every_row_has_its_columns_under_the_header() -> None:
    table = EpochTable("images", ["accuracy"], len("20/20"), validated=True, chooses=True)
    header, first = table.lines(row(loss=262.634, validation={"loss": 248.4, "accuracy": 0.5}, best=True))
    assert re.split(r"\s{2,}", header.strip()) == [
        "epoch",
        "train loss",
        "validation loss",
        "validation accuracy (*best)",
        "images/s",
        "left",
    ]
    assert first.split() == ["1/20", "262.63", "248.4", "0.5*", "8,123", "0:42"]
    rows = [
        first,
        *table.lines(row("2/20", loss=1e-7)),
        *table.lines(row("20/20", loss=1.0, validation={"loss": 2.0, "accuracy": 1.0})),
    ]
    assert len(rows) == 3, "the header comes once"
    assert rows[1].split() == ["2/20", "1e-07", "8,123", "0:42"], "no evaluation, no figures"
    ends = [[match.end() for match in re.finditer(r"\S+", line.replace("*", " "))] for line in (first, rows[2])]
    assert ends[0] == ends[1]
    assert all(len(line) == len(header) for line in rows)


def test_the_header_comes_again_where_there_is_another_figure() -> None:
    table = EpochTable("examples", [], 5, validated=True, chooses=False)
    assert len(table.lines(row(discriminator_loss=1.0, generator_loss=2.0))) == 2
    header, line = table.lines(row(discriminator_loss=1.0, generator_loss=2.0, validation={"loss": 3.0}, rate=None))
    assert "validation loss" in header
    assert line.split() == ["1/20", "1", "2", "3", "0:42"]
    assert len(table.lines(row(discriminator_loss=1.0, generator_loss=2.0))) == 1


def test_what_has_neither_a_loss_nor_a_validation_split_shows_what_is_watched() -> None:
    table = EpochTable("images", ["energy"], 5, validated=False, chooses=False)
    header, line = table.lines(row(load=0.1, energy=-3.5))
    assert header.split()[:3] == ["epoch", "train", "energy"]
    assert line.split()[:2] == ["1/20", "-3.5"]
    header, line = EpochTable("images", [], 5, validated=False, chooses=False).lines(row())
    assert header.split() == ["epoch", "images/s", "left"]


@pytest.mark.parametrize(
    ("model", "unit"), [(["model=ae", "data=digits"], "images/s"), (["model=fcnn", "data=moons"], "examples/s")]
)
def test_a_run_tells_the_figures_of_its_record(nnlab, model: list[str], unit: str) -> None:
    status, out, error = nnlab("train", *model, "data.limit=200", "trainer.epochs=3", *QUIET)
    assert status == 0, error
    lines = out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.split()[:1] == ["epoch"])
    assert unit in lines[at]
    rows = [line.split() for line in lines[at + 1 : at + 4]]
    assert [cells[0] for cells in rows] == ["1/3", "2/3", "3/3"]
    records = [json.loads(line) for line in only_run().metrics.read_text().splitlines()]
    recorded = [record for record in records if record["split"] == "validation"]
    monitored = "accuracy" if "accuracy" in recorded[0] else "loss"
    place = 3 if monitored == "accuracy" else 2
    assert [cells[place].rstrip("*") for cells in rows] == [f"{record[monitored]:.5g}" for record in recorded]
    values = [record[monitored] * (1 if monitored == "accuracy" else -1) for record in recorded]
    assert [cells[place].endswith("*") for cells in rows] == [v > max(values[:i], default=-1e9) for i, v in enumerate(values)]


def test_a_long_run_of_short_epochs_is_told_in_a_hundred_rows(nnlab) -> None:
    status, out, error = nnlab("train", "model=linear_ae", "model.latent_dim=2", "data.limit=20", "trainer.epochs=350", *QUIET)
    assert status == 0, error
    rows = re.findall(r"^ *(\d+)/350 ", out, re.MULTILINE)
    assert [int(epoch) for epoch in rows] == [*range(4, 350, 4), 350]
    records = [json.loads(line) for line in only_run("outputs/linear_ae").metrics.read_text().splitlines()]
    assert sum(record["split"] == "validation" for record in records) == len(rows)
