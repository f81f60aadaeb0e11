"""Weights & Biases as a tracker, offline: what its file holds equals what the run's own files hold."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import QUIET, small
from PIL import Image

from nnlab.errors import BadInput
from nnlab.recording.tracker import RunFacts
from nnlab.recording.wandb import WandB, logged_in
from nnlab.runs.find import find

pytestmark = [
    pytest.mark.usefixtures("blank_charts", "own_variables"),
    pytest.mark.filterwarnings("default"),  # W&B and what it imports warn of each other
    pytest.mark.xdist_group("wandb"),
]
WORDS = [*small("ae"), "data.limit=60", "trainer.epochs=2", *QUIET]
BLOCK, HEADER = 32768, 7  # bytes


@pytest.fixture
def own_variables(monkeypatch: pytest.MonkeyPatch, own_folder: Path) -> None:
    """Without the user's variables, and in a home of its own."""
    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_ERROR_REPORTING"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    (own_folder / "home").mkdir()
    monkeypatch.setenv("HOME", str(own_folder / "home"))
    monkeypatch.delenv("NETRC", raising=False)


def records(path: Path) -> Iterator[object]:
    """The records of a .wandb file: in blocks, each part after its checksum, length and kind, as in LevelDB's log."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, whole = path.read_bytes(), HEADER, b""
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + HEADER])
        whole += data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (1, 4):  # whole, or its last part
            yield Record.FromString(whole)
            whole = b""


def files() -> list[Path]:
    """The files of all runs, when W&B's own process, which goes on for a moment, has written them whole."""
    found = sorted(Path("outputs/wandb").glob("offline-run-*/*.wandb"))
    until = time.monotonic() + 30
    while not all(of(path, "exit") for path in found):
        assert time.monotonic() < until, "a run was not finished"
        time.sleep(0.05)
    return found


def history(path: Path) -> dict[str, list[tuple[int, float]]]:
    """Each metric of a run, as (step, value)."""
    found: dict[str, list[tuple[int, float]]] = {}
    for record in records(path):
        if record.WhichOneof("record_type") == "history":
            items = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            step = items.pop("step", None)
            for name, value in items.items():
                if isinstance(value, float | int) and not name.startswith(("_", "images/")):
                    found.setdefault(name, []).append((step, value))
    return found


def of(path: Path, kind: str) -> list[object]:
    return [getattr(record, kind) for record in records(path) if record.WhichOneof("record_type") == kind]


def test_a_run_is_a_run_with_its_parameters_and_metrics(nnlab) -> None:
    status, _, error = nnlab("train", *WORDS, "recorder=wandb", "tags=[lab3]", 'note="a first try"')
    assert status == 0, error
    assert "wandb" not in error
    (folder,), (file,) = find("outputs"), files()
    run = of(file, "run")[0]
    assert (run.project, run.display_name) == ("nnlab", folder.path.relative_to("outputs").as_posix())
    assert (list(run.tags), run.notes) == (["lab3"], "a first try")
    assert json.loads((folder.path / "tracker.json").read_text()) == {"WandB": run.run_id}
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config["optimizer.lr"] == folder.read_config()["optimizer"]["lr"]
    known, expected = history(file), {}
    for record in folder.read_metrics():
        for name in record.keys() & {"loss", "mse", "psnr", "ssim", "lr"}:
            expected.setdefault(f"{record['split']}/{name}", []).append((record["step"], record[name]))
    ((best, value),) = folder.read_status()["best"].items()
    assert known.pop(f"best/{best}") == [(folder.read_summary()["best_step"], value)]
    assert known == expected
    assert [ended.exit_code for ended in of(file, "exit")] == [0]


def test_a_run_that_goes_on_is_the_same_run(nnlab) -> None:
    assert nnlab("train", *WORDS, "recorder=wandb", "hydra.run.dir=run")[0] == 0
    status, _, error = nnlab("resume", "run", "trainer.epochs=3")
    assert status == 0, error
    first, second = files()
    assert of(first, "run")[0].run_id == of(second, "run")[0].run_id
    steps = [step for file in (first, second) for step, _ in history(file)["train/loss"]]
    assert steps == sorted(set(steps))


def test_a_sweep_is_a_group_and_its_jobs_are_runs(nnlab) -> None:
    status, _, error = nnlab("train", "-m", *WORDS, "recorder=wandb", "optimizer.lr=1e-3,1e-4")
    assert status == 0, error
    found = [of(file, "run")[0] for file in files()]
    assert {run.display_name for run in found} == {"0 optimizer.lr=0.001", "1 optimizer.lr=0.0001"}
    (sweep,) = Path("outputs/sweeps").iterdir()
    assert {run.run_group for run in found} == {f"sweeps/{sweep.name}"}


def test_pictures_lie_beside_the_file() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    tracker = WandB(project="mine")
    tracker.start(RunFacts(Path("run"), Path("outputs"), "a"), None)
    tracker.picture("sample", picture, b"", 4)
    tracker.text("remarks", "the discriminator wins", 5)
    tracker.finish("diverged")
    (file,) = files()
    (image,) = file.parent.rglob("sample*.png")
    assert np.array_equal(np.asarray(Image.open(image)), picture)
    assert of(file, "run")[0].project == "mine"
    assert [ended.exit_code for ended in of(file, "exit")] == [1]


def test_verbs_do_not_look_for_runs_in_what_a_tracker_keeps(nnlab) -> None:
    assert nnlab("train", *WORDS, "recorder=wandb")[0] == 0
    (folder,) = find("outputs")
    status, _, error = nnlab("show", "last")
    assert status == 0, error
    (Path("outputs/wandb") / "run").mkdir()
    (Path("outputs/wandb") / "run" / "status.json").write_text("{}")
    assert [run.path for run in find("outputs")] == [folder.path]


def test_who_is_not_logged_in_is_told_before_training(nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    status, _, error = nnlab("train", *WORDS, "recorder=wandb", "recorder.mode=online")
    assert (status, "run wandb login" in error) == (2, True)
    assert not Path("outputs").exists()
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    assert WandB(mode="online").mode == "online"


def test_a_key_is_found_where_wandb_login_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not logged_in()
    netrc = Path.home() / ".netrc"
    netrc.write_text("machine api.wandb.ai\n  login user\n  password secret\n")
    netrc.chmod(0o600)
    assert logged_in()
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert not logged_in()
    netrc.write_text("no netrc at all {")
    with pytest.raises(BadInput, match="nobody is logged in"):
        WandB(mode="online")
