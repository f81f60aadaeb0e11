"""Updates of nnlab's VAE on images of an .npz, in memory or on the disk."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.peers.fashion import assembled
from benchmarks.peers.vae.nnlab import NETWORK

UPDATES = 468  # batches of 128: an epoch of 60,000 images


def updates(storage: str, copies: int = 1) -> Callable[[], float]:
    """A function that makes UPDATES updates on Fashion-MNIST, `copies` times, and gives the process's own memory in MiB."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    train = assembled("model=pca", "data=fashion_mnist").data.train
    images = train.target.raw(train.rows).numpy()[:, 0]
    with (folder / "fashion.npy").open("wb") as file:  # a part at a time, so that many copies take no memory
        header = {"descr": "|u1", "fortran_order": False, "shape": (copies * len(images), *images.shape[1:])}
        np.lib.format.write_array_header_1_0(file, header)
        for _ in range(copies):
            file.write(images.tobytes())
    del train, images
    own = ["data=npz", f"data.root={folder}", "data.file=fashion.npy", f"data.storage={storage}"]
    experiment = assembled(*NETWORK, *own, "trainer.batch_size=128", "trainer.precision=float32")
    experiment.initialize()
    trainer, step = experiment.trainer, 0

    def some() -> float:
        nonlocal step
        step += trainer.train(step, UPDATES, lambda: False)
        if trainer.meter.look():
            raise RuntimeError("a loss that is not finite")
        return own_memory()

    return some


def own_memory() -> float:
    """MiB of the process's own pages; without those of mapped files, which the kernel can take back."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return float("nan")  # not Linux
