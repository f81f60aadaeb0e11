"""Shared by the benchmarks: timing in turn, peak memory, tables, and the description of the machine."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
ROUNDS_OF_A_PROCESS = 4  # of a peer; how fast it is hangs by some per cent on where its memory happens to lie
NNLAB = [sys.executable, "-m", "nnlab"]

# A small process between us and the measured one: a process begins with the peak of the one that started it, and ours is large.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def data_root() -> str:
    """The folder of all datasets, as nnlab finds it."""
    return os.environ.get("NNLAB_DATA", "datasets")


@dataclass
class Timing:
    seconds: float
    result: float | None = None  # what the job gives, e.g. its loss


class Peer:
    """A process that runs epochs on request; see worker.py."""

    def __init__(self, module: str) -> None:
        command = [sys.executable, "-m", "benchmarks.worker", module]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        ready = self._answer(module)
        self.missing: str | None = ready.get("missing")
        self.names: list[str] = ready.get("names", [])

    def _answer(self, asked: str) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{asked}: the peer's process ended; run `{' '.join(map(str, self.process.args))}` to see why")
        return json.loads(line)

    def run(self, name: str) -> Timing:
        print(name, file=self.process.stdin, flush=True)
        return Timing(**self._answer(name))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def timed(function: Callable[[], None]) -> Callable[[], Timing]:
    """The function with a stop-watch around it."""

    def run() -> Timing:
        began = time.perf_counter()
        function()
        return Timing(time.perf_counter() - began)

    return run


def in_turn(jobs: dict[str, Callable[[], Timing]], rounds: int) -> dict[str, Timing]:
    """The best time of each job over several rounds, A B C A B C …, so that what disturbs the machine meets all.

    The result is that of the last round.
    """
    found = all_rounds(jobs, rounds)
    return {name: Timing(min(timing.seconds for timing in some), some[-1].result) for name, some in found.items()}


def all_rounds(jobs: dict[str, Callable[[], Timing]], rounds: int) -> dict[str, list[Timing]]:
    """The times of each job, round after round."""
    found: dict[str, list[Timing]] = {name: [] for name in jobs}
    for i in range(rounds):
        for name, job in jobs.items():
            found[name].append(job())
            print(f"round {i + 1}/{rounds}  {name}: {found[name][-1].seconds:.3f} s", file=sys.stderr)
    return found


def race(modules: Sequence[str], rounds: int) -> tuple[dict[str, Timing], list[str]]:
    """Every variant of some peers, modules under benchmarks.peers, timed in turn; and a line on each that is not installed."""
    peers = {module: Peer(f"benchmarks.peers.{module}") for module in modules}
    try:
        timings = in_turn({name: partial(peer.run, name) for peer in peers.values() for name in peer.names}, rounds)
    finally:
        for peer in peers.values():
            peer.close()
    skipped = [f"- {module}: skipped; `pip install {peer.missing}`" for module, peer in peers.items() if peer.missing]
    return timings, skipped


def beside_hand_written(group: str, rounds: int, steps: int, limits: Mapping[str, float], usual: float = 1.05) -> str:
    """Each loop of benchmarks.peers.GROUP.nnlab beside that of the same name in .handwritten: milliseconds for one of `steps`
    updates, and whether the ratio keeps its limit.

    Both get a new process after some rounds. What counts is the median over the rounds, of the ratio as of the times: the best
    round of a few per cent's difference is often one in which the machine happened to be faster.
    """
    seconds: dict[str, list[float]] = defaultdict(list)
    for done in range(0, rounds, ROUNDS_OF_A_PROCESS):
        ours, theirs = (Peer(f"benchmarks.peers.{group}.{name}") for name in ("nnlab", "handwritten"))
        try:
            jobs = {}
            for name in theirs.names:
                jobs[f"hand-written {name}"] = partial(theirs.run, name)
                jobs[f"nnlab {name}"] = partial(ours.run, name)
            for name, some in all_rounds(jobs, min(ROUNDS_OF_A_PROCESS, rounds - done)).items():
                seconds[name] += [timing.seconds for timing in some]
        finally:
            ours.close()
            theirs.close()
    rows, lines = [], []
    for name in theirs.names:
        hand, own = seconds[f"hand-written {name}"], seconds[f"nnlab {name}"]
        ratio = median(mine / its for mine, its in zip(own, hand, strict=True))
        rows.append((name, f"{1e3 * median(hand) / steps:.2f}", f"{1e3 * median(own) / steps:.2f}", f"{ratio:.2f}"))
        lines.append(target(f"{name}: nnlab / hand-written", ratio, limits.get(name, usual)))
    return "\n".join([table(("", "hand-written, ms", "nnlab, ms", "ratio"), rows), "", *lines])


def call(command: Sequence[str], status: int = 0, **environment: str) -> None:
    """Run a command from the repository's root. Raises RuntimeError unless it exits as expected: a crash is quick, too."""
    env = {**os.environ, **environment}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode != status:
        raise RuntimeError(f"{' '.join(command)}: expected exit status {status}, got {done.returncode}\n{done.stderr}")


def peak_memory(command: Sequence[str], **environment: str) -> float:
    """The largest resident memory of a process, in MiB."""
    env = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", PEAK, *command], cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True)
    unit = 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB
    return int(done.stdout) * unit / 2**20


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table that can be read as it is: the first column to the left, figures to the right."""
    widths = [max(len(line[i]) for line in (header, *rows)) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * (width - 1) + ":" if i else "-" * width for i, width in enumerate(widths)]
    return "\n".join([line(header), line(rule), *map(line, rows)])


def target(what: str, ratio: float, limit: float) -> str:
    """A line on a ratio that is meant to stay under a limit."""
    return f"- {what}: {ratio:.2f} ×, target at most {limit:.2f} × ({'met' if ratio <= limit else 'missed'})"


def machine() -> str:
    """The machine in a few sentences, with its load, since times under load mean little."""
    import torch

    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    load = f" Load average at the start: {os.getloadavg()[0]:.1f}." if hasattr(os, "getloadavg") else ""
    return (
        f"{datetime.date.today()}, {model}, {os.cpu_count()} cores{gpu}; torch {torch.__version__} "
        f"with {torch.get_num_threads()} threads, Python {platform.python_version()}.{load}"
    )
