"""What recording costs: a run with the default cadences beside one that records nothing but the end of each epoch.

The VAE of configs/model/vae.yaml on Fashion-MNIST, six epochs from the first update to the last, without evaluation, which
both leave out. Recording is the curves (every 50 updates), the pictures (every fifth epoch) and the checkpoints (each epoch).
"""

from __future__ import annotations

import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.measure import Timing, in_turn, table, target
from nnlab.config.composition import compose_config, to_dict
from nnlab.experiment.run import build_experiment, write_config
from nnlab.recording.console import Console
from nnlab.recording.recorder import Recorder
from nnlab.runs.folder import RunFolder
from nnlab.training.loop import Loop

WORK = ["model=vae", "data=fashion_mnist", "trainer.epochs=6", "trainer.evaluate_every=never"]
SILENT = [f"trainer.{event}_every=never" for event in ("log", "show", "save")]
LIMIT = 1.03


def seconds(*overrides: str) -> Timing:
    """Of the loop alone."""
    experiment = build_experiment(to_dict(compose_config([*WORK, *overrides])))
    experiment.initialize()
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder(Path(place))
        write_config(folder, experiment.config)
        with closing(Recorder(folder)) as recorder, closing(Console(folder.log, quiet=True)) as console:
            loop = Loop(experiment.trainer, experiment.options, folder, recorder, console, lambda: False)
            began = time.perf_counter()
            loop.run()
            return Timing(time.perf_counter() - began)


def run(rounds: int) -> str:
    timings = in_turn({"nothing recorded": lambda: seconds(*SILENT), "the default cadences": seconds}, rounds)
    silent = timings["nothing recorded"].seconds
    rows = [(name, f"{timing.seconds:.2f}", f"{timing.seconds / silent:.3f}") for name, timing in timings.items()]
    ratio = timings["the default cadences"].seconds / silent
    return "\n".join([table(("", "seconds", "ratio"), rows), "", target("recorded / not recorded", ratio, LIMIT)])
