"""Peak resident memory of one epoch of the VAE 784-512-16 on Fashion-MNIST, each in a separate process.

nnlab's is the whole command: set up, train, evaluate, draw, save; the other is the hand-written loop and nothing else.
"""

from __future__ import annotations

import sys
import tempfile

from benchmarks.measure import NNLAB, peak_memory, table, target


def run(rounds: int) -> str:
    network = ["model=vae", "model.hidden=[512]", "model.latent_dim=16", "model.activation=relu"]
    ours = [*NNLAB, "train", *network, "data=fashion_mnist", "trainer.epochs=1"]
    theirs = [sys.executable, "-m", "benchmarks.peers.vae.handwritten"]
    with tempfile.TemporaryDirectory() as folder:
        nnlab, reference = (peak_memory(command, NNLAB_OUTPUTS=folder) for command in (ours, theirs))
    rows = [
        ("hand-written loop", f"{reference:.0f}", "1.00"),
        ("nnlab train", f"{nnlab:.0f}", f"{nnlab / reference:.2f}"),
    ]
    return "\n".join([table(("", "MiB", "ratio"), rows), "", target("nnlab train / hand-written loop", nnlab / reference, 1.3)])
