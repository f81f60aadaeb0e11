"""MLflow as a tracker, in a store that is a file: what it holds equals what the run's own files hold."""

from __future__ import annotations

import io
import json
import logging
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import QUIET, small
from PIL import Image

from nnlab.errors import ArgumentError
from nnlab.recording import mlflow as module
from nnlab.recording.mlflow import MLflow, check
from nnlab.recording.tracker import RunFacts
from nnlab.runs.find import find
from nnlab.runs.folder import RunFolder

pytestmark = [
    pytest.mark.usefixtures("blank_charts", "own_variables"),
    pytest.mark.filterwarnings("default"),  # MLflow and what it imports warn of each other
    pytest.mark.xdist_group("mlflow"),
]
WORDS = [*small("ae"), "data.limit=60", "trainer.epochs=2", *QUIET]


@pytest.fixture
def own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the user's variables; those that the tracker sets are gone afterwards."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", *module.QUIET):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without runs, made once: MLflow takes seconds to make its tables."""
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    path = tmp_path_factory.mktemp("store") / module.STORE
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def store(empty_store: Path, own_folder: Path) -> Path:
    """A store in the outputs folder of a test."""
    Path("outputs").mkdir()
    return Path(shutil.copy(empty_store, own_folder / "outputs"))


def client(store: Path):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{store}")


def runs(store: Path) -> dict[str, object]:
    """The runs of a store by their names."""
    asked = client(store)
    experiments = [experiment.experiment_id for experiment in asked.search_experiments()]
    return {run.info.run_name: run for run in asked.search_runs(experiments)}


