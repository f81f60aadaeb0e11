"""A peer in a separate process: `python -m benchmarks.worker benchmarks.peers.vae.handwritten`.

It prepares, trains each variant for some epochs that do not count, then runs an epoch for each name that it reads. What a
peer sets for its whole process (threads, flushing of denormals) stays its own. All have the allocator's settings of `nnlab
train` on a CPU: by default a peer's time hangs on whether its memory goes back to the system between two steps.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time

import torch

from nnlab.training.allocator import keep_freed_memory

WARM_UP = 2  # epochs; by the third, Adam's means of silent weights have faded as far as they will


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a peer's own prints are no answers

    def answer(**fields: object) -> None:
        print(json.dumps(fields), file=answers, flush=True)

    keep_freed_memory(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    try:
        epochs = importlib.import_module(sys.argv[1]).prepare()
    except ModuleNotFoundError as error:
        answer(missing=error.name)
        return
    for epoch in epochs.values():
        for _ in range(WARM_UP):
            epoch()
    answer(names=list(epochs))
    for line in sys.stdin:
        began = time.perf_counter()
        loss = epochs[line.rstrip("\n")]()
        answer(seconds=time.perf_counter() - began, result=loss)


if __name__ == "__main__":
    main()
