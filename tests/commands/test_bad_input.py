"""Each bad input gets one message that names the place and the remedy, exit status 2, and leaves nothing behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import only_run, small
from PIL import Image

pytestmark = pytest.mark.usefixtures("blank_charts")

TYPED = {
    "model=vaee": "model=vaee: no such model; did you mean 'vae'?",
    "data=fashion": "data=fashion: no such data; did you mean 'fashion_mnist'?",
    "optimizer/schedule=cos": "optimizer/schedule=cos: no such optimizer/schedule; did you mean 'cosine'?",
    "modle=vae": "modle: unknown key; did you mean 'model'?",
    "optimizer.lrr=1": "optimizer.lrr: unknown key; did you mean 'lr'?",
    "+optimizer.lrr=1": "optimizer.lrr: unknown key; did you mean 'lr'?",
    "++optimizer.lrr=1": "optimizer.lrr: unknown key; did you mean 'lr'?",
    "+model=vae": "+model=vae: write model=vae, without the leading sign",
    "~noise": "~noise: a group cannot be removed; write noise=none",
    "~trainer.epochs": "~trainer.epochs: a key cannot be removed",
    "optimizer.schedule=cosine": "optimizer.schedule=cosine: 'optimizer.schedule' is a group; choose with",
    "optimizer.lr.x=1": "optimizer.lr.x: 'optimizer.lr' holds no keys",
    "vae": "vae: expected key=value, e.g. model=vae",
    "model.hidden=[1,2": "model.hidden=[1,2: ",
    "optimizer.lr=abc": "optimizer.lr: expected a number, got 'abc'",
    "optimizer.lr=-1": "optimizer.lr: Invalid learning rate: -1",
    "optimizer.betas=[0.9]": "optimizer.betas: expected [a number, a number], got [0.9]",
    "model.latent_dim=0": "model.latent_dim: expected a whole number ≥ 1, got 0",
    "model.latent_dim=2.5": "model.latent_dim: expected a whole number ≥ 1, got 2.5",
    "model.hidden=[0]": "model.hidden: expected a list of whole numbers ≥ 1, got [0]",
    "model.activation=swish": "model.activation: expected relu or silu or gelu or elu or leaky_relu or tanh, got 'swish'",
    "trainer.batch_size=0": "trainer.batch_size: expected a whole number ≥ 1, got 0",
    "trainer.epochs=none": "trainer.epochs, trainer.steps: none of the two is given",
    "trainer.show_every=5": "trainer.show_every: expected auto or a text such as '5 epochs', '200 steps' or never, got 5",
    "trainer.precision=float64": "trainer.precision: expected auto or float32 or bfloat16, got 'float64'",
    "seed=-1": "seed: expected a whole number between 0 and 4294967295, got -1",
    "device=cuda:99": "device: 'cuda:99' is not there: torch sees",
    "device=tpu": "device: expected auto, cpu, cuda, cuda:N or mps, got 'tpu'",
    "data=image_folder": "data.folder: needs a value; add data.folder=…",
    "model._target_=os.system": "model._target_: os.system lies outside nnlab",
    "model._target_=nnlab.cli.main": "model._target_: nnlab.cli.main is no class of nnlab",
}


@pytest.mark.parametrize("typed", TYPED)
def test_what_is_typed_wrong_is_named_with_its_remedy(nnlab, own_folder: Path, typed: str) -> None:
    status, _, error = nnlab("train", typed)
    assert status == 2
    assert error.startswith(f"nnlab: {TYPED[typed]}"), error
    assert len(error.splitlines()) == 1
    assert not list(own_folder.iterdir()), "a rejected config leaves no trace"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["noise=gaussian", "noise.std=-1"], "noise.std: expected a number ≥ 0, got -1"),
        (["trainer.epochs=3", "trainer.steps=9"], "trainer.epochs, trainer.steps: two lengths of one run"),
        (["data.validation=0", "trainer.early_stopping.patience=3"], "nothing to watch with data.validation=0"),
        (
            ["optimizer/schedule=warmup", "optimizer.schedule.warmup=30", "trainer.epochs=20"],
            "30 epochs of warm-up in a run of 20",
        ),
        (["optimizer=sgd", "optimizer.nesterov=true", "optimizer.momentum=0"], "Nesterov momentum requires a momentum"),
        (["data.validation=5000"], "data.validation: 5000 of 1438 training examples leaves none to train on"),
        (["model=conv_vae", "model.channels=[4,8,16,32]"], "model.channels: 4 layers halve 8×8 to nothing"),
        (
            ["model=conv_vae", "model.channels=[]"],
            "model.channels: expected a list of whole numbers ≥ 1 that is not empty, got []",
        ),
        (["model=ae", "trainer=stages"], "trainer: AE learns by gradient; leave trainer= out"),
        (["model=kmeans", "data=iris", "model.clusters=1000"], "model.clusters: 1000 clusters of 108 points"),
        (["model=pca", "data=iris", "model.latent_dim=5"], "model.latent_dim: 5 components of 4 features"),
        (["model=fcnn", "data=npz", "data.root=.", "data.file=no.npz"], "data.file: no file no.npz"),
        (["-m", "model.latent_dim=2,0"], "model.latent_dim: expected a whole number ≥ 1, got 0"),
        (["model=mae", "model/body=conv"], "the chosen model has no body to choose"),
        (["-m", "model=vae,vaee"], "model=vaee: no such model; did you mean 'vae'?"),
    ],
    ids=str,
)
def test_combinations(nnlab, own_folder: Path, typed: list[str], expected: str) -> None:
    status, _, error = nnlab("train", *typed)
    assert status == 2
    assert expected in error
    assert not list(own_folder.iterdir())


def test_several_problems_are_told_at_once(nnlab) -> None:
    status, _, error = nnlab("train", "optimizer.lrr=1", "model.latent_dim=0", "nois=gaussian", "trainer.batch_size=x")
    assert status == 2
    assert {line.split(":")[1].strip() for line in error.splitlines()} == {
        "optimizer.lrr",
        "model.latent_dim",
        "nois",
        "trainer.batch_size",
    }


def test_no_files_and_no_network(nnlab, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import urllib.error
    import urllib.request

    def offline(*args: object, **kwargs: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    status, _, error = nnlab("train", "data=fashion_mnist", "data.root=empty")
    assert status == 2
    assert error.startswith("nnlab: data.root: no Fashion-MNIST under 'empty', and it could not be downloaded")
    assert "data=digits, which needs no download" in error
    assert not list(own_folder.iterdir())


def test_a_truncated_idx_file(nnlab, own_folder: Path) -> None:
    raw = own_folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, n in (("train", 20), ("t10k", 10)):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(
            bytes([0, 0, 8, 3, 0, 0, 0, n, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(n * 784)
        )
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, n]) + bytes(n))
    images = raw / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-1])
    status, _, error = nnlab("train", "data=mnist", "data.root=.")
    assert status == 2
    assert "train-images-idx3-ubyte: truncated or damaged" in error
    assert not Path("outputs").exists()


def test_an_unreadable_image_is_named(nnlab, own_folder: Path) -> None:
    folder = own_folder / "images"
    folder.mkdir()
    for i in range(3):
        Image.new("L", (8, 8), i).save(folder / f"{i}.png")
    (folder / "broken.png").write_bytes(b"no image")
    status, _, error = nnlab("train", "data=image_folder", "data.root=.", "data.folder=images")
    assert status == 2
    assert "broken.png: not a readable image" in error


def test_an_npz_with_nan(nnlab, own_folder: Path) -> None:
    x = np.zeros((10, 3), np.float32)
    x[4, 1] = np.nan
    np.savez("t.npz", x_train=x)
    status, _, error = nnlab("train", "data=npz", "data.root=.", "data.file=t.npz")
    assert status == 2
    assert "x_train[4, 1] is nan" in error
    assert not Path("outputs").exists()


def test_an_existing_run_folder_is_not_overwritten(nnlab, own_folder: Path) -> None:
    quick = ["train", "trainer.steps=1", *small("vae"), "hydra.run.dir=mine"]
    assert nnlab(*quick)[0] == 0
    before = (own_folder / "mine" / "metrics.jsonl").read_bytes()
    status, _, error = nnlab(*quick)
    assert status == 2
    assert "hydra.run.dir: mine exists already; go on with nnlab resume mine" in error
    assert (own_folder / "mine" / "metrics.jsonl").read_bytes() == before


@pytest.fixture
def run_folder(train_once) -> Path:
    train_once("trainer.steps=1", "trainer.precision=float32", *small("vae"))
    return only_run().path


def test_run_folders_that_cannot_be_used(nnlab, run_folder: Path) -> None:
    def error_of(*argv: str) -> str:
        status, _, error = nnlab(*argv)
        assert status == 2, error
        return error

    assert "nowhere: no such run folder" in error_of("sample", "nowhere")
    assert "no run folder (it has no config.yaml)" in error_of("sample", "outputs")
    assert "--coordinates 4: the latent space has coordinates 0 … 3" in error_of("traverse", "last", "--coordinates", "1,4")
    assert "--index 999: the test split has images 0 …" in error_of("traverse", "last", "--index", "999")
    assert "no checkpoint 'step-000009'; there are" in error_of("sample", "last", "--checkpoint", "step-000009")
    assert "pictures are written as .png" in error_of("sample", "last", "-o", "x.jpg")
    assert "--noise fog: no such noise; " in error_of("reconstruct", "last", "--noise", "fog")
    assert "noise.sdt: unknown key; did you mean 'std'?" in error_of(
        "reconstruct", "last", "--noise", "gaussian", "noise.sdt=1"
    )
    assert "completed; to train longer" in error_of("resume", "last")
    assert "optimizer.lr: cannot change in a run that has begun" in error_of("resume", "last", "optimizer.lr=1")
    assert "device: 'cuda:99' is not there" in error_of("sample", "last", "--device", "cuda:99")
    assert "'smaple' is no verb; did you mean 'sample'?" in error_of("smaple")

    config = run_folder / "config.yaml"
    original = config.read_text()
    config.write_text(yaml.safe_dump(yaml.safe_load(original) | {"model": {"_target_": "evil.Model"}}))
    assert "model._target_: evil.Model lies outside nnlab" in error_of("sample", "last")
    config.write_text(original)

    checkpoints = run_folder / "checkpoints"
    last = checkpoints / "last.pt"
    whole = last.read_bytes()
    last.write_bytes(whole[:-100])
    error = error_of("sample", "last", "--checkpoint", "last")
    assert "last.pt: damaged" in error
    assert "Usable: best, previous; add --checkpoint best" in error or "Usable: previous, best" in error
    middle = len(whole) // 2
    end = middle + 200  # more than the padding between two tensors, which no checksum covers
    last.write_bytes(whole[:middle] + bytes(b ^ 0xFF for b in whole[middle:end]) + whole[end:])
    assert "last.pt: damaged (wrong checksum" in error_of("sample", "last", "--checkpoint", "last")
    shutil.rmtree(checkpoints)
    assert "no checkpoint here" in error_of("sample", "last")


def test_a_checkpoint_that_would_run_code_is_refused(nnlab, run_folder: Path) -> None:
    import torch

    class Evil:
        def __reduce__(self):
            return (Path("pwned").touch, ())

    for path in (run_folder / "checkpoints").glob("*.pt"):
        torch.save({"format": 1, "trainer": Evil()}, path)
    status, _, error = nnlab("sample", "last")
    assert status == 2
    assert "damaged" in error
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    "where",
    [
        ["hydra.run.dir=precious"],
        ["++hydra.run.dir=precious"],
        ["hydra.run.dir=${oc.env:PRECIOUS}"],
        ["-m", "hydra.sweep.dir=sweep", "hydra.sweep.subdir=../precious"],
    ],
    ids=str,
)
def test_a_rejected_run_never_touches_a_folder_of_the_user(
    nnlab, own_folder: Path, monkeypatch: pytest.MonkeyPatch, where: list[str]
) -> None:
    monkeypatch.setenv("PRECIOUS", "precious")
    thesis = own_folder / "precious" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    status, _, error = nnlab("train", *where, "data=npz", "data.root=.", "data.file=missing.npz")
    assert status in (1, 2), error
    assert thesis.read_text() == "years of work"


def test_options_that_are_legal_together_are_not_judged_alone(nnlab) -> None:
    assert nnlab("train", "optimizer=sgd", "optimizer.nesterov=true", "trainer.steps=1", *small("ae"))[0] == 0


def test_a_file_called_none_is_asked_for(nnlab) -> None:
    status, _, error = nnlab("train", "data=npz", "data.file=none")
    assert (status, "data.file: expected a text, got 'none'" in error) == (2, True)


def test_what_a_model_does_not_use_is_refused(nnlab) -> None:
    status, _, error = nnlab("train", "model=pca", "optimizer=adam", "noise=hole", "trainer=gradient")
    assert status == 2
    assert {line.split(":")[1].strip() for line in error.splitlines()} == {"optimizer", "noise", "trainer"}
    assert "trainer.epochs: unknown key" in nnlab("train", "model=pca", "trainer.epochs=2")[2]
    assert "optimizer: VAE learns by gradient and needs one" in nnlab("train", "optimizer=none")[2]
    assert "model.clusters: 5000 clusters of" in nnlab("train", "model=kmeans", "model.clusters=5000")[2]


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "null",
        "{bad",
        '{"tags": null, "epoch": "a", "began": 1e30, "best": [1]}',
        '{"status": "running", "process": {"pid": -1}}',
    ],
)
def test_a_strange_status_breaks_no_listing(nnlab, run_folder: Path, content: str) -> None:
    (run_folder / "status.json").write_text(content)
    for verb in (["runs"], ["runs", "--sort"], ["show", str(run_folder)]):
        assert nnlab(*verb)[0] == 0


def test_strange_files_of_a_run_are_named(nnlab, run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    config = run_folder / "config.yaml"
    original = config.read_text()
    config.write_text(original.replace("tags: []", "tags: ['${oc.env:SECRET}']"))
    assert "holds an interpolation" in nnlab("resume", "last", "trainer.steps=2")[2]
    config.write_text("\n".join(line for line in original.splitlines() if "oise" not in line))
    assert "noise: missing" in nnlab("sample", "last")[2]
    config.write_text(original)
    (run_folder / "metrics.jsonl").write_text("{bad\n")
    assert nnlab("resume", "last", "trainer.steps=2")[0] == 0, "a damaged record is dropped"
    assert nnlab("resume", "last", "trainer.epochs=[1")[0] == 2
