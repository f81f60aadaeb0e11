"""TensorBoard's pages of hyper-parameters and custom scalars, as its own plug-ins answer a browser."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from conftest import QUIET, earlier_classifier, small, train
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins.base_plugin import TBContext
from werkzeug.test import Client

from nnlab.errors import Interrupted, RunFailed
from nnlab.runs.folder import RunFolder
from nnlab.training.loop import Loop

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # TensorBoard's copy of html5lib warns of itself
    from tensorboard.plugins.custom_scalar.custom_scalars_plugin import CustomScalarsPlugin
    from tensorboard.plugins.hparams.hparams_plugin import HParamsPlugin
    from tensorboard.plugins.scalar.scalars_plugin import ScalarsPlugin

pytestmark = pytest.mark.usefixtures("blank_charts")
FLOAT = "DATA_TYPE_FLOAT64"


class Board:
    """TensorBoard on a folder, without its server."""

    def __init__(self, folder: Path) -> None:
        runs = EventMultiplexer(tensor_size_guidance={"scalars": 0, "tensors": 0})
        runs.AddRunsFromDirectory(str(folder)).Reload()
        plugins: dict[str, Any] = {}
        context = TBContext(
            logdir=str(folder), data_provider=MultiplexerDataProvider(runs, str(folder)), plugin_name_to_instance=plugins
        )
        plugins |= {"scalars": ScalarsPlugin(context)}
        self.apps = {
            **{f"hparams{route}": app for route, app in HParamsPlugin(context).get_plugin_apps().items()},
            **{f"custom_scalars{route}": app for route, app in CustomScalarsPlugin(context).get_plugin_apps().items()},
        }

    def ask(self, route: str, request: dict | None = None, **query: str) -> Any:
        """What a plug-in answers."""
        client = Client(self.apps[route])
        answer = client.post("/", json=request) if request is not None else client.get("/", query_string=query)
        assert answer.status_code == 200, answer.data
        return json.loads(answer.data)

    def columns(self) -> dict[str, dict]:
        """The columns of the table of runs."""
        return {info["name"]: info for info in self.ask("hparams/experiment", {})["hparamInfos"]}

    def rows(self) -> dict[str, dict]:
        """The rows: each run's hyper-parameters, its metrics and its status."""
        states = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
        groups = self.ask("hparams/session_groups", {"allowedStatuses": states, "startIndex": 0, "sliceSize": 1000})
        return {
            group["name"]: {
                "hparams": group["hparams"],
                "metrics": {metric["name"]["tag"]: metric["value"] for metric in group["metricValues"]},
                "status": group["sessions"][0].get("status", "STATUS_UNKNOWN"),
            }
            for group in groups["sessionGroups"]
        }

    def charts(self) -> dict[str, dict[str, list[str]]]:
        """The tags' patterns of each chart by its title, by category."""
        layout = self.ask("custom_scalars/layout")
        return {
            category["title"]: {chart["title"]: chart["multiline"]["tag"] for chart in category["chart"]}
            for category in layout["category"]
        }

    def curves(self, pattern: str, run: str) -> dict[str, list]:
        """The curves of a chart: the points of each tag."""
        answer = self.ask("custom_scalars/scalars", run=run, tag=pattern)
        assert answer["regex_valid"]
        return answer["tag_to_events"]


def test_a_sweep_is_a_table_with_what_was_swept_as_numbers(nnlab) -> None:
    status, _, error = nnlab(
        *("train", "-m", *small("beta_vae"), "data.limit=60", "trainer.epochs=2", *QUIET),
        *("model.beta=1,4", "optimizer.lr=1e-3,1e-4"),
    )
    assert status == 0, error
    (sweep,) = Path("outputs/sweeps").iterdir()
    board = Board(sweep)
    columns = board.columns()
    assert {name for name, info in columns.items() if info["differs"]} == {"model.beta", "optimizer.lr"}
    assert columns["model.beta"]["domainInterval"] == {"minValue": 1.0, "maxValue": 4.0}
    assert {columns[name]["type"] for name in ("model.beta", "optimizer.lr", "trainer.epochs", "seed")} == {FLOAT}
    rows = board.rows()
    assert list(rows) == ["0", "1", "2", "3"]
    asked = [(beta, lr) for beta in (1.0, 4.0) for lr in (1e-3, 1e-4)]
    assert [(row["hparams"]["model.beta"], row["hparams"]["optimizer.lr"]) for row in rows.values()] == asked
    for name, row in rows.items():
        summary, state = RunFolder(sweep / name).read_summary(), RunFolder(sweep / name).read_status()
        assert row["status"] == "STATUS_SUCCESS"
        assert row["metrics"]["best/validation/loss"] == pytest.approx(state["best"]["validation/loss"], rel=1e-6)
        finals = {tag: value for tag, value in row["metrics"].items() if not tag.startswith("best/")}
        assert finals == pytest.approx(summary["final"], rel=1e-6)
        assert any(tag.startswith("test/") for tag in finals)


