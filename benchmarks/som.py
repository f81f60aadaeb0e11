"""Seconds per epoch of a 20 × 20 map on Fashion-MNIST (60,000 × 784), and its errors on them after three epochs.

MiniSom learns online, nnlab by mini-batches as configs/trainer/som.yaml has them; both start on the principal plane with a
radius of 5 and a rate of 0.5, and end with a radius of 1.67: the smaller it ends, the smaller is the quantization error and the
larger the topographic one. Each in a separate process; MiniSom runs once, since its epoch takes a minute.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

from benchmarks.measure import ROOT, table, target

PEERS = {"MiniSom, online": "minisom_online", "nnlab, mini-batches": "nnlab_mini_batch"}


def measured(name: str) -> list[float]:
    """Seconds an epoch, quantization and topographic error."""
    command = [sys.executable, "-m", f"benchmarks.peers.som.{name}"]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def run(rounds: int) -> str:
    if importlib.util.find_spec("minisom") is None:
        return "- skipped; `pip install minisom`"
    found = {name: measured(module) for name, module in PEERS.items()}
    for _ in range(rounds - 1):
        again = measured(PEERS["nnlab, mini-batches"])
        found["nnlab, mini-batches"][0] = min(found["nnlab, mini-batches"][0], again[0])
    rows = [(name, f"{s:.2f}", f"{quantization:.3f}", f"{wrong:.3f}") for name, (s, quantization, wrong) in found.items()]
    (theirs, *_), (ours, *_) = found.values()
    header = ("", "seconds an epoch", "quantization error", "topographic error")
    return "\n".join([table(header, rows), "", target("60 × nnlab / MiniSom", 60 * ours / theirs, 1.0)])