def history(store: Path, run: object) -> dict[str, list[tuple[int, float]]]:
    """Each metric of a run, as (step, value)."""
    asked = client(store)
    return {
        name: [(metric.step, metric.value) for metric in asked.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }


def recorded(folder: RunFolder) -> dict[str, list[tuple[int, float]]]:
    """The same of metrics.jsonl."""
    found: dict[str, list[tuple[int, float]]] = {}
    for record in folder.read_metrics():
        for name in record.keys() & {"loss", "mse", "psnr", "ssim", "lr"}:
            found.setdefault(f"{record['split']}/{name}", []).append((record["step"], record[name]))
    return found


def test_a_run_is_a_run_of_the_store(nnlab, store: Path) -> None:
    words = ["recorder=mlflow", "tags=[lab3]", 'note="a first try"']
    status, _, error = nnlab("train", *WORDS, *words)
    assert status == 0, error
    (folder,) = find("outputs")
    ((name, run),) = runs(store).items()
    assert name == folder.path.relative_to("outputs").as_posix()
    assert client(store).get_experiment(run.info.experiment_id).name == "nnlab"
    assert run.info.status == "FINISHED"
    assert json.loads((folder.path / "tracker.json").read_text()) == {"MLflow": run.info.run_id}
    assert (float(run.data.params["optimizer.lr"]), run.data.params["model"]) == (
        folder.read_config()["optimizer"]["lr"],
        "ae",
    )
    assert run.data.tags["mlflow.note.content"] == "a first try"
    assert run.data.tags["nnlab.tag.lab3"] == "true"
    ((best, value),) = folder.read_status()["best"].items()
    known = history(store, run)
    assert known.pop(f"best/{best}") == [(folder.read_summary()["best_step"], value)]
    assert known == recorded(folder)
    assert "trainer:" in (artifacts(store, run) / "config.yaml").read_text()
    assert not Path("mlruns").exists()


def artifacts(store: Path, run: object) -> Path:
    """Where the pictures of a run lie; in the outputs folder, too."""
    path = Path(run.info.artifact_uri.removeprefix("file://"))
    assert path.is_relative_to(store.parent)
    return path


def test_a_run_that_goes_on_is_the_same_run_without_a_double_entry(nnlab, store: Path) -> None:
    status, _, error = nnlab("train", *WORDS, "recorder=mlflow")
    assert status == 0, error
    (folder,) = find("outputs")
    status, _, error = nnlab("resume", str(folder.path), "trainer.epochs=3")
    assert status == 0, error
    ((_, run),) = runs(store).items()
    assert run.info.status == "FINISHED"
    known = history(store, run)
    assert {name: points for name, points in known.items() if name.startswith("validation/")} == {
        name: points for name, points in recorded(folder).items() if name.startswith("validation/")
    }
    assert len(known["train/loss"]) == 3
    assert len(known["test/loss"]) == 2, "of both ends"


def test_what_a_run_repeats_after_its_checkpoint_stands_once(store: Path) -> None:
    facts = RunFacts(Path("run"), Path("outputs"), "a")
    first, second = MLflow(), MLflow()
    identity = first.start(facts, None)
    for step in range(5):
        first.metrics({"train/loss": step / 7}, step)
    assert second.start(facts, identity) == identity
    for step in range(3, 8):
        second.metrics({"train/loss": step / 7}, step)
    assert history(store, runs(store)["a"])["train/loss"] == [(step, step / 7) for step in range(8)]


def test_a_sweep_is_an_experiment_and_its_jobs_are_runs(nnlab, store: Path) -> None:
    status, _, error = nnlab("train", "-m", *WORDS, "recorder=mlflow", "optimizer.lr=1e-3,1e-4")
    assert status == 0, error
    found = runs(store)
    assert set(found) == {"0 optimizer.lr=0.001", "1 optimizer.lr=0.0001"}
    assert [float(found[name].data.params["optimizer.lr"]) for name in sorted(found)] == [1e-3, 1e-4]
    (experiment,) = {run.info.experiment_id for run in found.values()}
    (sweep,) = Path("outputs/sweeps").iterdir()
    assert client(store).get_experiment(experiment).name == f"sweeps/{sweep.name}"


def test_pictures_and_remarks_are_artifacts_under_their_steps(store: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    tracker = MLflow(experiment="mine")
    tracker.start(RunFacts(Path("run"), Path("outputs"), "a", parameters={"seed": 0, "odd key!": "x" * 9000}), None)
    tracker.picture("sample", picture, b"", 4)
    tracker.text("remarks", "the discriminator wins", 12)
    tracker.metrics({"test/class<1>": 0.5}, 4)
    tracker.finish("interrupted")
    run = runs(store)["a"]
    (image,) = (artifacts(store, run) / "images").glob("sample*step*4*.png")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(image.read_bytes()))), picture)
    assert (artifacts(store, run) / "remarks" / "step-000012.txt").read_text() == "the discriminator wins"
    assert run.data.metrics == {"test/class_1_": 0.5}
    assert (run.data.params["seed"], len(run.data.params["odd key_"])) == ("0", module.LONGEST)
    assert run.info.status == "KILLED"
    assert client(store).get_experiment(run.info.experiment_id).name == "mine"


def test_more_parameters_than_one_request_takes_are_all_there(store: Path) -> None:
    parameters = {f"p{i}": i for i in range(250)}
    MLflow().start(RunFacts(Path("run"), Path("outputs"), "a", parameters=parameters), None)
    assert runs(store)["a"].data.params == {name: str(value) for name, value in parameters.items()}


def test_an_identity_that_the_store_does_not_know_begins_a_run(store: Path) -> None:
    identity = MLflow().start(RunFacts(Path("run"), Path("outputs"), "a"), "0123456789abcdef0123456789abcdef")
    assert runs(store)["a"].info.run_id == identity


def test_folders_that_were_moved_with_their_store_go_on_in_it(store: Path) -> None:
    above = Path("moved/outputs")
    above.parent.mkdir()
    (above / "vae").mkdir(parents=True)
    shutil.copy(store, above.parent)  # without nnlab's lock beside it, it is another program's
    module.lock_of(Path(shutil.copy(store, above))).touch()
    MLflow().start(RunFacts(above / "vae" / "run", Path("outputs"), "a"), None)
    assert not set(runs(store))
    assert set(runs(above.absolute() / module.STORE)) == {"a"}


