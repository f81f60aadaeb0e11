"""Where an update's time goes, by torch's profiler: the operations that take most, as shares of the time in operations.

Fifty updates on Fashion-MNIST in batches of 128 with `trainer.precision=auto`, without a CUDA graph, which hides the
operations from the profiler.
"""

from __future__ import annotations

import time

from torch.profiler import ProfilerActivity, profile

from benchmarks.measure import table
from nnlab.config.composition import compose_config, to_dict
from nnlab.experiment.run import build_experiment

MODELS = ("vae", "conv_vae", "cnn")
UPDATES, WARM_UP, TOP = 50, 20, 8


def run(rounds: int) -> str:
    return "\n\n".join(f"### {model}\n\n{shares(model)}" for model in MODELS)


def shares(model: str) -> str:
    """A table of one model."""
    experiment = build_experiment(to_dict(compose_config([f"model={model}", "data=fashion_mnist", "trainer.graph=none"])))
    experiment.initialize()
    trainer, cuda = experiment.trainer, experiment.device.type == "cuda"
    trainer.train(0, WARM_UP, lambda: False)
    trainer.meter.look()
    began = time.perf_counter()
    trainer.train(WARM_UP, UPDATES, lambda: False)
    trainer.meter.look()
    seconds = time.perf_counter() - began
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]) as profiled:
        trainer.train(WARM_UP + UPDATES, UPDATES, lambda: False)
        trainer.meter.look()
    of = "self_device_time_total" if cuda else "self_cpu_time_total"
    found = [(event.key, event.count, getattr(event, of)) for event in profiled.key_averages()]
    named = [event for event in found if event[0].startswith(("aten::", "mkldnn::"))] if not cuda else found
    total = sum(took for *_, took in named)
    named.sort(key=lambda event: -event[2])
    rows = [
        (key.removeprefix("aten::")[:60], f"{count / UPDATES:.0f}", f"{took / total:.0%}") for key, count, took in named[:TOP]
    ]
    rows.append((f"{len(named) - TOP} others", "", f"{sum(took for *_, took in named[TOP:]) / total:.0%}"))
    what = f"{1e3 * seconds / UPDATES:.2f} ms an update, of which operations, as profiled, {total / 1e3 / UPDATES:.2f} ms."
    return f"{what}\n\n{table(('operation', 'an update', 'share'), rows)}"
