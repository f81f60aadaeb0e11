"""What do images without labels help, when labels are few? Encoders of all kinds on Fashion-MNIST, by `nnlab probe`.

A multinomial logistic regression on codes of the encoder, which does not change: accuracy on the test images in per cent, means
± standard deviations of 5 draws of the labelled images, the same for all. In brackets the length of a code. All encoders have
learned from the 55,000 training images without labels, but for `triplet`, which has seen every label: it is no fair rival. "At
random" is the network of `simclr` with its first weights: 100 updates of a vanishing learning rate let its batch normalisation
measure the data. Below stand rows of MNIST, where stacked autoencoders, fine-tuned from 100 labels, reach 79.7 %
(`stacked_few_labels`), and of 10,000 images of CIFAR-10 as JPEG files, by a small residual network. Picture:
docs/images/label_efficiency.png. Runs that are there already are not trained again.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import tempfile
from pathlib import Path

from benchmarks.measure import NNLAB, ROOT, table
from benchmarks.runs import NotMade, keep_figures, kept_figures, left_out, run_of
from nnlab.plotting.label_efficiency import probe_chart
from nnlab.plotting.picture import png
from nnlab.runs.folder import RunFolder

FASHION = "data=fashion_mnist"
AT_RANDOM = ("trainer.steps=100", "optimizer.lr=1e-9")
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
    "simclr at random": ["experiment=simclr_fashion", *AT_RANDOM],
    "triplet": ["model=triplet", FASHION, "model.latent_dim=64"],
    "MNIST, simclr": ["experiment=simclr_mnist"],
    "CIFAR-10, simclr": ["experiment=simclr_cifar10"],
    "CIFAR-10, simclr at random": ["experiment=simclr_cifar10", *AT_RANDOM],
}
GROUP, FASHION_MNIST = "label_efficiency", "Fashion-MNIST"
OTHERS = ("MNIST", "CIFAR-10")  # with which the names of the runs on other data begin
COUNTS = ("10", "100", "1000", "all")
PICTURE = ROOT / "docs" / "images" / "label_efficiency.png"
Figures = dict[str, dict]  # by numbers of labels, each with the number, the accuracy and its standard deviation


def run(rounds: int) -> str:
    rows, missing = [], []
    for data in (FASHION_MNIST, *OTHERS):
        chosen = {name: typed for name, typed in RUNS.items() if data_of(name) == data}
        found = probed(data, chosen)
        missing += [name for name in chosen if name not in found]
        named = {f"{name} ({figures['width']})": figures for name, figures in found.items()}
        order = sorted(named, key=lambda name: -named[name]["100"]["accuracy"])
        rows += [(name, *(cell(named[name][count]) for count in COUNTS)) for name in order]
        if data == FASHION_MNIST and found:
            draw(named)
    if not rows:
        raise NotMade(f"all of {GROUP}")
    return table(("accuracy in %", *(f"{title} labels" for title in ("10", "100", "1,000", "all"))), rows) + left_out(missing)


def data_of(name: str) -> str:
    """The data of a run, by its name."""
    return next((data for data in OTHERS if name.startswith(f"{data}, ")), FASHION_MNIST)


def probed(data: str, chosen: dict[str, list[str]]) -> dict[str, Figures]:
    """The figures of the runs that are there and of raw pixels, by name; then of those that are kept."""
    there: dict[str, RunFolder] = {}
    for name, typed in chosen.items():
        with contextlib.suppress(NotMade):
            there[name] = run_of(GROUP, name, typed)
    pixels = "raw pixels" if data == FASHION_MNIST else f"{data}, raw pixels"
    commands = {**chosen, pixels: next(iter(chosen.values()))}
    if there:
        names, folder = [*there, pixels], next(iter(there.values()))
        found = probe([each.path for each in there.values()])
        # at its end is PCA as wide as the widest code that is there: it would change with them, and pca is among the runs
        for name, (row, figures) in zip(names, found.items(), strict=False):
            width = re.search(r"\(([\d,]+)\)", row)[1]
            keep_figures(GROUP, name, commands[name], {"width": width, **figures}, there.get(name, folder))
    kept = {name: kept_figures(GROUP, name, typed) for name, typed in commands.items()}
    return {name: figures for name, figures in kept.items() if figures}


def probe(runs: list[Path]) -> dict[str, Figures]:
    """What `nnlab probe` finds, a row per run, then raw pixels and PCA."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "labels.png"
        subprocess.run([*NNLAB, "probe", *runs, "--labels", ",".join(COUNTS), "-o", output], cwd=ROOT, check=True)
        found = json.loads(output.with_suffix(".json").read_text(encoding="utf-8"))["encoders"]
    kept = ("labels", "accuracy", "std")
    return {row: {count: {key: one[key] for key in kept} for count, one in of.items()} for row, of in found.items()}


def draw(found: dict[str, Figures]) -> None:
    """The chart of `nnlab probe`, of all rows."""
    points = {name: [tuple(figures[count].values()) for count in COUNTS] for name, figures in found.items()}
    PICTURE.write_bytes(png(probe_chart(points, FASHION_MNIST)))


def cell(one: dict) -> str:
    """Mean ± standard deviation, in per cent."""
    return f"{100 * one['accuracy']:.1f}" + (f" ± {100 * one['std']:.1f}" if one["std"] is not None else "")
