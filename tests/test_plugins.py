"""A model of the user's own is one Python file and one YAML; and it is the user who trusts it, never a run folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import built, only_run, same_bits, weights
from PIL import Image

import nnlab as package
from nnlab.errors import BadInput
from nnlab.runs.folder import RunFolder

pytestmark = pytest.mark.usefixtures("blank_charts")

LINEAR = '''
from __future__ import annotations

from torch import nn

from nnlab.families.ae.base import Autoencoder
from nnlab.nn.mlp import Width


class Linear(Autoencoder):
    """An autoencoder of one layer each way; its trainer is its base class's."""

    def __init__(self, spec, *, latent_dim: Width = 2, **autoencoder) -> None:
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(spec.features, latent_dim))
        decoder = nn.Sequential(nn.Linear(latent_dim, spec.features), nn.Unflatten(1, spec.shape))
        super().__init__(spec, encoder, decoder, latent_dim=latent_dim, **autoencoder)
'''
LINEAR_YAML = """
# nnlab train model=linear
# An autoencoder of one layer each way.
_target_: mytoys.net.Linear
latent_dim: 2   # length of the code
"""

MEAN = '''
from __future__ import annotations

from typing import Annotated

import torch
from torch import nn

from nnlab.config.constraints import AtLeast
from nnlab.model import Model
from nnlab.plotting.images import grid
from nnlab.training.options import PassOptions
from nnlab.training.trainer import Monitor, Trainer


class Mean(Model):
    """The mean of all that was seen, and as samples that mean with Gaussian noise of deviation `spread`."""

    trainer = "mytoys.net:MeanTrainer"

    def __init__(self, spec, *, spread: Annotated[float, AtLeast(0)] = 0.1) -> None:
        super().__init__(spec)
        self.spread = spread
        self.mean = nn.Parameter(torch.zeros(spec.shape), requires_grad=False)

    def reconstruct(self, x):
        return self.mean.expand(self.check(x).shape)

    def sample(self, n, generator=None):
        return self.mean + self.spread * torch.randn(n, *self.spec.shape, generator=generator)


class MeanTrainer(Trainer):
    """The running mean: of the t-th batch's mean, the t-th part."""

    options = PassOptions
    description = "by counting"
    monitor = Monitor("distance")

    def train(self, step, n, stop):
        for i in range(step, step + n):
            if stop():
                return i - step
            rows = self.sampler.order(0, 0)[i % self.steps_per_epoch :: self.steps_per_epoch]
            away = self.feed.batch(rows, self.generator).target.mean(0) - self.model.mean
            self.model.mean += away / (i + 1)
            self.meter.add({"moved": away.norm() / (i + 1)}, len(rows))
        return n

    def batch_metrics(self, batch, generator):
        return {"distance": (batch.target - self.model.mean).flatten(1).norm(dim=1)}

    def images(self):
        return {"mean": grid(self.model.mean[None], self.model.spec)}
