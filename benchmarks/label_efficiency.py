"""What do images without labels help, when labels are few? Encoders of all kinds on Fashion-MNIST, by `nnlab probe`.

A multinomial logistic regression on codes of the encoder, which does not change: accuracy on the test images in per cent, means
± standard deviations of 5 draws of the labelled images, the same for all. In brackets the length of a code. All encoders have
learned from the 55,000 training images without labels, but for `triplet`, which has seen every label: it is the limit, not a
rival. "At random" is the network of `simclr` after a single update. Below stand rows of MNIST, where stacked autoencoders,
fine-tuned from 100 labels, reach 79.7 % (`stacked_few_labels`), and of 10,000 images of CIFAR-10 as JPEG files, by a small
residual network. Picture: docs/images/label_efficiency.png. Runs that are there already are not trained again.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from benchmarks.measure import NNLAB, ROOT, table
from benchmarks.runs import runs_of

FASHION = "data=fashion_mnist"
RUNS = {
    "pca": ["model=pca", FASHION, "model.latent_dim=64"],
    "ae": ["model=ae", FASHION, "model.latent_dim=64"],
    "conv_ae": ["model=conv_ae", FASHION, "model.latent_dim=64"],
    "vae": ["model=vae", FASHION, "model.latent_dim=64"],
    "bigan": ["model=bigan", FASHION, "model.latent_dim=64"],
    "rbm": ["model=rbm", FASHION],
    "dbn": ["model=dbn", FASHION],
    "som": ["model=som", FASHION, "model.rows=20", "model.columns=20"],
    "kmeans": ["model=kmeans", FASHION, "model.clusters=64"],
    "mae": ["model=mae", FASHION],
    "barlow_twins": ["model=barlow_twins", FASHION],
    "simclr": ["experiment=simclr_fashion"],
    "simclr at random": ["experiment=simclr_fashion", "trainer.steps=1"],
    "triplet": ["model=triplet", FASHION, "model.latent_dim=64"],
    "MNIST, simclr": ["experiment=simclr_mnist"],
    "CIFAR-10, simclr": ["experiment=simclr_cifar10"],
    "CIFAR-10, simclr at random": ["experiment=simclr_cifar10", "trainer.steps=1"],
}
OTHERS = ("MNIST", "CIFAR-10")
PICTURE = ROOT / "docs" / "images" / "label_efficiency.png"


def run(rounds: int) -> str:
    found, missing = runs_of("label_efficiency", RUNS)
    runs = {name: folder.path for name, folder in found.items()}
    clothes = [path for name, path in runs.items() if not name.startswith(OTHERS)]
    rows = probed(clothes, PICTURE) if clothes else []
    for data in OTHERS:
        own = [path for name, path in runs.items() if name.startswith(data)]
        if own:
            rows += [(f"{data}, {name}", *cells) for name, *cells in probed(own, own[0] / "images" / "labels.png")]
    return table(("accuracy in %", "10 labels", "100", "1,000", "all"), rows) + missing


def probed(runs: list[Path], picture: Path) -> list[tuple[str, ...]]:
    """The rows of a table of `nnlab probe`, the best at 100 labels first, and its picture."""
    subprocess.run([*NNLAB, "probe", *runs, "--labels", "10,100,1000,all", "-o", picture], cwd=ROOT, check=True)
    told = picture.with_suffix(".json")
    found = json.loads(told.read_text(encoding="utf-8"))["encoders"]
    told.unlink()
    order = sorted(found, key=lambda name: -found[name]["100"]["accuracy"])
    return [(name.removeprefix("codes of "), *map(cell, found[name].values())) for name in order]


def cell(one: dict) -> str:
    """Mean ± standard deviation, in per cent."""
    return f"{100 * one['accuracy']:.1f}" + (f" ± {100 * one['std']:.1f}" if one["std"] is not None else "")
