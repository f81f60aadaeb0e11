"""A sweep is an object: it has a table that stays, can be shown, and can be resumed with all its jobs."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import QUIET, same_bits, small, weights

import nnlab as package
from nnlab.commands import resume, rm
from nnlab.commands.train import run_alone, under_hydra
from nnlab.errors import BadInput
from nnlab.runs.find import find, resolve, short_id
from nnlab.runs.folder import RunFolder

pytestmark = pytest.mark.usefixtures("blank_charts")

SWEEP = [*small("ae"), "trainer.steps=3", "optimizer.lr=1e-3,1e-4", "seed=0,1", *QUIET, "hydra.sweep.dir=sweep"]


def rows() -> list[dict]:
    with open("sweep/sweep.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_its_table_stays_and_is_shown_again(nnlab) -> None:
    status, out, error = nnlab("train", "-m", *SWEEP)
    assert status == 0, error
    assert len(json.loads(Path("sweep/sweep.json").read_text())["jobs"]) == 4
    finals = [RunFolder(Path(f"sweep/{i}")).read_summary()["final"]["test/mse"] for i in range(4)]
    assert [float(row["test/mse"]) for row in rows()] == pytest.approx(finals, rel=1e-4)
    assert [row["overrides"] for row in rows()] == [
        f"optimizer.lr={lr} seed={seed}" for lr in ("0.001", "0.0001") for seed in (0, 1)
    ]
    head, rule, *lines = Path("sweep/sweep.md").read_text().splitlines()
    assert head.startswith("| job | overrides | status | validation/loss | test/loss | test/mse |")
    assert rule.count("---") == head.count("|") - 1
    assert len(lines) == 4
    table = out[out.index("the best last") : out.index("best: ")]
    assert table in nnlab("show", "sweep")[1]


def test_of_different_models_the_union_is_shown_and_nothing_is_ranked(nnlab) -> None:
    _, out, error = nnlab("train", "-m", "model=pca,kmeans", "data.limit=200", QUIET[0], "hydra.sweep.dir=sweep")
    assert "in the order of the jobs: their metrics are of different models or data" in out, error
    pca, kmeans = rows()
    assert pca["test/inertia"] == ""
    assert float(kmeans["test/inertia"]) > 0
    assert float(pca["test/mse"]) > 0 < float(kmeans["test/mse"])


def test_an_interrupted_sweep_goes_on_with_all_its_jobs(nnlab) -> None:
    assert nnlab("train", "-m", *SWEEP)[0] == 0
    shutil.copytree("sweep", "whole")
    shutil.rmtree("sweep/3")
    first = RunFolder(Path("sweep/1"))
    first.write_status("interrupted")
    shutil.copy(first.checkpoints / "previous.pt", first.checkpoints / "last.pt")
    assert "not begun" in nnlab("show", "sweep")[1]
    status, out, error = nnlab("resume", "sweep")
    assert status == 0, error
    assert "job 1 of 4" in out
    assert "job 0 of 4" not in out
    for i in range(4):
        assert same_bits(*(weights(RunFolder(Path(where, str(i)))) for where in ("sweep", "whole")))
    assert len(rows()) == 4


def test_a_run_is_found_by_its_id_and_by_how_long_ago_it_began(nnlab) -> None:
    for seed in (0, 1, 2):
        assert nnlab("train", *small("ae"), "trainer.steps=1", f"seed={seed}", "tags=[lab]", *QUIET)[0] == 0
    runs = json.loads(nnlab("runs", "--json")[1])
    assert [run["differs"][-1] for run in runs] == [QUIET[-1]] * 3
    for ago, run in enumerate(reversed(runs)):
        assert resolve(f"last~{ago}").path == resolve(run["id"]).path == Path(run["folder"])
    assert resolve("last").read_config()["seed"] == 2
    assert len({short_id(folder.read_status()) for folder in find(Path("outputs"))}) == 3
    listed = nnlab("runs")[1].splitlines()
    assert [line.split()[0] for line in listed[1:]] == [run["id"] for run in runs]
    assert "there are 3 runs" in nnlab("show", "last~3")[2]
    assert "no such run folder or id" in nnlab("show", "000000")[2]


def test_a_run_is_opened_and_trained_from_python(nnlab) -> None:
    run = package.train(*small("ae"), "trainer.steps=3", *QUIET)
    assert run.metrics[-1]["split"] == "test"
    assert run.config["model"]["latent_dim"] == run.model.latent_dim == 4
    assert len(run.data.test) == 359
    again = package.open("last")
    assert again.folder.path == run.folder.path
    second = package.train(*small("ae"), "trainer.steps=3", "seed=5", *QUIET)
    assert second.folder.path != run.folder.path
    with pytest.raises(BadInput, match="unknown key"):
        package.train("model.latent=3")
    with pytest.raises(BadInput, match="options such as -m"):
        package.train("model=ae", "-m")


@pytest.mark.parametrize(
    ("typed", "seen"), [(["vae"], "  vae "), (["model"], "  vae "), (["models", "v*"], "  vae "), (["optimizer"], "  adam ")]
)
def test_list_takes_the_singular_and_a_name(nnlab, typed: list[str], seen: str) -> None:
    status, out, _ = nnlab("list", *typed)
    assert status == 0
    assert seen in out


def test_runs_are_removed_but_not_one_that_trains_or_what_is_no_run(nnlab, own_folder: Path) -> None:
    for seed in (0, 1):
        assert nnlab("train", *small("ae"), "trainer.steps=1", f"seed={seed}", *QUIET, f"hydra.run.dir=runs/{seed}")[0] == 0
    (own_folder / "mine").mkdir()
    (own_folder / "mine" / "thesis.txt").write_text("years of work")
    assert "no run folder" in nnlab("rm", "runs/0", "mine", "--yes")[2]
    assert "add --yes" in nnlab("rm", "runs/0")[2]
    with RunFolder(Path("runs/0")).locked():
        assert "another process is training here" in nnlab("rm", "runs/0", "--yes")[2]
    assert Path("runs/0/config.yaml").exists()
    (own_folder / "runs/1/elsewhere").symlink_to(own_folder / "mine")
    assert nnlab("rm", "runs/1", "--yes")[0] == 2
    status, _, error = nnlab("rm", "runs/0", "--yes")
    assert status == 0, error
    assert not Path("runs/0").exists()
    assert (own_folder / "mine" / "thesis.txt").exists()


@pytest.mark.parametrize(
    "word",
    ["-m", "-cd", "evil", "hydra.output_subdir=../x", "+hydra.callbacks.x={}", "~trainer", "hydra/launcher=x", "outputs=../x"],
)
def test_a_strangers_sweep_holds_no_options_and_no_keys_of_hydra(nnlab, own_folder: Path, word: str) -> None:
    Path("sweep").mkdir()
    Path("sweep/sweep.json").write_text(json.dumps({"jobs": [["model=pca", word]]}))
    status, _, error = nnlab("resume", "sweep")
    assert (status, "is no plain KEY=VALUE" in error) == (2, True), error
    assert [path.name for path in own_folder.rglob("*")] == ["sweep", "sweep.json"]


def test_a_job_that_is_a_link_is_not_written_into(nnlab) -> None:
    for name in ("sweep", "outside"):
        Path(name).mkdir()
    Path("sweep/sweep.json").write_text(json.dumps({"jobs": [["model=pca"]]}))
    Path("sweep/0").symlink_to("../outside")
    assert nnlab("resume", "sweep")[0] == 2
    assert not list(Path("outside").iterdir())


def test_a_link_in_a_job_that_never_began_leads_to_no_loss(nnlab) -> None:
    for name in ("sweep/0", "outside"):
        Path(name).mkdir(parents=True)
    Path("outside/mine.yaml").write_text("years: of work")
    Path("sweep/sweep.json").write_text(json.dumps({"jobs": [["model=pca"]]}))
    Path("sweep/0/.hydra").symlink_to("../../outside")
    status, _, error = nnlab("resume", "sweep")
    assert (status, "a link" in error) == (2, True), error
    assert Path("outside/mine.yaml").exists()


def test_runs_on_other_examples_are_not_ranked(nnlab) -> None:
    for words, ranked in (
        (["data.limit=60,80"], False),
        (["noise=gaussian", "noise.std=0.1,0.9"], False),
        (["data.train_size=30,60"], True),
    ):
        shutil.rmtree("sweep", ignore_errors=True)
        _, out, error = nnlab("train", "-m", *small("ae"), "trainer.steps=2", *QUIET, *words, "hydra.sweep.dir=sweep")
        assert ("the best last" in out, "best: " in out) == (ranked, ranked), (words, error)


def test_a_job_that_was_killed_before_it_began_is_trained(nnlab) -> None:
    assert nnlab("train", "-m", *SWEEP)[0] == 0
    for entry in Path("sweep/2").iterdir():
        if entry.name != ".hydra":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    status, _, error = nnlab("resume", "sweep")
    assert status == 0, error
    assert RunFolder(Path("sweep/2")).read_status()["status"] == "completed"


def test_the_users_own_places_and_configs_are_no_hindrance(nnlab, own_folder: Path) -> None:
    own = own_folder / "conf" / "model"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(
        "# nnlab train model=mine\n# My own.\ndefaults:\n  - ae\n  - _self_\nhidden: [8]\nlatent_dim: 2\n"
    )
    (own_folder / "a,b.csv").write_text("x,y\n" + "".join(f"{i},{i * i}\n" for i in range(60)))
    file = f"data.file='{own_folder}/a,b.csv'"
    words = [
        "model=mine",
        "data=csv",
        file,
        "seed=0,1",
        "trainer.steps=2",
        *QUIET,
        "outputs=elsewhere",
        "hydra.sweep.dir=sweep",
    ]
    status, _, error = nnlab("train", "-m", "-cd", "conf", *words)
    assert status == 0, error
    shutil.rmtree("sweep/1")
    assert "mine" in nnlab("resume", "sweep")[2]
    status, _, error = nnlab("resume", "sweep", "-cd", "conf")
    assert status == 0, error
    assert RunFolder(Path("sweep/1")).read_config()["data"]["file"] == f"{own_folder}/a,b.csv"
    assert not Path("elsewhere").exists()


def test_no_option_of_resume_is_dropped(nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nnlab("train", "-m", *SWEEP)[0] == 0
    assert "--checkpoint: belongs to one run" in nnlab("resume", "sweep", "--checkpoint", "last")[2]
    assert "-cd: not used for a run" in nnlab("resume", "sweep/0", "-cd", ".")[2]
    job = RunFolder(Path("sweep/1"))
    job.write_status("running", host="elsewhere")
    shutil.copy(job.checkpoints / "previous.pt", job.checkpoints / "last.pt")
    assert "--take-over" in nnlab("resume", "sweep")[2]
    status, _, error = nnlab("resume", "sweep", "--take-over")
    assert status == 0, error


def test_a_sweep_is_removed_whole_but_not_what_is_no_part_of_it(nnlab) -> None:
    assert nnlab("train", "-m", *SWEEP)[0] == 0
    Path("sweep/notes.txt").write_text("mine")
    assert "notes.txt: is not part of a sweep" in nnlab("rm", "sweep", "--yes")[2]
    Path("sweep/notes.txt").unlink()
    RunFolder(Path("sweep/3")).write_status("running")
    assert "is training" in nnlab("rm", "sweep", "--yes")[2]
    RunFolder(Path("sweep/3")).write_status("completed")
    status, _, error = nnlab("rm", "sweep", "--yes")
    assert status == 0, error
    assert not Path("sweep").exists()


HOLDER = """
import sys
from pathlib import Path
from nnlab.runs.lock import locked, sharing