'''
MEAN_YAML = """
# nnlab train model=mean
# The mean of all that was seen.
defaults:
  - override /optimizer@_global_.optimizer: none
  - override /trainer@_global_.trainer: passes
  - _self_
_target_: mytoys.net.Mean
spread: 0.1   # standard deviation of the samples about it
"""

TOYS = {"linear": (LINEAR, LINEAR_YAML), "mean": (MEAN, MEAN_YAML)}
OPTIONS = {
    "linear": ["model.latent_dim=3", "optimizer.lr=0.01", "trainer.precision=float32"],
    "mean": ["model.spread=0.2"],
}


@pytest.fixture(params=TOYS)
def toy(request: pytest.FixtureRequest, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The two files of a model in folders of its author, which is trusted; returns its name."""
    python, text = TOYS[request.param]
    for path, content in ((Path("site/mytoys/net.py"), python), (Path(f"conf/model/{request.param}.yaml"), text)):
        path.parent.mkdir(parents=True)
        path.write_text(content.lstrip(), encoding="utf-8")
    monkeypatch.syspath_prepend(own_folder / "site")
    monkeypatch.setenv("NNLAB_PLUGINS", "mytoys")
    forget()
    yield request.param
    forget()


def forget() -> None:
    """Both toys live in a module of the same name."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "mytoys"]:
        del sys.modules[name]


def training(toy: str, *more: str) -> list[str]:
    return ["train", "-cd", "conf", f"model={toy}", *OPTIONS[toy], "trainer.epochs=2", *more]


def test_two_files_make_a_model_that_every_verb_knows(nnlab, toy: str) -> None:
    assert f"  {toy} " in nnlab("list", "models", "-cd", "conf")[1]
    status, out, error = nnlab(*training(toy))
    assert status == 0, error
    folder = only_run()
    assert f"\n{toy} on digits: " in out
    assert folder.path.parts[1:3] == (toy, "digits")
    metadata, final = folder.read_status(), folder.read_summary()["final"]
    assert (metadata["status"], metadata["model"]) == ("completed", toy)

    printed = json.loads(nnlab("evaluate", "last")[1])
    figures = {name: value for name, value in final.items() if name.startswith("test/")}
    assert figures
    assert {name: printed[name] for name in figures} == figures

    assert nnlab("reconstruct", "last", "-o", "reconstruction.png")[0] == 0
    assert np.asarray(Image.open("reconstruction.png")).std() > 0
    status, _, error = nnlab("sample", "last", "-o", "sample.png")
    if toy == "mean":
        assert np.asarray(Image.open("sample.png")).std() > 0
        assert (folder.images / "mean.png").exists()
    else:
        assert (status, error.partition(";")[0]) == (2, "nnlab: sample: Linear cannot draw new examples")
        assert nnlab("traverse", "last")[0] == 0
    assert type(package.load("last")).__module__ == "mytoys.net"


def test_it_learns(nnlab, toy: str) -> None:
    nnlab(*training(toy))
    first, *_, last = [record for record in only_run().read_metrics() if record["split"] == "validation"]
    if toy == "linear":
        assert last["loss"] < first["loss"]
    else:
        train = built("data=digits").data.train
        learned = package.load("last", checkpoint="last").mean
        np.testing.assert_allclose(learned, train.values(train.rows).mean(0), atol=0.002)


def test_it_resumes_to_the_same_bits(nnlab, toy: str) -> None:
    constant = ["optimizer=adam"] if toy == "linear" else []  # a cosine depends on the length
    assert nnlab(*training(toy, *constant, "hydra.run.dir=short"))[0] == 0
    assert nnlab(*training(toy, *constant, "trainer.epochs=3", "hydra.run.dir=long"))[0] == 0
    status, _, error = nnlab("resume", "short", "trainer.epochs=3")
    assert status == 0, error
    assert same_bits(*(weights(RunFolder(Path(name))) for name in ("short", "long")))


def test_its_keys_are_checked_as_any_others(nnlab, toy: str) -> None:
    key, wrong, expected = {
        "linear": ("latent_dim", "0", "expected a whole number ≥ 1, got 0"),
        "mean": ("spread", "-1", "expected a number ≥ 0, got -1"),
    }[toy]
    status, _, error = nnlab(*training(toy, f"model.{key}={wrong}", f"model.{key}s=1"))
    assert status == 2
    assert error.splitlines() == [
        f"nnlab: model.{key}s: unknown key; did you mean '{key}'?",
        f"nnlab: model.{key}: {expected}",
    ]


def test_what_it_does_not_use_is_refused_in_its_own_words(nnlab, toy: str) -> None:
    if toy == "linear":
        error = nnlab("train", "-cd", "conf", "model=linear", "trainer=passes")[2]
        assert "trainer: Linear learns by gradient; leave trainer= out" in error
    else:
        error = nnlab(*training(toy, "optimizer=adam"))[2]
        assert "optimizer: has no use, Mean learns by counting; leave it out" in error


def test_without_the_users_word_it_is_refused_and_nothing_of_it_runs(
    nnlab, toy: str, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NNLAB_PLUGINS")
    name = toy.capitalize()
    before = sorted(own_folder.iterdir())
    status, _, error = nnlab(*training(toy))
    assert status == 2
    assert error == (
        f"nnlab: model._target_: mytoys.net.{name} lies outside nnlab. "
        "If you trust that package, list it: NNLAB_PLUGINS=mytoys\n"
    )
    assert sorted(own_folder.iterdir()) == before
    assert "mytoys.net" not in sys.modules


@pytest.mark.parametrize("plugins", ["", "another", "mytoys.other", "my", "net"])
def test_a_run_does_not_bring_its_own_trust(nnlab, toy: str, plugins: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's folder is data: it says which class it wants, and only the user may let it be imported."""
    assert nnlab(*training(toy))[0] == 0
    forget()
    monkeypatch.setenv("NNLAB_PLUGINS", plugins)
    for verb in (["sample"], ["reconstruct"], ["evaluate"], ["resume", "trainer.epochs=3"]):
        status, _, error = nnlab(verb[0], "last", *verb[1:])
        assert status == 2, verb
        assert f"model._target_: mytoys.net.{toy.capitalize()} lies outside nnlab" in error
    with pytest.raises(BadInput, match="lies outside nnlab"):
        package.load("last")
    assert "mytoys.net" not in sys.modules
    assert nnlab("show", "last")[0] == 0, "what is data can be read"


def test_a_file_that_is_not_there_is_named(nnlab, toy: str) -> None:
    Path("site/mytoys/net.py").rename("site/mytoys/elsewhere.py")
    status, _, error = nnlab(*training(toy))
    assert status == 2
    assert f"model._target_: no module 'mytoys.net' (asked for mytoys.net.{toy.capitalize()})" in error


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        ("def (", "SyntaxError: "),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_a_sentence(nnlab, own_folder, monkeypatch, text: str, reason: str) -> None:
    (own_folder / "exploding.py").write_text(text)
    (own_folder / "own" / "model").mkdir(parents=True)
    (own_folder / "own" / "model" / "foo.yaml").write_text("_target_: exploding.Foo\n")
    monkeypatch.syspath_prepend(str(own_folder))
    monkeypatch.setenv("NNLAB_PLUGINS", "exploding")
    status, _, error = nnlab("train", "-cd", "own", "model=foo")
    assert status == 2
    assert error.startswith(f"nnlab: model._target_: exploding cannot be imported ({reason}"), error
    assert len(error.splitlines()) == 1


RULES = {
    "from nnlab.model import Model\nclass Foo(Model):\n    def __init__(self, spec, *, hidden=3): ...\n": (
        "model._target_: rules.Foo has no loss; write its method loss(self, batch, generator), or subclass a family's base"
    ),
    "from torch import nn\nclass Foo(nn.Module):\n    def __init__(self, spec, hidden=3): ...\n": (
        "model._target_: rules.Foo is no Model; subclass nnlab.families.ae.base.Autoencoder, "
        "nnlab.families.vae.vae.VAE or nnlab.model.Model"
    ),
    "from nnlab.families.ae.base import Autoencoder\nclass Foo(Autoencoder):\n    def __init__(self, spec, hidden=3): ...\n": (
        "model.hidden: is no keyword-only parameter of Foo; its constructor must be def __init__(self, spec, *, hidden, …)"
    ),
    "from nnlab.families.ae.base import Autoencoder\nclass Foo(Autoencoder):\n    def __init__(self, spec, hidden): ...\n": (
        "model._target_: rules.Foo cannot be built: its constructor must be def __init__(self, spec, *, hidden, …)"
    ),
    "from nnlab.families.ae.base import Autoencoder\nclass Foo(Autoencoder):\n    def __init__(self, *, hidden=3): ...\n": (
        "model._target_: rules.Foo cannot be built: its constructor must be def __init__(self, spec, *, …)"
    ),
}


@pytest.mark.parametrize("text", RULES)
def test_the_rule_that_a_class_breaks_is_named(nnlab, own_folder: Path, monkeypatch, text: str) -> None:
    (own_folder / "rules.py").write_text(text)
    (own_folder / "own" / "model").mkdir(parents=True)
    (own_folder / "own" / "model" / "foo.yaml").write_text("_target_: rules.Foo\nhidden: 4\n")
    monkeypatch.syspath_prepend(str(own_folder))
    monkeypatch.setenv("NNLAB_PLUGINS", "rules")
    monkeypatch.delitem(sys.modules, "rules", raising=False)
    status, _, error = nnlab("train", "-cd", "own", "model=foo")
    assert status == 2
    assert error.startswith(f"nnlab: {RULES[text]}"), error
    assert len(error.splitlines()) == 1
