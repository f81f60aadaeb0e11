"""A process of a launcher, which trains jobs of a sweep beside others, one after another. Imports no torch."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import time

EVERY = 1.0  # seconds between two looks at the process that launched this one
following: list[int] = []  # the process that this one ends with


def follow_parent() -> None:
    """In a process of joblib, end with the one that launched it: after a `kill -9` nobody waits for what its jobs return.

    A run that trains is saved first, as at Ctrl-C, so that `nnlab resume` goes on with it. The processes of other launchers are
    watched by what started them.
    """
    if following or not multiprocessing.current_process().name.startswith("LokyProcess"):  # which trains in the first one, too
        return
    following.append(os.getppid())
    threading.Thread(target=end_with, args=(following[0],), daemon=True).start()


def end_with(parent: int) -> None:
    """Ask this process to end, again and again, when its parent is not `parent` any more."""
    while True:
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(EVERY)


def device_of(device: str, number: int) -> str:
    """The device of a job that runs beside others: where there are several GPUs, they are dealt out in turn."""
    import torch

    count = torch.cuda.device_count()
    in_turn = device in ("auto", "cuda") and count > 1 and "SLURM_JOB_ID" not in os.environ  # SLURM deals them out itself
    return f"cuda:{number % count}" if in_turn else device


def clean_up() -> None:
    """Give back the memory of a job: the next one may be trained in the same process."""
    import torch

    gc.collect()
    torch.cuda.empty_cache()
