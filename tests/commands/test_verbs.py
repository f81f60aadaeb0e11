"""What the verbs do with a run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import only_run, same_bits, small, weights
from PIL import Image

import nnlab as package
from nnlab.cli import VERBS
from nnlab.runs.folder import RunFolder

QUICK = [*small("vae"), "trainer.epochs=2", "trainer.precision=float32"]


PICTURES = ("curves", "kl", "reconstruction", "sample", "traversal")


def test_a_run_folder_explains_itself(nnlab, curves) -> None:
    status, out, _ = nnlab("train", *QUICK, "tags=[lab3]", "noise=gaussian")
    folder = only_run()
    assert status == 0
    assert f"{folder.read_status()['parameters']:,} parameters" in out.splitlines()[1]
    assert out.splitlines()[-2].endswith(str(folder.path))

    assert {p.name for p in folder.images.iterdir()} == {f"{name}.png" for name in PICTURES}
    assert {p.stem for p in folder.checkpoints.iterdir()} == {"last", "best", "previous"}
    assert (folder.path / ".hydra" / "overrides.yaml").exists()
    assert "train loss" in folder.log.read_text()

    metadata = folder.read_status()
    assert metadata["status"] == "completed"
    assert (metadata["model"], metadata["data"], metadata["tags"], metadata["epoch"]) == ("vae", "digits", ["lab3"], 2.0)
    assert metadata["device"] == "cpu"
    assert metadata["versions"]["torch"] == torch.__version__

    summary = folder.read_summary()
    records = folder.read_metrics()
    assert {"final", "best", "seconds", "images_per_second", "parameters", "status"} <= summary.keys()
    last = {r["split"]: r for r in records}
    for split in ("train", "validation", "test"):
        assert summary["final"][f"{split}/loss"] == last[split]["loss"]
    assert last["test"]["n"] == 359
    assert last["test"]["samples"] == 1
    assert last["test"]["input_psnr"] < last["test"]["psnr"]
    assert [r["split"] for r in records].count("test") == 1, "the test set is read once"
    loss, parts = last["test"]["loss"], last["test"]["reconstruction"] + last["test"]["kl"]
    assert loss == pytest.approx(parts, rel=1e-6)


def test_resume_trains_longer_as_one_run_would(nnlab, own_folder: Path) -> None:
    quick = [*QUICK, "optimizer=adam"]  # a cosine depends on the length
    assert nnlab("train", *quick, "hydra.run.dir=short")[0] == 0
    assert nnlab("train", *quick, "trainer.epochs=4", "hydra.run.dir=long")[0] == 0
    assert nnlab("resume", "short", "trainer.epochs=4")[0] == 0
    from nnlab.runs.folder import RunFolder

    short, long = RunFolder(Path("short")), RunFolder(Path("long"))
    assert same_bits(weights(short), weights(long))
    assert short.metrics.read_bytes() == long.metrics.read_bytes()
    assert short.read_config()["trainer"]["epochs"] == 4
    assert short.read_status()["began"] < short.read_status()["time"]


def test_evaluate_repeats_the_figures_of_the_run(nnlab) -> None:
    nnlab("train", *QUICK)
    status, out, _ = nnlab("evaluate", "last")
    final = only_run().read_summary()["final"]
    printed = json.loads(out)
    assert status == 0
    assert printed["checkpoint"] == "best"
    assert {k: v for k, v in printed.items() if k.startswith("test/")} == {
        k: v for k, v in final.items() if k.startswith("test/")
    }
    validation = json.loads(nnlab("evaluate", "last", "--split", "validation", "--checkpoint", "last")[1])
    assert validation["validation/loss"] == final["validation/loss"]


def test_pictures_are_written_where_asked(nnlab, own_folder: Path) -> None:
    nnlab("train", *QUICK, "model.latent_dim=2")
    assert (only_run().images / "manifold.png").exists()
    for verb, options in {
        "sample": ["-n", "9", "--seed", "3"],
        "reconstruct": ["--noise", "hole", "noise.size=0.5", "--split", "train"],
        "traverse": ["--coordinates", "1", "--steps", "5", "--index", "7"],
        "interpolate": ["--from", "7", "--to", "8"],
        "perturb": ["--index", "7", "--scale", "0.5"],
        "attribute": ["--plus", "3", "--minus", "5"],
        "retrieve": ["--index", "3,4", "-n", "5"],
    }.items():
        status, out, error = nnlab(verb, "last", *options, "-o", f"own/{verb}.png")
        assert (status, out.splitlines()[-1]) == (0, f"own/{verb}.png"), error
        with Image.open(f"own/{verb}.png") as picture:
            assert np.asarray(picture).std() > 0
    status, out, _ = nnlab("sample", "last")
    assert Path(out.strip()) == only_run().images / "sample.png"


def test_what_a_model_cannot_do_is_said_in_a_sentence(nnlab) -> None:
    nnlab("train", *small("ae"), "trainer.steps=1")
    status, _, error = nnlab("sample", "last")
    assert status == 2
    refusal, able = error.strip().split("; models that can: ")
    assert refusal == "nnlab: sample: AE cannot draw new examples"
    assert {"cgan", "dcgan", "gan", "gmm", "infogan", "rbm", "vae"} <= set(able.split(", "))
    assert not {"ae", "cnn", "kmeans", "pca"} & set(able.split(", "))


@pytest.mark.parametrize(
    "typed",
    [
        ["attribute", "--plus", "1", "--minus", "0"],
        ["compress", "-o", "codes.npz"],
        ["decompress", "codes.npz", "-o", "images"],
        ["interpolate", "--from", "0", "--to", "1"],
        ["traverse"],
    ],
    ids=lambda typed: typed[0],
)
def test_what_is_made_from_codes_takes_a_model_that_decodes(nnlab, typed: list[str]) -> None:
    nnlab("train", "model=kmeans", "trainer.epochs=1", "trainer.show_every=never")
    status, _, error = nnlab(typed[0], "last", *typed[1:])
    assert status == 2
    assert error.startswith(f"nnlab: {typed[0]}: KMeans cannot decode a code; models that can: aae, ae, ")
    assert len(error.splitlines()) == 1
    assert "kmeans" not in error
    nnlab("train", *small("gan"), "trainer.steps=1", "trainer.show_every=never")
    error = nnlab(typed[0], "last", *typed[1:])[2]
    able = error.strip().partition("models that can: ")[2].split(", ")
    if able != [""]:  # it lacks an encoder, so all that are named have both
        assert {"kmeans", "gan", "cnn"}.isdisjoint(able), "who follows the message is not refused again"


def test_a_picture_of_others_is_of_a_model_that_makes_some(nnlab) -> None:
    nnlab("train", "model=kmeans", "trainer.epochs=1", "trainer.show_every=never")
    status, _, error = nnlab("perturb", "last", "--index", "0")
    said, able = error.strip().split("; models that can: ")
    assert status == 2
    assert said == (
        "nnlab: perturb: KMeans can neither make another example of the class of an image, nor encode and decode a code"
    )
    assert {"ae", "dagan", "vae"} <= set(able.split(", "))
    assert {"kmeans", "gan", "cnn"}.isdisjoint(able.split(", "))


def test_a_model_that_makes_others_of_an_image_does_not_sample(nnlab) -> None:
    nnlab("train", *small("dagan"), "trainer.steps=1", "trainer.show_every=never")
    status, _, error = nnlab("sample", "last")
    assert status == 2
    assert error.startswith(
        "nnlab: sample: DAGAN makes other examples of an image, so it needs one; nnlab perturb RUN --index 3"
    )


@pytest.mark.parametrize("typed", [["perturb", "--index", "0"], ["attribute", "--plus", "1", "--minus", "0"]], ids=str)
def test_of_a_table_there_is_no_picture(nnlab, typed: list[str]) -> None:
    nnlab("train", *small("ae"), "data=iris", "trainer.steps=1")
    assert f"{typed[0]}: Iris is a table of 4 columns, so there is no picture" in nnlab(typed[0], "last", *typed[1:])[2]


def test_python_loads_what_the_command_trained(nnlab) -> None:
    nnlab("train", *QUICK)
    model = package.load("last")
    generator = torch.Generator().manual_seed(0)
    assert model.sample(3, generator).shape == (3, 1, 8, 8)
    assert same_bits(dict(model.state_dict()), weights(only_run(), "best"))


def test_a_sweep_gathers_its_jobs_and_names_the_best(nnlab) -> None:
    status, out, error = nnlab("train", "-m", *QUICK, "optimizer.lr=1e-6,1e-3,1e-5")
    assert status == 0, error
    table = out[out.index("the best last") :]
    assert table.count("completed") == 3
    assert "/1    curves" in table.splitlines()[-1], "the highest rate learns most in two epochs"
    (head,) = (line for line in table.splitlines() if line.startswith("test "))
    figures = head.split()[1:]
    lines = [line for line in table.splitlines() if line.startswith("optimizer.lr=")]
    assert len(lines) == 3
    for job, line in enumerate(lines):
        (folder,) = Path("outputs/sweeps").glob(f"*/{job}")
        final = RunFolder(folder).read_summary()["final"]
        own = [name for name in figures if name not in ("parameters", "seconds")]
        assert line.split()[1 : 1 + len(own)] == [f"{final[f'test/{name}']:.5g}" for name in own]
    assert {"loss", "reconstruction", "kl", "active_units"} <= set(figures)
    assert nnlab("show", "last")[0] == 0
    out = nnlab("train", "-m", *small("vae")[1:], "trainer.steps=1", "model=vae,ae")[1]
    assert "their metrics are of different models or data" in out
    assert "best: " not in out


def test_one_bad_job_does_not_stop_a_sweep(nnlab) -> None:
    status, out, error = nnlab("train", "-m", *small("vae"), "trainer.steps=30", "optimizer.lr=1e-3,1e30,1e-4")
    assert status == 1
    assert "nnlab: job 1 (" in error
    assert "is not finite in update" in error
    assert out.count("completed") == 2


def test_runs_are_listed_without_torch_and_filtered(nnlab) -> None:
    nnlab("train", *QUICK, "tags=[first]")
    nnlab("train", *small("ae"), "trainer.steps=1", "trainer.precision=float32")
    assert nnlab("runs")[1].count("completed") == 2
    assert nnlab("runs", "ae")[1].count("completed") == 1
    assert nnlab("runs", "first")[1].count("first") == 1
    assert "no runs under nothing" in nnlab("runs", "--root", "nothing")[1]
    out = nnlab("show", "last")[1]
    assert "status           completed" in out
    assert "checkpoints/last.pt" in out


def test_a_run_whose_process_is_gone_is_killed_not_running(nnlab) -> None:
    nnlab("train", *small("ae"), "trainer.steps=1")
    folder = only_run()
    status = json.loads(folder.status.read_text())
    status |= {"status": "running", "process": {"pid": status["process"]["pid"], "started": "another time"}}
    folder.status.write_text(json.dumps(status))
    assert folder.read_status()["status"] == "killed"
    assert "killed" in nnlab("runs")[1]


def test_listing_filters_by_pattern_and_a_folder_of_ones_own_shadows(nnlab, own_folder: Path) -> None:
    out = nnlab("list", "models", "*vae")[1]
    assert "conv_vae" in out
    assert " ae " not in out
    (own_folder / "mine" / "model").mkdir(parents=True)
    (own_folder / "mine" / "model" / "vae.yaml").write_text(
        "# nnlab train -cd mine\n# My own.\n_target_: nnlab.families.vae.vae.VAE\nhidden: [7]\nlatent_dim: 3\n"
    )
    assert "My own." in nnlab("list", "models", "-cd", "mine")[1]
    assert nnlab("train", "-cd", "mine", "trainer.steps=1")[0] == 0
    assert only_run().read_config()["model"]["hidden"] == [7]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_helps_with_an_example(nnlab, verb: str) -> None:
    status, out, _ = nnlab(verb, "--help")
    assert status == 0
    assert out.count(f"nnlab {verb}") >= 2


def test_hydra_pages_and_completion(nnlab, monkeypatch: pytest.MonkeyPatch) -> None:
    status, out, _ = nnlab("train", "model=ae", "--cfg", "job")
    assert (status, "nnlab.families.ae.ae.AE" in out) == (0, True)
    line = "nnlab train model=conv_"
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    assert {"model=conv_ae", "model=conv_vae"} == set(nnlab("-sc", "query=bash")[1].split())
    monkeypatch.setenv("COMP_LINE", "nnlab re")
    assert nnlab("-sc", "query=bash")[1].split() == ["resume", "reconstruct", "retrieve", "report"]
    assert not Path("outputs").exists()


def test_what_answers_at_once_imports_no_torch(own_folder: Path) -> None:
    for argv in (["--help"], ["list"], ["runs"], ["train", "model=vaee"], ["train", "optimizer.lrr=1"]):
        code = f"import sys; from nnlab.cli import main; main({argv!r}); sys.exit('torch' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0, argv


def test_same_second_runs_do_not_collide(nnlab) -> None:
    began = time.time()
    for _ in range(2):
        assert nnlab("train", *small("ae"), "trainer.steps=1")[0] == 0
    assert len(list(Path("outputs/ae/digits").iterdir())) == 2, time.time() - began