with locked(Path("sweep"), shared=True), sharing(Path("sweep")) as take:
    print(take(1), take(2), flush=True)
    sys.stdin.read()
"""


def test_several_processes_share_the_rest_of_a_sweep(nnlab, own_folder: Path) -> None:
    assert nnlab("train", "-m", *SWEEP)[0] == 0
    for i in range(4):
        shutil.rmtree(f"sweep/{i}")
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "True True\n"
        status, out, error = nnlab("resume", "sweep")
        assert status == 0, error
        assert [line.split(":")[0] for line in out.splitlines() if line.startswith("job ")][:2] == ["job 0 of 4", "job 3 of 4"]
        assert [path.is_dir() for path in (Path(f"sweep/{i}") for i in range(4))] == [True, False, False, True]
        assert "another process is training here" in nnlab("rm", "sweep", "--yes")[2]
        other.communicate("")
    assert nnlab("resume", "sweep")[0] == 0
    assert {row["status"] for row in rows()} == {"completed"}


def test_a_run_after_a_sweep_of_the_same_process_leaves_its_table_alone(nnlab, own_folder: Path) -> None:
    assert nnlab("train", "-m", *SWEEP)[0] == 0
    shutil.rmtree("sweep")
    under_hydra(lambda: run_alone([*small("ae"), "trainer.steps=1", *QUIET], own_folder / "run"), multirun=False)
    assert RunFolder(own_folder / "run").read_status()["status"] == "completed"
    assert not Path("sweep").exists()


def test_a_sweep_that_trains_is_neither_removed_nor_resumed_also_between_two_jobs(
    nnlab, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def between(path: Path) -> None:
        for verb, *more in ((rm, "--yes"), (resume,)):
            with pytest.raises(BadInput, match="another process is training here"):
                verb.main([str(path), *more])
        seen.append(path)

    with monkeypatch.context() as patch:
        patch.setattr("nnlab.runs.sweep.keep", between)
        assert nnlab("train", "-m", *SWEEP)[0] == 0
    assert len(seen) == 4
    assert nnlab("resume", "sweep")[0] == 0
    assert nnlab("rm", "sweep", "--yes")[0] == 0


def test_pictures_that_some_jobs_have_are_laid_side_by_side(nnlab) -> None:
    _, out, error = nnlab(
        *("train", "-m", "model=linear_ae,kmeans,pca", "data.limit=100", "trainer.batch_size=100"),
        *("trainer.evaluate_every=never", "hydra.sweep.dir=sweep"),
    )
    assert {"reconstruction", "traversal"} <= {path.stem for path in Path("sweep/images").iterdir()}, out + error
    assert "components" not in {path.stem for path in Path("sweep/images").iterdir()}, "only pca has them"


def test_the_list_of_runs_keeps_to_the_width(nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [*small("ae"), "trainer.steps=1", *QUIET, "tags=[lab3,first]"]
    assert nnlab("train", *words, *[f"optimizer.lr={lr}" for lr in ("0.00123456789",)])[0] == 0
    assert nnlab("train", "experiment=em_blobs", "trainer.epochs=1")[0] == 0
    for width in (90, 140):
        monkeypatch.setenv("COLUMNS", str(width))
        head, *rows = nnlab("runs")[1].splitlines()
        assert {"recipe", "tags"} <= set(head.split())
        assert "lab3 first" in rows[0]
        assert "em_blobs" in rows[1]
        assert max(map(len, rows)) <= max(width, len(head) + 20)
    everything = json.loads(nnlab("runs", "--json")[1])
    assert "optimizer.lr=0.00123456789" in everything[0]["differs"]
    assert [run["experiment"] for run in everything] == [None, "em_blobs"]


def test_where_data_lie_is_the_users_to_say(nnlab, own_folder: Path) -> None:
    """A judge would be trained and kept there, and data downloaded."""
    outside, sweep = own_folder / "outside", own_folder / "sweep"
    for folder in (outside, sweep):
        folder.mkdir()
    job = [*small("pca"), "data=digits", "data.limit=60", f"data.root={outside}", "judge=auto", "trainer.show_every=never"]
    (sweep / "sweep.json").write_text(json.dumps({"jobs": [job]}))
    status, _, error = nnlab("resume", "sweep")
    assert (status, "add data.root=FOLDER" in error) == (2, True), error
    assert not list(outside.iterdir())
    (sweep / "sweep.json").write_text(json.dumps({"jobs": [[word for word in job if word != "judge=auto"]]}))
    status, _, error = nnlab("resume", "sweep", "data.root=mine")
    assert status == 0, error
    assert RunFolder(Path("sweep/0")).read_config()["data"]["root"] == "mine"
