"""Nothing is written through a run folder from somebody else: no link of it is followed, and no pipe read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml
from stranger import copied_run, fingerprint

from nnlab.commands.decompress import png_names
from nnlab.latent.code_file import CodeFile, Coding
from nnlab.runs.files import harmless
from nnlab.runs.folder import RunFolder

pytestmark = pytest.mark.usefixtures("blank_charts")

PLAIN = ("resume", "evaluate", "sample", "reconstruct", "traverse", "embed", "outliers", "probe", "show", "tensorboard", "walk")
VERBS = {
    **dict.fromkeys(PLAIN, ()),
    "interpolate": ("--from", "0", "--to", "1"),
    "perturb": ("--index", "0"),
    "retrieve": ("--index", "0"),
    "attribute": ("--plus", "1", "--minus", "2"),
    "compress": ("-o", "out.npz"),
    "decompress": ("c.npz", "-o", "out"),
    "export": (),
    "curves": (),
    "compare": (),
    "report": (),
    "rm": ("--yes",),
}
FILES = ("config.yaml", "status.json", "summary.json", "metrics.jsonl", "train.log", "EVENTS", "checkpoints/last.pt")
FILES += ("checkpoints/best.pt", "checkpoints/previous.pt", "checkpoints/step-999999.pt", "checkpoints/last.tmp", ".lock")
FILES += ("config.yaml.tmp", "status.json.tmp", "summary.json.tmp", "images/sample.png", "images/reconstruction.png")
FILES += ("images/reconstruction.json", "images/traversal.png", "images/curves.png", "projector/tensors.tsv")
FILES += ("projector/metadata.tsv", "projector/sprite.png", "projector_config.pbtxt", "codes.npz", "outliers.csv", "probe.json")
FILES += ("samples.npz", ".hydra/config.yaml")
FOLDERS = ("images", "projector", "checkpoints", ".hydra")


@pytest.fixture
def run(shared_run, own_folder: Path) -> Path:
    return copied_run(shared_run)


def planted(run: Path, name: str, target: str) -> None:
    """A link in place of a file of the run."""
    path = next(run.glob("events.*")) if name == "EVENTS" else run / name
    path.parent.mkdir(exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


@pytest.mark.parametrize("name", [*FILES, *FOLDERS])
def test_no_verb_writes_through_a_link(name: str, run: Path, nnlab) -> None:
    outside = Path("outside").absolute()
    outside.mkdir()
    for each in ("file", "step-999999.pt", "sample.png"):
        (outside / each).write_text("mine")
    planted(run, name, str(outside if name in FOLDERS else outside / "file"))
    before = fingerprint(outside), fingerprint(run)
    for verb, more in VERBS.items():
        status, _, error = nnlab(verb, str(run), *more)
        assert status == 2, (verb, error)
        assert error.count("\n") == 1, (verb, error)
        assert "a link" in error, (verb, error)
        assert (fingerprint(outside), fingerprint(run)) == before, verb
    assert set(os.listdir()) == {"outside", "run"}


@pytest.mark.parametrize("name", [*FILES, *FOLDERS])
def test_no_verb_of_a_sweep_writes_through_a_link_in_a_job(name: str, run: Path, nnlab) -> None:
    outside = Path("outside").absolute()
    outside.mkdir()
    (outside / "file").write_text("mine")
    Path("sweep").mkdir()
    run.rename("sweep/0")
    Path("sweep/sweep.json").write_text('{"jobs": [["model=vae"]]}')
    planted(Path("sweep/0"), name, str(outside if name in FOLDERS else outside / "file"))
    before = fingerprint(outside), fingerprint(Path("sweep"))
    for verb, more in {"show": [], "resume": ["trainer.epochs=2"], "rm": ["--yes"]}.items():
        status, _, error = nnlab(verb, "sweep", *more)
        assert status == 2, (verb, error)
        assert "a link" in error, (verb, error)
        assert (fingerprint(outside), fingerprint(Path("sweep"))) == before, verb


@pytest.mark.parametrize("name", ["sweep.csv", "sweep.md", "images", "images/reconstruction.png"])
def test_a_link_in_a_sweep_is_not_written_through(name: str, run: Path, nnlab) -> None:
    outside = Path("outside").absolute()
    outside.mkdir()
    (outside / "file").write_text("mine")
    Path("sweep").mkdir()
    shutil.copytree(run, "sweep/0")
    run.rename("sweep/1")
    Path("sweep/sweep.json").write_text('{"jobs": [["model=vae"], ["model=vae", "seed=1"]]}')
    planted(Path("sweep"), name, str(outside if name == "images" else outside / "file"))
    before = fingerprint(outside)
    nnlab("show", "sweep")
    assert fingerprint(outside) == before


@pytest.mark.parametrize("name", ["status.json", "summary.json", "metrics.jsonl", "train.log", "checkpoints/best.pt"])
def test_a_pipe_holds_nobody_up(name: str, run: Path, nnlab) -> None:
    (run / name).unlink()
    os.mkfifo(run / name)
    for verb in ("resume", "evaluate", "show"):
        status, _, error = nnlab(verb, str(run))
        assert (status, error.count("\n")) == (2, 1)
        assert "a pipe" in error
    status, _, error = nnlab("runs", "--root", ".")
    assert (status, "left out" in error) == (0, "/" not in name), "a list opens status.json alone"


def test_one_bad_folder_never_ends_the_listing(run: Path, nnlab) -> None:
    for i, text in enumerate(["[]", "null", '{"seconds": Infinity}', '{"tags": [1], "parameters": null}', "[" * 10**5, "\xff"]):
        bad = Path(f"bad{i}")
        bad.mkdir()
        (bad / "status.json").write_text(text)
    Path("loop").mkdir()
    for i in range(20):
        Path(f"loop/{i}").symlink_to(".")
    Path("itself").symlink_to("itself")
    shutil.copytree(run, "linked")
    planted(Path("linked"), "train.log", "/dev/zero")
    status, out, error = nnlab("runs", "--root", ".")
    assert status == 0
    assert sum("completed" in line for line in out.splitlines()) == 1
    assert error == "nnlab: left out: linked/train.log: a link, which a run folder must not hold; remove it first\n"


def test_a_folder_of_the_users_own_may_be_a_link(run: Path, nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("elsewhere").mkdir()
    shutil.move(run, "elsewhere/run")
    Path("mine").mkdir()
    Path("mine/vae").symlink_to("../elsewhere")
    Path("root").symlink_to("mine")
    monkeypatch.setenv("NNLAB_OUTPUTS", "root")
    assert "completed" in nnlab("runs")[1]
    assert nnlab("show", "last")[0] == 0
    Path("alias").symlink_to("elsewhere/run")
    assert nnlab("show", "alias")[0] == 0


def test_files_that_are_made_from_names_are_visible_and_harmless() -> None:
    names = [".ssh/id", "-rf", "$(x)", "a\x1b[2Jb", "ok/Größe 1.jpg", "~root", "`x`;y"]
    file = CodeFile(Path("c.npz"), len(names), 2, Coding(), (1, 8, 8), "0" * 16, names)
    made = png_names(file)
    assert made == ["_.ssh/id.png", "_-rf.png", "__x_.png", "a__2Jb.png", "ok/Größe 1.png", "_~root.png", "_x__y.png"]
    assert harmless("") == "_"


def test_a_judge_is_written_where_the_user_has_his_data(run: Path, nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnlab.experiment.judging.LEAST_STEPS", 2)
    monkeypatch.setattr("nnlab.experiment.judging.EPOCHS", 1)
    monkeypatch.delenv("NNLAB_DATA", raising=False)
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["data"]["root"] = "theirs"
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    status, _, error = nnlab("evaluate", str(run), "--judge", "auto")
    assert status == 0, error
    assert not Path("theirs").exists()
    assert len(list(Path("datasets/judges").iterdir())) == 1


def test_a_run_that_was_moved_goes_on(run: Path, nnlab) -> None:
    shutil.move(run, "moved")
    assert nnlab("resume", "moved", "trainer.steps=2")[0] == 0
    assert RunFolder(Path("moved")).read_status()["step"] == 2