def test_models_and_data_without_common_keys_are_all_there() -> None:
    Path("runs").mkdir()
    train("runs/vae", *small("vae"), "data.limit=60", "trainer.steps=2", *QUIET, pictures=False)
    train("runs/kmeans", *small("kmeans"), "data=blobs", "trainer.epochs=1", "trainer.show_every=never", pictures=False)
    train("runs/gan", *small("gan"), "trainer.steps=2", *QUIET, pictures=False)  # data.limit is none: an empty cell
    board = Board(Path("runs"))
    rows, columns = board.rows(), board.columns()
    assert set(rows) == {"vae", "kmeans", "gan"}
    assert columns["data.limit"]["type"] == FLOAT
    assert "data.limit" not in rows["gan"]["hparams"]
    assert {"model.latent_dim", "model.clusters", "trainer.discriminator.n_critic", "data.centers"} <= set(columns)
    for row, own in (("vae", "model.hidden"), ("kmeans", "model.clusters"), ("gan", "trainer.discriminator.n_critic")):
        assert own in rows[row]["hparams"]
        assert sum(own in other["hparams"] for other in rows.values()) in (1, 2)
    assert "best/validation/loss" in rows["vae"]["metrics"]
    assert "test/inertia" in rows["kmeans"]["metrics"]
    assert "test/inertia" not in rows["vae"]["metrics"]
    losses = board.charts()["losses"]
    assert {"loss", "loss (discriminator, generator)"} <= set(losses)
    assert set(board.curves(losses["loss (discriminator, generator)"][0], "gan")) == {
        "train/discriminator_loss",
        "train/generator_loss",
    }
    assert board.curves(losses["loss (discriminator, generator)"][0], "vae") == {}


def test_runs_that_did_not_end_well_are_rows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("runs").mkdir()
    words = [*small("ae"), "data.limit=60", "trainer.epochs=4", *QUIET]
    with pytest.raises(RunFailed):
        train("runs/diverged", *words, "optimizer.lr=1e30", pictures=False)
    monkeypatch.setattr(Loop, "evaluate", stopping(Loop.evaluate))
    with pytest.raises(Interrupted):
        train("runs/interrupted", *words, pictures=False)
    rows = Board(Path("runs")).rows()
    assert {name: row["status"] for name, row in rows.items()} == {
        "diverged": "STATUS_FAILURE",
        "interrupted": "STATUS_UNKNOWN",
    }
    assert rows["diverged"]["hparams"]["optimizer.lr"] == 1e30
    best = RunFolder(Path("runs/interrupted")).read_status()["best"]["validation/loss"]
    assert rows["interrupted"]["metrics"]["best/validation/loss"] == pytest.approx(best, rel=1e-6)


def stopping(evaluate):
    """An evaluation after which the run is interrupted."""

    def once(self):
        self.stop = lambda: True
        return evaluate(self)

    return once


def test_a_run_that_goes_on_is_one_row_with_all_its_charts(nnlab) -> None:
    words = [*small("stacked_ae"), "data.limit=60", "trainer.epochs=2", *QUIET]
    status, _, error = nnlab("train", *words, "hydra.run.dir=runs/a")
    assert status == 0, error
    before = Board(Path("runs")).charts()
    assert any(title.startswith("layer_1: ") for title in before["losses"])
    status, _, error = nnlab("resume", "runs/a", "trainer.epochs=3")
    assert status == 0, error
    board = Board(Path("runs"))
    assert board.charts() == before
    (row,) = board.rows().values()
    assert row["status"] == "STATUS_SUCCESS"
    for name, value in RunFolder(Path("runs/a")).read_status()["best"].items():
        assert row["metrics"][f"best/{name}"] == pytest.approx(value, rel=1e-6)
    steps = [point[1] for point in board.curves("train/loss$", "a")["train/loss"]]
    assert steps == sorted(set(steps)), "no gap, no double entry"


def test_a_run_alone_has_its_metrics_too(nnlab, train_once, monkeypatch: pytest.MonkeyPatch) -> None:
    train_once(*small("ae"), "data.limit=60", "trainer.epochs=1", *QUIET, "hydra.run.dir=run")
    seen = []

    def look(command: list[str]) -> int:
        seen.append(Board(Path(command[command.index("--logdir") + 1])).rows())
        return 0

    monkeypatch.setattr("nnlab.commands.tensorboard.subprocess.call", look)
    monkeypatch.setattr("nnlab.commands.tensorboard.check_address", lambda host, port: None)
    assert nnlab("tensorboard", "run")[0] == 0
    ((row,),) = (rows.items() for rows in seen)
    assert row[0] == "run"
    assert row[1]["metrics"]["test/mse"] == pytest.approx(RunFolder(Path("run")).read_test_figures()["mse"], rel=1e-6)
    assert "best/validation/loss" in row[1]["metrics"]


def test_the_judges_figures_and_the_learning_rates_have_their_charts() -> None:
    words = [f"judge={earlier_classifier()}", "data.limit=200", "trainer.epochs=1"]
    train("run", *small("gan"), *words, *QUIET, pictures=False)
    charts = Board(Path("run")).charts()
    assert {"frechet_distance", "kernel_distance", "precision", "recall", "mode_coverage"} <= set(charts["judge"])
    assert "lr (discriminator, generator)" in charts["schedules"]
