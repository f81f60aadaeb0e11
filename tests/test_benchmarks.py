"""The benchmarks still know nnlab's names: each that drives nnlab's own objects runs here on digits, for a moment."""

from __future__ import annotations

import importlib
import math
from functools import partial
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from benchmarks import __main__ as program
from benchmarks import energy_figures, few_labels, floor, hotspots, recording, runs
from nnlab.config import composition, names
from nnlab.metrics import partition
from nnlab.runs.folder import RunFolder

PEERS = ("vae", "game", "gradient", "gmm", "kmeans", "rbm", "encoders")
COMPLETED = '{"status": "completed", "time": 0, "device": "cpu", "versions": {"torch": "2.14"}}'
SHORT = {"STEPS": 1, "PASSES": 1, "PRECISIONS": ["float32"], "UPDATES": 1, "WARM_UP": 1}


@pytest.fixture(autouse=True)
def on_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits in place of larger data, and one update where a benchmark makes many."""
    compose = composition.compose_or_complain

    def composed(overrides: list[str], whole: bool = False):
        small = ["data=digits" if line in ("data=mnist", "data=fashion_mnist") else line for line in overrides]
        return compose(small, whole)

    monkeypatch.setattr(composition, "compose_or_complain", composed)


def shortened(monkeypatch: pytest.MonkeyPatch, module: object) -> None:
    for name in SHORT.keys() & set(vars(module)):
        monkeypatch.setattr(module, name, SHORT[name])


@pytest.mark.parametrize("peer", PEERS)
def test_the_peer_that_is_nnlab_gives_a_figure(monkeypatch: pytest.MonkeyPatch, peer: str) -> None:
    module = importlib.import_module(f"benchmarks.peers.{peer}.nnlab")
    shortened(monkeypatch, module)
    jobs = module.prepare()
    assert jobs
    for name, job in jobs.items():
        assert math.isfinite(job()), name


@pytest.mark.parametrize(
    "work",
    [
        partial(hotspots.shares, "vae"),
        partial(floor.reached, "vae", ["model=vae"], dict.fromkeys(("float32", "bfloat16", "copy"), 1e12), 1),
        partial(recording.seconds, "trainer.epochs=1"),
        partial(few_labels.accuracy, ("model=fcnn",), 100, 0),
        energy_figures.log_z,
    ],
    ids=["hotspots", "floor", "recording", "few_labels", "energy_figures"],
)
def test_a_benchmark_that_drives_a_trainer_runs(monkeypatch: pytest.MonkeyPatch, work) -> None:
    for module in (hotspots, floor, few_labels):
        shortened(monkeypatch, module)
    monkeypatch.setattr(energy_figures, "LEARNED", ("trainer.epochs=1", "device=cpu"))
    monkeypatch.setattr(few_labels, "COMMON", [*few_labels.COMMON[:-1], "trainer.steps=1"])
    for name in ("ais", "reverse_ais"):
        annealed = getattr(partition, name)
        monkeypatch.setattr(partition, name, lambda *args, f=annealed: f(*args[:-2], 5, args[-1]))
    assert work()


def test_their_command_lines_are_legal() -> None:
    lines = [
        line if isinstance(line, list | tuple) else (line,)
        for module in map(importlib.import_module, (f"benchmarks.{name}" for name in program.names()))
        for line in vars(module).get("RUNS", {}).values()
    ]
    assert len(lines) > 20
    for line in lines:
        assert names.check(list(line)).problems == [], line


@pytest.mark.parametrize("model", ["ae", "dbn", "lapgan"])
def test_a_run_is_known_by_its_config_although_auto_became_numbers(tmp_path: Path, model: str) -> None:
    chosen = [f"model={model}", "data=digits"]
    made = composition.to_dict(composition.compose_config(chosen))
    made["trainer"]["epochs"] = 20
    if "pretraining" in made["trainer"]:
        made["trainer"]["pretraining"]["epochs"] = 10
    folder = RunFolder(tmp_path)
    OmegaConf.save(OmegaConf.create(made), folder.config)
    assert runs.same(folder, chosen)
    assert not runs.same(folder, [*chosen, "seed=1"])
    assert not runs.same(folder, [*chosen, "trainer.epochs=19"])
    folder.status.write_text('{"command": "nnlab train model=x trainer.epochs=20"}', encoding="utf-8")
    assert not runs.same(folder, chosen), "in that run it was no auto"
    assert runs.same(folder, [*chosen, "trainer.epochs=20"])


def test_with_made_a_table_has_the_runs_that_are_there_and_names_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    monkeypatch.setattr(runs, "TRAINS", False)
    chosen = {"one": ["model=ae", "data=digits"], "another, seed 1": ["model=ae", "data=digits", "seed=1"]}
    columns = {"loss": ("loss", "{:.1f}")}
    with pytest.raises(runs.NotMade, match="all of group"):
        runs.compared("group", chosen, columns)
    folder = RunFolder(tmp_path / "outputs" / "group" / "another_seed_1")
    folder.path.mkdir(parents=True)
    made = composition.to_dict(composition.compose_config(chosen["another, seed 1"]))
    OmegaConf.save(OmegaConf.create(made), folder.config)
    folder.status.write_text(COMPLETED, encoding="utf-8")
    (tmp_path / "benchmarks").mkdir()
    folder.write_summary({"final": {"test/loss": 26.71}})
    result = runs.compared("group", chosen, columns)
    assert "another, seed 1 | 26.7" in " ".join(result.split())
    assert result.endswith("\n\nNot made yet: one.")


def test_figures_that_are_kept_stand_for_a_run_of_the_same_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    (tmp_path / "benchmarks").mkdir()
    monkeypatch.setattr(runs, "TRAINS", False)
    folder, typed = RunFolder(tmp_path / "outputs" / "earlier"), ["model=ae", "data=digits"]
    folder.path.mkdir(parents=True)
    folder.status.write_text(COMPLETED, encoding="utf-8")
    runs.keep_figures("group", "one", typed, {"loss": 26.71}, folder)
    found, missing = runs.figures_of("group", {"one": typed, "other": [*typed, "seed=1"]})
    assert found == {"one": {"loss": 26.71}}
    assert missing.endswith("other.")
    assert runs.made("group") == "Runs of 1970-01-01 on cpu, torch 2.14."
    with pytest.raises(runs.NotMade):
        runs.figures_of("group", {"one": [*typed, "optimizer.lr=0.5"]})  # the recipe has changed


def test_a_file_of_further_examples_is_known_by_its_name_wherever_it_lies() -> None:
    one, same, other = (runs.digest(["model=cnn", f"data.extra={path}"]) for path in ("/a/x.npz", "/b/x.npz", "/a/y.npz"))
    assert one == same != other


def test_made_is_for_tables_of_whole_runs(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert program.compares_runs("pairs")
    monkeypatch.setattr("sys.argv", ["benchmarks", "startup", "--made"])
    monkeypatch.setattr(runs, "TRAINS", True)  # set back afterwards
    with pytest.raises(SystemExit):
        program.main()
    assert "--made: startup has no table of whole runs" in capsys.readouterr().err
