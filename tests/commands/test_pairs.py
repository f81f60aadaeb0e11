"""What each verb shows and compares where a model's input is another image than its target."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from toys import DATA, DATA_YAML

from nnlab.data.feed import BatchBuilder
from nnlab.experiment.loading import open_run
from nnlab.plotting.images import to_pixels

CODED = '''
from torch import nn

from nnlab.families.ae.base import Autoencoder


class Coded(Autoencoder):
    """A short code of the input, of which the target is made."""

    resizes = True

    def __init__(self, spec, *, latent_dim: int = 3) -> None:
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(spec.input.features, latent_dim))
        decoder = nn.Sequential(nn.Linear(latent_dim, spec.features), nn.Unflatten(1, spec.shape))
        super().__init__(spec, encoder, decoder, latent_dim=latent_dim)
'''
CODED_YAML = """
# nnlab train model=coded
# A code of the input.
_target_: mytoys.coded.Coded
latent_dim: 3
"""
FILES = {
    "site/mytoys/quarters.py": DATA,
    "site/mytoys/coded.py": CODED,
    "conf/data/halves.yaml": DATA_YAML + "Pairs",
    "conf/data/quarters.yaml": DATA_YAML + "Quarters",
    "conf/model/coded.yaml": CODED_YAML,
}
KINDS = {"pairs": ["data=halves"], "halves": ["data=quarters", "noise=downscale"]}


@pytest.fixture(params=list(KINDS))
def pairs(request: pytest.FixtureRequest, own_folder: Path, nnlab, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A run of a model whose input is stored beside the target, or is half as large."""
    for path, text in FILES.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text.lstrip(), encoding="utf-8")
    monkeypatch.syspath_prepend(own_folder / "site")
    monkeypatch.setenv("NNLAB_PLUGINS", "mytoys")
    run = ["train", "-cd", "conf", "model=coded", *KINDS[request.param], "trainer.epochs=2", "trainer.batch_size=24"]
    status, _, error = nnlab(*run, "hydra.run.dir=run")
    assert status == 0, error
    yield request.param
    for module in [module for module in sys.modules if module.partition(".")[0] == "mytoys"]:
        del sys.modules[module]


VERBS = [
    "reconstruct run",
    "perturb run --index 3",
    "interpolate run --from 3,4 --to 5,6 --blend",
    "interpolate run --from 3 --to 5 --spherical",
    "traverse run --index 3",
    "walk run --through 3,5 --steps 2",
    "attribute run --plus left --minus right",
    "embed run --tsne 0",
    "probe run --labels 20,all --seeds 1",
    "evaluate run",
]


@pytest.mark.usefixtures("blank_charts")
def test_every_verb_reads_the_input_and_compares_with_the_target(pairs: str, nnlab) -> None:
    for verb in VERBS:
        status, _, error = nnlab(*verb.split())
        assert status == 0, f"{verb}: {error}"
    run = open_run("run")
    batch = BatchBuilder(run.data.test, run.reshaping).batch(run.data.test.rows, torch.Generator())
    assert batch.input.shape[1:] == run.model.spec.input.shape != batch.target.shape[1:]
    with torch.inference_mode():
        codes = run.model.encode(batch.input)
        error = (run.model.decode(codes[3:4]) - batch.target[3:4]).square().mean().item()
    assert np.allclose(np.load("run/codes.npz")["codes"], codes, atol=1e-6)
    assert json.loads(Path("run/images/variation.json").read_text())["reconstruction_mse"] == pytest.approx(error, rel=1e-5)
    variation = np.array(Image.open("run/images/variation.png"))
    target = to_pixels(batch.target[3], run.model.spec).repeat(6, 0).repeat(6, 1)
    assert any(  # beside the input and the output
        np.array_equal(variation[y : y + 48, x : x + 48], target)
        for y in range(variation.shape[0] - 47)
        for x in range(variation.shape[1] // 3)
    )
    for verb in ("compress run -o codes.npz", "outliers run"):
        assert "Coded makes other images than it is given, so the two cannot be compared" in nnlab(*verb.split())[2]


def test_the_targets_of_ones_own_inputs_are_known_only_if_the_input_is_made_of_them(pairs: str, nnlab) -> None:
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save("mine.png")
    status, out, error = nnlab("reconstruct", "run", "--input", "mine.png")
    assert status == 0, error
    assert ("their targets are not known" in out) == (pairs == "pairs")
    assert ("psnr" in out) == (pairs == "halves")
    assert nnlab("embed", "run", "--input", "mine.png", "--tsne", "0", "-o", "mine.npz")[0] == 0
    assert np.load("mine.npz")["codes"].shape == (1, 3)
