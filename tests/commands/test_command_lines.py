"""Bad command lines of every verb: one message of nnlab's own, status 2, nothing left behind."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import QUIET, small, train
from PIL import Image

from nnlab import cli
from nnlab.config import search

RAW = (  # of Python, argparse, Hydra, OmegaConf, ANTLR and torch
    *("Traceback", "usage:", "invalid choice", "unrecognized arguments", "expected one argument", "the following arguments"),
    *("Could not", "Ambiguous", "HYDRA_FULL_ERROR", "full_key", "object_type", "is not in struct", "Interpolation key"),
    *("mismatched input", "no viable", "extraneous input", "token recognition", "enforce fail", "Environment variable"),
)

TRAIN = """
--model vae
--model=vae
--data digits model=vae
--epochs 5
--dry-run
--multirunn
--verbose
-x
--cfg
--cfg jobb
--cfg=yaml
--info zzz
--config-name other
--config-path conf
--experimental-rerun job.pickle
--resolve
--package model
--cfg job --package zzz
-cd
-cd nowhere
--help model=zzz
data=csv data.file=лица.csv
vae
model
model vae
=3
+
~
~model
+model=vae
model=
model=zzz
model=vae model=ae
data=digits data=moons
model=vae,ae
model.latent_dim=2,4
model.latent_dim=range(1,5)
seed=1,2
-m model=glob(zz*)
-m model.latent_dim=glob(x)
-m model.latent_dim=interval(1,2)
-m seed=range(1,1e9)
-m model=ae,pca trainer.epochs=1
-m model=zzz
epochs=2
lr=0.1
batch_size=64
latent_dim=2
epoch=2
model.epochs=2
trainer.lr=1
nosuchkey=3
seed.x=3
optimizer.lr.x=1
model={}
optimizer={lr:1}
trainer=3
trainer.epochs.a.b=1
outputs=
seed=-1
seed=1.5
seed=99999999999999999999
seed={}
device={}
device=gpu
device=cuda:x
tags=3
tags={a:1}
model.latent_dim=99999999999999999999
trainer.batch_size=1000000000000000000000
trainer.batch_size=-1
trainer.batch_size=many
trainer.epochs=1000000000000000000000000
trainer.epochs=0
trainer.log_every=99999999999999999999999x
trainer.log_every='0 steps'
trainer.epochs=2 trainer.steps=3
optimizer.lr=1e400
optimizer.lr=nan
optimizer.betas=3
optimizer.lr=choice()
model.latent_dim=[
model.latent_dim={a
data.root="a
data.folder=лица
model.latent_dim=${nope}
seed=${nope}
seed=${oc.env:NO_SUCH_VARIABLE}
data.root=${oc.env:NO_SUCH_VARIABLE}
tags=['${x}']
seed=${seed}
model.latent_dim=${nope:3}
hydra.run.dir=${nope}
hydra.run.dir=${oc.env:NO_SUCH_VARIABLE}
hydra.run.dirr=x
hydra.mode=3
hydra.job.chdir=maybe
hydra/launcher=zzz
optimizer._target_=torch.optim.lr_scheduler.StepLR
optimizer._target_=torch.optim.Optimizer
optimizer._target_=nnlab.data.noise.gaussian.Gaussian
optimizer.schedule._target_=nnlab.data.noise.none.NoNoise
optimizer.schedule=none
model._target_=nnlab.data.noise.none.NoNoise
model._target_=nnlab.model.Model
model._target_=nnlab.families.ae.base.Autoencoder
model._target_=nnlab
model._target_=os.system
model._target_=3
model.latent_dim={_target_:nnlab.model.Model}
data._target_=nnlab.model.Model
data._target_=nnlab.data.dataset.Dataset
trainer._target_=nnlab.model.Model
trainer.early_stopping._target_=nnlab.model.Model
trainer.early_stopping=3
judge=nowhere
judge={}
model=unet
model=transfer
model=transfer model.encoder=nowhere
data=csv data.file=no.csv
data=npz data.file=no.npz
data=image_folder data.folder=nowhere
data.limit=0
data.validation=100000
data.classes=[zebra]
experiment=zzz
noise=fog
noise.std=0.3
noise=gaussian noise.std=-1
augmentation=zzz
optimizer=zzz
optimizer/schedule=zzz
""".strip().splitlines()

VERBS = """
sample
sample RUN -n x
sample RUN -n 0
sample RUN -n
sample RUN -n 99999999999999999999
sample RUN --seed x
sample RUN --seed -1
sample RUN a b
sample RUN -o x.bmp
sample RUN -o /dev/null/x.png
sample RUN --foo
sample RUN --labell 3
reconstruct
reconstruct RUN -n 1e3
reconstruct RUN --noise fog
reconstruct RUN noise
reconstruct RUN --split tests
reconstruct RUN -o x.bmp
reconstruct RUN --noise
traverse
traverse RUN --reach far
traverse RUN --reach nan
traverse RUN --coordinates 1,x
traverse RUN --index x
traverse RUN --steps 0
traverse RUN -q
walk
walk RUN --stops x
walk RUN --stops 3 --through 3,4
walk RUN --steps 999999999
walk RUN --walks 0
walk RUN --seed 1e9
interpolate
interpolate RUN
interpolate RUN --from 1
interpolate RUN --from x --to 2
interpolate RUN --from 1 --to 2 --steps 1
interpolate RUN --too 3
embed
embed RUN --tsne -1
embed RUN --tsne x
embed RUN -o codes.txt
embed RUN --split zzz
embed RUN --input
compress
compress RUN
compress RUN -o codes.txt
compress RUN -o /dev/null/x.npz
compress RUN a b -o x.npz
decompress
decompress RUN
decompress RUN codes.npz
decompress RUN -o x.npz
outliers
outliers RUN -n zero
outliers RUN -n 0
outliers RUN --split all
outliers RUN --score
probe
probe RUN --labels ten
probe RUN --labels 0
probe RUN --labels
probe RUN --seeds 0
probe RUN --seeds 999999999999
attribute
attribute RUN
attribute RUN --plus 1
attribute RUN --plus 1 --minus 2 --strength x
attribute RUN --plus 1 --minus 2 -n -1
perturb
perturb RUN
perturb RUN --index x
perturb RUN --index 1 --scale a
perturb RUN --index 1 -n 0
perturb RUN --index 1 --scale -1,2
evaluate
evaluate RUN --split zzz
evaluate RUN --samples 1
evaluate RUN --samples x
evaluate RUN --judge
evaluate RUN --zzz
resume
resume RUN --model vae
resume RUN --epochs 3
resume RUN --checkpoint
resume RUN --take-overr
batch-size --x
batch-size model
batch-size model=zzz
batch-size batch_size=3
batch-size model.latent_dim=2,4
show
show a b
show RUN --confg
show nowhere
show RUN zzz
curves
curves zzz
curves RUN --foo
curves RUN RUN
curves RUN -o x.bmp
curves RUN -o /dev/null/x.png
curves last~9
show last~99
show 00000
resume last~x
rm
explain zzz
explain psrn kll
explain test/
explain --foo
rm zzz
rm RUN
rm RUN --foo
rm last~9
runs --zzz
runs --root
runs --sort=5
list zzz
list modles
list models zzz
list -cd nowhere
list --all
list models -cd
tensorboard --port 99999999
tensorboard --port x
tensorboard --port 0
tensorboard --host
tensorboard a b
tensorboard nowhere
tensorboard --prot 3
sample RUN --device tpu
sample RUN --device cuda:99
sample RUN --checkpoint nope
sample RUN --checkpoint ../last
sample RUN --label 77
sample RUN -n 100000000000
sample RUN -o x.csv
traverse RUN --coordinates 99
traverse RUN --index 99999
perturb RUN --index 99999
interpolate RUN --from 0 --to 99999
reconstruct RUN noise.std=3
reconstruct RUN --noise gaussian noise.sdt=3
reconstruct RUN --noise gaussian noise.std=[
reconstruct RUN --input nowhere
reconstruct RUN --noise gaussian noise.std=99999999999999999999999999999x
evaluate RUN --judge nowhere
embed RUN --input nowhere
compress RUN nowhere -o x.npz
decompress RUN nowhere.npz -o x.npz
probe RUN --labels 9999999
resume RUN optimizer.lr=1
resume RUN zzz=3
resume RUN trainer.epochs=[
resume RUN trainer.epochs=99999999999999999999
resume RUN trainer.epochs=x
resume RUN seed=1
resume RUN trainer.epochs=${nope}
resume RUN trainer.epochs
resume RUN =3
resume RUN trainer.epochs=1 trainer.steps=2
resume RUN device=tpu
resume RUN tags=3
zzz
trian model=vae
--zzz
-x
model=vae
""".strip().splitlines()

LINES = [*(f"train {line}" for line in TRAIN), *VERBS]
DIGITS = "9" * 5000  # more than Python reads


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(str(tmp_path_factory.mktemp("a") / "run"), "trainer.steps=1", *QUIET, *small("vae")).path


def words(line: str, run: Path) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.quotes, lexer.commenters, lexer.escape = True, "'", "", ""
    return [str(run) if word == "RUN" else word for word in lexer]


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def check(nnlab, own_folder: Path, run: Path, *argv: str) -> None:
    before = files(run)
    status, _, error = nnlab(*argv)
    assert status == 2, error
    messages = error.splitlines()
    assert messages, "nothing was said"
    assert all(message.startswith("nnlab: ") for message in messages), error
    assert len(messages) == 1 or len({message.split(":")[1] for message in messages}) == len(messages), error
    assert not [raw for raw in RAW if raw in error], error
    assert all(len(message) < 800 for message in messages)
    assert not files(own_folder), "something was left behind"
    assert files(run) == before


@pytest.mark.parametrize("line", LINES)
def test_a_bad_command_line_gets_one_message_and_leaves_nothing(nnlab, own_folder: Path, run: Path, line: str) -> None:
    check(nnlab, own_folder, run, *words(line, run))


@pytest.mark.parametrize(
    "line", ["train model.latent_dim=", "train seed=", "train tags=", "sample RUN -n ", "resume RUN trainer.epochs="]
)
def test_a_number_without_end(nnlab, own_folder: Path, run: Path, line: str) -> None:
    *before, last = words(line + "X", run)
    check(nnlab, own_folder, run, *before, last.replace("X", DIGITS))


def test_there_are_enough_of_them_and_every_verb_has_some() -> None:
    assert len(set(LINES)) >= 200
    assert {line.split()[0] for line in LINES} >= set(cli.VERBS)


FILES = {
    "broken": ("a: [1", "line 1: no YAML"),
    "latin": (b"\xff\xfe", "not a text in UTF-8"),
    "itself": ("defaults: [itself]", "its defaults name itself"),
    "listed": ("[1, 2]", "expected a choice"),
    "number": ("3", "no YAML of keys and values"),
    "missing": ("defaults: [nope]", "there is no config 'model/nope'"),
    "three": ("defaults: 3", "three.yaml: its defaults or keys do not fit"),
    "empty": ("", "model: empty; it must name a class"),
    "nameless": ("latent_dim: 3", "expected the name of a class"),
    "refers": ("_target_: nnlab.families.ae.ae.AE\nlatent_dim: ${nope}", "the config has no key 'nope'"),
    "odd": ("_target_: nnlab.families.ae.ae.AE\n1: 3", "model.1: unknown key"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_config_of_ones_own_that_cannot_be_used_is_named(nnlab, tmp_path_factory, own_folder, run, name: str) -> None:
    content, expected = FILES[name]
    folder = tmp_path_factory.mktemp("conf")
    (folder / "model").mkdir()
    (folder / "model" / f"{name}.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    line = ["train", "-cd", str(folder), f"model={name}"]
    check(nnlab, own_folder, run, *line)
    assert expected in nnlab(*line)[2]
    assert name in search.options("model", str(folder))
    assert nnlab("list", "models", "-cd", str(folder))[0] == 0


def test_a_key_that_one_model_of_a_sweep_lacks_names_the_job(nnlab) -> None:
    error = nnlab("train", "-m", "model=ae,pca", "trainer.epochs=1")[2]
    assert error.startswith("nnlab: with model=pca: trainer.epochs: unknown key")


def test_a_key_typed_without_its_group_is_found(nnlab) -> None:
    for key, place in {"epochs": "trainer.epochs", "lr": "optimizer.lr", "model.batch_size": "trainer.batch_size"}.items():
        assert nnlab("train", f"{key}=3")[2] == f"nnlab: {key}: unknown key; did you mean {place}?\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1251"])
def test_what_the_terminal_cannot_show_is_escaped(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    pages = [["list"], ["--help"], *([["train", "--help"]] if encoding == "ascii" else [])]
    for argv in pages:
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
        with suppress(SystemExit):  # Hydra's end of its own page
            assert cli.main(argv) == 0
        sys.stdout.flush()
        assert raw.getvalue().decode(encoding)


def test_a_closed_or_full_output_is_no_traceback(own_folder: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m nnlab list models"
    for ending, status in ((">&-", 0), ("| true", 0), (">/dev/full", 1)):
        if ending == ">/dev/full" and not Path("/dev/full").exists():
            continue
        done = subprocess.run(["bash", "-c", f"set -o pipefail; {command} {ending}"], capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        assert "Exception" not in done.stderr


def test_names_that_are_no_utf8_are_read_and_shown_escaped(nnlab, own_folder: Path) -> None:
    for name in (b"ours", b"their\xff"):
        folder = Path(os.fsdecode(b"images/" + name))
        folder.mkdir(parents=True)
        for i in range(12):
            Image.new("L", (8, 8), 20 * i).save(folder / os.fsdecode(b"\xfe%d.png" % i))
    data = ["data=image_folder", "data.root=.", "data.folder=images"]
    assert nnlab("train", *small("ae"), *data, "trainer.steps=1", *QUIET)[0] == 0
    assert nnlab("embed", "last", "--input", "images")[0] == 0
    assert nnlab("compress", "last", "images", "-o", "codes.npz")[0] == 0
    assert nnlab("decompress", "last", "codes.npz", "-o", "decoded")[0] == 0
    assert len(list(Path("decoded").rglob("*.png"))) == 24


def test_a_recipe_that_is_a_sweep_says_so(nnlab, own_folder: Path) -> None:
    out = nnlab("train", "experiment=beta_vae_fashion", "data.root=nowhere", "data=npz")[1]
    assert "is meant as a sweep, of which this is one run; the whole: nnlab train experiment=beta_vae_fashion" in out


@pytest.mark.parametrize(
    "error", [RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"), MemoryError()]
)
def test_what_cannot_be_written_or_held_is_a_sentence(nnlab, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr("nnlab.training.loop.Loop.run", fail)
    status, _, said = nnlab("train", *small("ae"))
    expected = "is the disk full?" if isinstance(error, RuntimeError) else "it does not fit into memory"
    assert (status, len(said.splitlines()), expected in said) == (1, 1, True), said
