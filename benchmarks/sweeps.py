"""Sweeps: short jobs side by side against one after another, a sweep that is killed and resumed, and lists of many runs.

"Side by side" is `hydra/launcher=joblib`, a process for each core, with one thread each; the ratio is that of whole commands.
One after another, a job has a thread for each core, unless "with one thread" is said. "Equal" counts the jobs whose test
figures are the same bits as those side by side. The killed sweep gets `kill -9` at random moments and is then resumed to its
end; "equal" are its jobs that were trained once and have the figures of a sweep that nobody stopped.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import NNLAB, ROOT, call, in_turn, table, target, timed
from benchmarks.startup import write_runs
from nnlab.runs.folder import RunFolder

SHORT = ["model=vae", "data=digits", "trainer.epochs=20", "trainer.show_every=never"]
BESIDE = "side by side"
KINDS = {  # what is typed besides, and for how many threads
    "one after another": ([], None),
    "one after another with one thread": ([], "1"),
    BESIDE: (["hydra/launcher=joblib"], None),
}
PAGE = "report.html"
JOBS, KILLED_JOBS, KILLS = 16, 6, 10
LISTED, COMPARED, REPORTED = 10_000, 50, 20


def run(rounds: int) -> str:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        timings = in_turn(
            {kind: timed(lambda kind=kind, how=how: sweep(root / kind, JOBS, *how)) for kind, how in KINDS.items()}, rounds
        )
        seconds = {kind: timings[kind].seconds for kind in KINDS}
        found = {kind: figures(root / kind, JOBS) for kind in KINDS}
        kept, kills = killed(root / "killed"), figures(root / "unbroken", KILLED_JOBS)
        listed = many(root, rounds)
        size = (root / PAGE).stat().st_size / 1e6
    rows = [
        *((f"{JOBS} jobs, {kind}", f"{seconds[kind]:.1f}", equal(found[kind], found[BESIDE])) for kind in KINDS),
        (f"{KILLED_JOBS} jobs, killed {KILLS} times", "", equal(kept, kills)),
        *((name, f"{seconds:.2f}", "") for name, seconds in listed.items()),
    ]
    limits = dict(zip(listed, (1.0, 3.0, 5.0), strict=True))
    lines = [target(f"{BESIDE} / {kind}", seconds[BESIDE] / seconds[kind], 0.6) for kind in KINDS if kind != BESIDE]
    lines += [target(f"{name}, seconds", seconds, limits[name]) for name, seconds in listed.items()]
    lines.append(target(f"page of {REPORTED} runs, MB", size, 10.0))
    return "\n".join([table(("", "seconds", "equal"), rows), "", *lines])


def equal(some: list[dict], others: list[dict]) -> str:
    """How many jobs have the same figures."""
    return f"{sum(a == b for a, b in zip(some, others, strict=True))} of {len(some)}"


def words(folder: Path, jobs: int) -> list[str]:
    """The command line of a sweep over seeds."""
    return [*NNLAB, "train", "-m", *SHORT, f"seed=range({jobs})", f"hydra.sweep.dir={folder}"]


def sweep(folder: Path, jobs: int, more: Sequence[str] = (), threads: str | None = None) -> None:
    """A sweep from its beginning."""
    shutil.rmtree(folder, ignore_errors=True)
    call([*words(folder, jobs), *more], **({"OMP_NUM_THREADS": threads} if threads else {}))


def figures(folder: Path, jobs: int) -> list[dict]:
    """The test figures of each job of a sweep."""
    return [RunFolder(folder / str(i)).read_test_figures() for i in range(jobs)]


def killed(folder: Path) -> list[dict]:
    """The test figures of a sweep that was killed KILLS times and resumed; empty for a job that was trained twice."""
    sweep(folder.with_name("unbroken"), KILLED_JOBS)
    draw, began = random.Random(0), {}
    for attempt in range(KILLS + 1):
        again = (folder / "sweep.json").exists()
        command = [*NNLAB, "resume", str(folder)] if again else words(folder, KILLED_JOBS)
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if attempt < KILLS:
            time.sleep(draw.uniform(3, 12))
            process.send_signal(signal.SIGKILL)
        process.wait()
        for i in range(KILLED_JOBS):
            status = RunFolder(folder / str(i)).read_status()
            if status.get("status") == "completed":
                began.setdefault(i, status["time"])
    times = [RunFolder(folder / str(i)).read_status().get("time") for i in range(KILLED_JOBS)]
    return [each if times[i] == began.get(i) else {} for i, each in enumerate(figures(folder, KILLED_JOBS))]


def many(root: Path, rounds: int) -> dict[str, float]:
    """Seconds of commands over many runs, by what they are."""
    write_runs(root / "listed", LISTED)
    for i in range(COMPARED):
        shutil.copytree(root / "one after another" / str(i % JOBS), root / "compared" / str(i))
    runs = [str(path) for path in sorted((root / "compared").iterdir())]
    jobs = {
        f"nnlab runs, of {LISTED:,}": timed(lambda: call([*NNLAB, "runs", "--root", str(root / "listed")])),
        f"nnlab compare, of {COMPARED}": timed(lambda: call([*NNLAB, "compare", *runs, "-o", str(root / "comparison")])),
        f"nnlab report, of {REPORTED}": timed(lambda: call([*NNLAB, "report", *runs[:REPORTED], "-o", str(root / PAGE)])),
    }
    return {name: timing.seconds for name, timing in in_turn(jobs, rounds).items()}
