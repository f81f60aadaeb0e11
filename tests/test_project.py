"""The project as a whole: its README, its wheel, its configs, its imports."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import config_of
from omegaconf import OmegaConf
from PIL import Image

from nnlab.config import names, search
from nnlab.config.build import parameters, target
from nnlab.experiment import checks, judging

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("  #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("nnlab ")
]
GROUPS = ("model", "data", "noise", "augmentation", "optimizer", "optimizer/schedule", "trainer", "experiment")
SHIPPED = [(group, name) for group in GROUPS for name in search.options(group)]


RUN = {  # what a run folder becomes in a config
    "_target_": "nnlab.checkpoints.reference.RunReference",
    **{"run": "outputs/earlier", "checkpoint": "best", "fingerprint": "0123456789abcdef"},
    **{key: config_of("model=ae").get(key, {}) for key in ("spec", "model", "data")},
}
MADE = {"ae", "vae", "conv_vae", "cvae", "conv_ae", "stacked_ae", "sparse_ae", "unet", "pca", "cnn", "cgan", "dcgan", "fcnn"}
MADE |= {"transfer", "sweeps", "rbm", "pix2pix", "cyclegan", "srgan", "bagan", "dagan", "gawwn", "stackgan"}
MADE |= {"transformer", "distillation", "simclr", "triplet", "comparisons", "searches"}
SMALLER = {  # overrides of models that would take long even for sixty images
    "model=pix2pix": ["model.channels=[4,8]", "model.width=4"],
    "model=cyclegan": ["model.channels=[4,8]", "model.blocks=1", "model.width=4"],
    "model=dagan": ["data.limit=900", "model.channels=[4,8]"],  # two images of a letter are rare among sixty
    "model=bagan": ["model.channels=[4,8]", "trainer.pretraining.epochs=1"],
    "experiment=stackgan_scenes": ["model.channels=[4,8]", "trainer.pretraining.epochs=1"],
    "data.imbalance={7:0.01}": ["data.imbalance={7:0.9}"],  # of eight
    "model=srgan": ["model.width=4", "model.blocks=1", "model.discriminator_width=4", "trainer.pretraining.epochs=1"],
}


@pytest.fixture
def datasets(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the README's commands ask for, in miniature."""
    root = own_folder / "datasets"
    rng = np.random.default_rng(0)
    for name in ("MNIST", "FashionMNIST"):
        raw = root / name / "raw"
        raw.mkdir(parents=True)
        for part, n in (("train", 80), ("t10k", 60)):
            head = bytes([0, 0, 8, 3, 0, 0, 0, n, 0, 0, 0, 28, 0, 0, 0, 28])
            (raw / f"{part}-images-idx3-ubyte").write_bytes(head + rng.bytes(n * 784))
            (raw / f"{part}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, n]) + bytes(i % 10 for i in range(n)))
    pairs = ("facades/input", "facades/target")
    for folder in (root / name for name in ("faces", "photos", "horses", "zebras", "birds", *pairs, "../my_images")):
        folder.mkdir(parents=True)
        for i in range(20):
            Image.fromarray(rng.integers(0, 256, (30, 20, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    for i in range(20):
        (root / "birds" / f"{i}.txt").write_text("A red bird.\nA bird with a long tail.\n")
    np.savez(root / "mine.npz", x_train=rng.random((60, 5)))
    (root / "mine.csv").write_text("width,height,species\n" + "".join(f"{i},{-i},{'ab'[i % 2]}\n" for i in range(60)))
    monkeypatch.setenv("NNLAB_DATA", str(root))
    return root


@pytest.mark.usefixtures("blank_charts")
def test_the_commands_of_the_readme_do_what_it_says(nnlab, datasets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(COMMANDS) > 15
    monkeypatch.setattr(subprocess, "call", lambda command: 0)  # TensorBoard would stay
    for steps in ("LEAST_STEPS", "LEAST_AUGMENTED"):
        monkeypatch.setattr(judging, steps, 5)
    for seed in (0, 1):  # runs that the first commands look at
        assert nnlab("train", "trainer.epochs=2", "data.limit=60", f"seed={seed}")[0] == 0
    for command in COMMANDS:
        verb, *rest = shlex.split(command)[1:]
        if verb in ("train", "search"):
            gradient = [] if "model=pca" in rest else ["trainer.epochs=1", "trainer.precision=float32"]
            rest = ["data.limit=60", *gradient, *rest, *(key for word in rest for key in SMALLER.get(word, []))]
        if verb == "runs":  # from here on, of runs with pictures
            for seed in (2, 3):
                assert nnlab("train", "trainer.epochs=2", "data.limit=60", f"seed={seed}")[0] == 0
        status, _, error = nnlab(verb, *("50" if word == "5000" else word for word in rest))  # samples of a likelihood
        assert status == 0, f"{command}: {error}"
    assert {path.name for path in Path("outputs").iterdir()} == MADE


def test_the_commands_of_the_labs_are_legal() -> None:
    lines = [line for line in README.splitlines() if line.count("|") == 6 and "`nnlab train" in line]
    labs = [line.split("|")[2].strip().strip("`") for line in lines]
    assert len(labs) >= 15
    for command in labs:
        words = [word for word in shlex.split(command)[2:] if word != "-m"]
        assert names.check(words, sweep=True).problems == []


def test_the_example_of_a_model_of_ones_own_learns(nnlab, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the README tells a user to write, written and trained."""
    python, yaml = (re.search(rf"```{kind}\n# (\S+)\n(.*?)```", README, re.DOTALL) for kind in ("python", "yaml"))
    for found in (python, yaml):
        path = own_folder / found[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found[2], encoding="utf-8")
    monkeypatch.syspath_prepend(own_folder)
    monkeypatch.setenv("NNLAB_PLUGINS", "mynets")
    typed = ["-cd", "conf", "model=narrow", "data=digits", "model.latent_dim=4", "trainer.epochs=2"]
    status, _, error = nnlab("train", *typed)
    assert status == 0, error
    assert nnlab("traverse", "last")[0] == 0
    assert "did you mean 'latent_dim'" in nnlab("train", "-cd", "conf", "model=narrow", "model.latent=4")[2]


def test_the_readme_names_what_there_is() -> None:
    for group in ("model", "data", "noise", "augmentation", "optimizer", "optimizer/schedule", "experiment"):
        missing = [name for name in search.options(group) if f"`{name}`" not in README and name != "none"]
        assert not missing, f"{group}: {missing}"


@pytest.mark.parametrize(("group", "name"), SHIPPED, ids=["=".join(pair) for pair in SHIPPED])
def test_every_shipped_config_explains_itself_and_is_legal(group: str, name: str, own_folder: Path) -> None:
    path = search.options(group)[name]
    command, about = search.header(path)
    assert command.startswith("nnlab train")
    assert about.endswith(".")
    chosen = [f"{group}={name}", *(word for word in shlex.split(command)[2:] if word.startswith("model="))]
    config = config_of(*dict.fromkeys(chosen))
    for node in (value for value in config.values() if isinstance(value, dict)):
        node |= {key: RUN if key in ("encoder", "teacher") else "given" for key, value in node.items() if value == "???"}
    assert checks.check(config) == []


@pytest.mark.parametrize("model", list(search.options("model")))
def test_one_name_everywhere_and_no_option_left_out(model: str) -> None:
    node = config_of(f"model={model}")["model"]
    cls = target(node["_target_"], "model")
    # a variant is a YAML alone, which begins with the defaults of the model whose class it reuses
    defaults = OmegaConf.load(search.options("model")[model]).get("defaults", [])
    name = next((base for base in defaults if base != "_self_" and isinstance(base, str)), model)
    assert cls.__module__.endswith(f".{name}")
    assert cls.__name__.lower() == name.replace("_", "")
    assert set(node) - {"_target_"} == set(parameters(cls)), "every legal key stands in the YAML"


FOLDERS = {"data": "datasets", "noise": "noise", "augmentation": "augmentation"}


@pytest.mark.parametrize(("group", "name"), [(group, name) for group in FOLDERS for name in search.options(group)])
def test_data_and_what_is_done_to_them_have_one_name_everywhere_and_no_option_left_out(group: str, name: str) -> None:
    node = config_of(f"{group}={name}")[group]
    cls = target(node["_target_"], group)
    assert cls.__module__ == f"nnlab.data.{FOLDERS[group]}.{name}"
    assert cls.__name__.lower() == (f"no{group}" if name == "none" else name.replace("_", ""))
    assert set(node) - {"_target_"} == set(parameters(cls)), "every legal key stands in the YAML"


def test_the_wheel_works_from_any_folder(own_folder: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(own_folder),
            str(ROOT),
        ],
        check=True,
        capture_output=True,
    )
    (wheel,) = own_folder.glob("nnlab-*.whl")
    site = own_folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    assert {"page.py", "script.js", "style.css"} <= {path.name for path in (site / "nnlab" / "reporting").iterdir()}
    code = "import sys; sys.path.insert(0, 'site'); import nnlab.cli; print(nnlab.__file__); sys.exit(nnlab.cli.main())"
    overrides = ["model=ae", "model.hidden=[8]", "trainer.steps=1", "trainer.show_every=never"]
    done = subprocess.run([sys.executable, "-c", code, "train", *overrides], cwd=own_folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stdout.splitlines()[0] or done.stdout.startswith("site")
    assert (own_folder / "outputs" / "ae" / "digits").is_dir()