def test_a_store_that_keeps_pictures_elsewhere_is_refused(store: Path, own_folder: Path) -> None:
    client(store).create_experiment("nnlab", artifact_location=(own_folder / "elsewhere").as_uri())
    with pytest.raises(Exception, match="keeps pictures outside its folder"):
        MLflow().start(RunFacts(Path("run"), Path("outputs"), "a"), None)


def test_a_server_that_is_gone_costs_the_run_nothing(nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    status, out, error = nnlab("train", *WORDS, "recorder=mlflow", "recorder.uri=http://127.0.0.1:9")
    assert status == 0, error
    assert out.count("MLflow failed: ") == 1
    (folder,) = find("outputs")
    assert folder.read_status()["status"] == "completed"
    assert "MLflow failed: " in folder.log.read_text()


def test_two_jobs_do_not_make_the_tables_of_a_store_at_once(own_folder: Path) -> None:
    order, inside = [], threading.Event()

    def second() -> None:
        inside.wait(10)
        with module.alone(own_folder / module.STORE):
            order.append("second")

    other = threading.Thread(target=second)
    other.start()
    with module.alone(own_folder / module.STORE):
        inside.set()
        time.sleep(0.2)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


# -- addresses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "scheme"),
    [
        ("auto", "sqlite"),
        ("sqlite:///mlflow.db", "sqlite"),
        ("sqlite:////data/mlflow.db", "sqlite"),
        ("http://localhost:5000", "http"),
        ("https://mlflow.example.org/team", "https"),
        ("postgresql+psycopg2://db/mlflow", "postgresql"),
        ("databricks", "databricks"),
    ],
)
def test_an_address_that_mlflow_can_write_into(uri: str, scheme: str) -> None:
    assert check(uri) == scheme


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        *((uri, "expected auto") for uri in ("mlruns", "https://", "sqlite://", "sqlite:///", "ftp://host", "http://[", "://")),
        ("file:///tmp/mlruns", "no longer keeps runs in a folder"),
        (".", "no longer keeps runs in a folder"),
        ("https://me:secret@host", "has a password"),
        ("postgresql://me:secret@host/db", "has a password"),
    ],
)
def test_an_address_that_is_none(uri: str, why: str) -> None:
    with pytest.raises(ArgumentError, match=why):
        check(uri)


def test_a_strangers_run_does_not_say_to_whom_results_are_sent(nnlab, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = "http://127.0.0.1:9"
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    status, _, error = nnlab("train", *WORDS, "hydra.run.dir=run")
    assert status == 0, error
    config = Path("run/config.yaml")
    node = f"recorder:\n  _target_: nnlab.recording.mlflow.MLflow\n  uri: {server}\n  experiment: auto\n"
    config.write_text(config.read_text().replace("recorder: {}\n", node))
    status, _, error = nnlab("resume", "run", "trainer.epochs=3")
    assert status == 2
    assert f"recorder.uri: the run folder says {server}" in error
    status, _, error = nnlab("resume", "run", "trainer.epochs=3", "recorder=mlflow")
    assert status == 0, error
    assert len(runs(store)) == 1
    config.write_text(config.read_text().replace("uri: auto", f"uri: {server}"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    status, out, error = nnlab("resume", "run", "trainer.epochs=4")
    assert status == 0, error
    assert "MLflow failed: " in out, "the user's own variable says so"


def test_nor_does_a_strangers_sweep(nnlab) -> None:
    sweep = Path("sweep")
    sweep.mkdir()
    (sweep / "sweep.json").write_text(json.dumps({"jobs": [["recorder=mlflow", "recorder.uri=http://127.0.0.1:9"]]}))
    status, _, error = nnlab("resume", "sweep")
    assert status == 2
    assert "if that is yours, add recorder.uri=…" in error
