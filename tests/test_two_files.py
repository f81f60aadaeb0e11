"""What one adds takes two files, a Python file and a YAML, and nothing else; a family takes one folder and its YAMLs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conftest import QUIET, only_run

SHORT = ["-cd", "conf", "data.limit=100", "trainer.epochs=1", *QUIET]

MODEL = '''
import torch
from torch import nn

from nnlab.families.ae.base import Autoencoder
from nnlab.model import Mean
from nnlab.nn.mlp import Width
from nnlab.plotting.images import directions, tiled


class Narrow(Autoencoder):
    """A linear autoencoder that measures and draws something of its own.

    Figures:
    code_norm  mean Euclidean norm of the codes; lower is better
    """

    def __init__(self, spec, *, latent_dim: Width = 2) -> None:
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(spec.features, latent_dim))
        decoder = nn.Sequential(nn.Linear(latent_dim, spec.features), nn.Unflatten(1, spec.shape))
        super().__init__(spec, encoder, decoder, latent_dim=latent_dim)

    def metrics(self):
        about = {"direction": "lower", "estimator": "all examples"}
        return [Mean("code_norm", lambda batch, generator: self.encode(batch.input).norm(dim=1), **about)]

    def pictures(self, few, batches, generator):
        return {"weights": tiled(directions(self.encoder[1].weight.view(-1, *self.spec.shape)))}
'''
NOISE = '''
from nnlab.data.noise.base import Noise


class Dimming(Noise):
    """x / 2."""

    def __call__(self, x, generator):
        return x / 2, None
'''
AUGMENTATION = '''
from nnlab.data.augmentation.base import Augmentation


class Mirror(Augmentation):
    """Each image upside down."""

    def __call__(self, x, generator):
        return x.flip(-2)
'''
DATASET = '''
import torch

from nnlab.data.dataset import Dataset
from nnlab.data.split import Arrays


class Stripes(Dataset):
    """Images of 8×8 with a stripe, of four classes: which quarter is white."""

    def size(self):
        return 240 * 64

    def load(self):
        label = torch.arange(240) % 4
        x = torch.zeros(240, 1, 8, 8, dtype=torch.uint8)
        for i in range(240):
            x[i, :, 2 * label[i] : 2 * label[i] + 2] = 255
        return Arrays(x[:200], label[:200], x[200:], label[200:], ("a", "b", "c", "d"))
'''
FAMILY = '''
import torch
from torch import nn

from nnlab.model import Model


class Constant(Model):
    """Its output is the same image for all inputs: what is best then is the mean."""

    trainer = "mine.constants.trainer:ConstantTrainer"

    def __init__(self, spec) -> None:
        super().__init__(spec)
        self.image = nn.Parameter(torch.zeros(spec.shape))

    def reconstruct(self, x):
        return self.image.expand_as(self.check(x))

    def loss(self, batch, generator):
        return {"loss": (self.reconstruct(batch.input) - batch.target).square().flatten(1).sum(1)}
'''
TRAINER = '''
from nnlab.plotting.latent import reconstruction_picture
from nnlab.training.gradient import GradientTrainer
from nnlab.training.trainer import Monitor


class ConstantTrainer(GradientTrainer):
    """One optimizer."""

    monitor = Monitor("loss")

    def batch_metrics(self, batch, generator):
        return self.loss_terms(batch, generator)

    def images(self):
        with self.preview() as view:
            return {"reconstruction": reconstruction_picture(self.model, view.few)}
'''
HEAD = "# nnlab train model=ae\n# One of one's own.\n"
SPLITS = "defaults: [common/splits@_here_, _self_]\n"
FILES = {  # what is written for each addition
    "model": {"mine/narrow.py": MODEL, "conf/model/narrow.yaml": f"{HEAD}_target_: mine.narrow.Narrow\nlatent_dim: 2  # few\n"},
    "noise": {"mine/dimming.py": NOISE, "conf/noise/dimming.yaml": f"{HEAD}_target_: mine.dimming.Dimming\n"},
    "augmentation": {
        "mine/mirror.py": AUGMENTATION,
        "conf/augmentation/mirror.yaml": f"{HEAD}_target_: mine.mirror.Mirror\n",
    },
    "data": {
        "mine/stripes.py": DATASET,
        "conf/data/stripes.yaml": f"{HEAD}{SPLITS}_target_: mine.stripes.Stripes\nroot: .  # it has no files\n",
    },
    "family": {
        "mine/constants/constant.py": FAMILY,
        "mine/constants/trainer.py": TRAINER,
        "conf/model/constant.yaml": f"{HEAD}_target_: mine.constants.constant.Constant\n",
    },
}


@pytest.fixture
def add(own_folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Write the files of an addition into a package that is trusted."""
    monkeypatch.syspath_prepend(own_folder)
    monkeypatch.setenv("NNLAB_PLUGINS", "mine")

    def forget() -> None:
        for name in [name for name in sys.modules if name.split(".")[0] == "mine"]:
            del sys.modules[name]

    def write(addition: str) -> list[Path]:
        for name, content in FILES[addition].items():
            path = own_folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content.lstrip(), encoding="utf-8")
        forget()
        return sorted(path for path in own_folder.rglob("*") if path.is_file())

    yield write
    forget()


def trained(nnlab, *words: str):
    status, _, error = nnlab("train", *SHORT, *words)
    assert status == 0, error
    return only_run()


def test_a_model_with_a_figure_and_a_picture_of_its_own_is_two_files(add, nnlab) -> None:
    assert len(add("model")) == 2
    run = trained(nnlab, "model=narrow")
    last = run.read_metrics()[-1]
    assert last["split"] == "test"
    assert last["code_norm"] > 0
    assert last["code_norm_by"] == "all examples"
    assert "validation/code_norm" in run.read_summary()["best"], "it has a direction, so its best is kept"
    assert (run.images / "weights.png").is_file()


def test_a_noise_is_two_files(add, nnlab) -> None:
    assert len(add("noise")) == 2
    trained(nnlab, "model=ae", "model.hidden=[8]", "noise=dimming")


def test_an_augmentation_is_two_files(add, nnlab) -> None:
    assert len(add("augmentation")) == 2
    trained(nnlab, "model=ae", "model.hidden=[8]", "augmentation=mirror")


def test_a_dataset_is_two_files(add, nnlab) -> None:
    assert len(add("data")) == 2
    run = trained(nnlab, "model=fcnn", "model.hidden=[8]", "data=stripes")
    assert run.read_status()["data"] == "stripes"


def test_a_family_is_a_folder_and_its_configs(add, nnlab) -> None:
    assert {path.parent.name for path in add("family")} == {"constants", "model"}
    run = trained(nnlab, "model=constant", "optimizer.lr=0.1")
    assert (run.images / "reconstruction.png").is_file()
    assert nnlab("evaluate", "last")[0] == 0
