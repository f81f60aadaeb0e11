"""How near an update comes to what the machine can do: its floor, from bytes and operations over measured ceilings.

The floor is the longer of two times: the operations of the update's products over the rate of a large product in the same
precision, and the bytes that its operations read and write over the rate of a large copy. Every operation counts with all of
its bytes, as if nothing stayed in a cache: so the floor of a small model on a CPU may lie above what is reached.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import table
from nnlab.config.composition import compose_config, to_dict
from nnlab.experiment.run import build_experiment

VAE = ["model=vae", "model.hidden=[512]", "model.latent_dim=16", "model.activation=relu"]
MODELS = {"vae 784-512-16": VAE, "vae": ["model=vae"], "conv_vae": ["model=conv_vae"], "cnn": ["model=cnn"]}
UPDATES, WARM_UP, BATCH = 200, 60, 128
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Traffic(TorchDispatchMode):
    """Counts the bytes that operations read and write; a view moves none."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if not function.is_view:
            touched = {x.data_ptr(): x for x in tree_leaves((args, kwargs or {}, result)) if isinstance(x, Tensor)}
            self.bytes += sum(x.numel() * x.element_size() for x in touched.values())
        return result


def rate(work: Callable[[], object], amount: float, seconds: float = 0.5) -> float:
    """The best amount a second over half a second of trying."""
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end or not best:
        began = time.perf_counter()
        work()
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        best = max(best, amount / (time.perf_counter() - began))
    return best


def ceilings() -> dict[str, float]:
    """Operations a second of a large product in each precision, bytes a second of a large copy."""
    n = 8192 if DEVICE.type == "cuda" else 2048
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.randn((2, n, n), device=DEVICE).to(dtype)
        found[str(dtype).removeprefix("torch.")] = rate(lambda a=a, b=b: a @ b, 2.0 * n**3)
    source = torch.empty(2**28, dtype=torch.uint8, device=DEVICE)
    target = torch.empty_like(source)
    return {**found, "copy": rate(lambda: target.copy_(source), 2.0 * source.numel())}


def run(rounds: int) -> str:
    limits = ceilings()
    lines = [
        f"Ceilings: {limits['float32'] / 1e12:.2f} TFLOP/s in float32, {limits['bfloat16'] / 1e12:.2f} in bfloat16; "
        f"{limits['copy'] / 1e9:.0f} GB/s."
    ]
    rows = [reached(name, chosen, limits, rounds) for name, chosen in MODELS.items()]
    header = ("", "precision", "GFLOP", "MB", "floor, µs", "an update, µs", "share", "images/s")
    return "\n\n".join([*lines, table(header, rows)])


def reached(name: str, chosen: list[str], limits: dict[str, float], rounds: int) -> tuple[str, ...]:
    work = [*chosen, "data=fashion_mnist", "data.validation=0", f"trainer.batch_size={BATCH}", f"device={DEVICE.type}"]
    experiment = build_experiment(to_dict(compose_config(work)))
    experiment.initialize()
    trainer = experiment.trainer
    trainer.train(0, WARM_UP, lambda: False)
    batch = trainer.feed.batch(trainer.rows(WARM_UP), trainer.generator)
    with FlopCounterMode(display=False) as products:
        trainer.update(batch)
    with Traffic() as traffic:
        trainer.update(trainer.feed.batch(trainer.rows(WARM_UP), trainer.generator))
    precision = str(trainer.precision)
    floor = max(products.get_total_flops() / limits[precision], traffic.bytes / limits["copy"])
    step, best = WARM_UP, float("inf")
    for _ in range(rounds):
        trainer.meter.look()
        began = time.perf_counter()
        step += trainer.train(step, UPDATES, lambda: False)
        trainer.meter.look()
        best = min(best, (time.perf_counter() - began) / UPDATES)
    figures = (products.get_total_flops() / 1e9, traffic.bytes / 1e6, 1e6 * floor, 1e6 * best)
    cells = [f"{figures[0]:.2f}", f"{figures[1]:.1f}", f"{figures[2]:.0f}", f"{figures[3]:.0f}"]
    return (name, precision, *cells, f"{floor / best:.0%}", f"{BATCH / best:,.0f}")
